/** `longhaul sandbox-provider` as a process: killed in the middle of payments, it has forgotten none it confirmed. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { commandLineProgram } from '../../../libs/embedded/stack.processes.js';
import { freePort } from '../../support/ports.js';
import { callProvider, keyPath, ORDER, PROVIDER_KEY } from './provider.setup.js';

let folder: string;
let port: number;
let child: ChildProcess | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'longhaul-provider-'));
  port = await freePort();
});
afterEach(() => {
  child?.kill('SIGKILL');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const call = (method: string, path: string, options?: Parameters<typeof callProvider>[3]) =>
  callProvider(`http://127.0.0.1:${port}`, method, path, options);

/** Starts it and waits for its `ready`. */
async function start(): Promise<ChildProcess> {
  const started = spawn(
    process.execPath,
    [commandLineProgram(), 'sandbox-provider', '--port', String(port), '--data', join(folder, 'provider.db')],
    {
      env: { ...process.env, PAYMENT_PROVIDER_KEY: PROVIDER_KEY },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    },
  );
  child = started;
  const [message] = (await once(started, 'message')) as [unknown];
  expect(message).toMatchObject({ type: 'ready', role: 'sandbox-provider', url: `http://127.0.0.1:${port}` });
  return started;
}

it('keeps what it confirmed through SIGKILL, and pays nothing twice when asked again', async () => {
  const KILLS = 3;
  const PER_ROUND = 60;
  const confirmed = new Map<string, string>();
  let process_ = await start();
  await call('PUT', '/recipients', { body: { items: [{ id: 'alice', status: 'allowed' }] } });
  const probabilities = { error_after: 0.2, drop_after: 0.2, drop_before: 0.1 };
  await call('PUT', '/faults', { body: { seed: 5, probabilities } });
  const pay = async (key: string): Promise<void> => {
    const reply = await call('POST', '/transfers', { body: ORDER, headers: { 'idempotency-key': key } });
    const { id } = reply.body as { id?: string };
    if (reply.status > 201 || id === undefined) throw new Error(`answered ${reply.status}`);
    expect(confirmed.get(key) ?? id).toBe(id);
    confirmed.set(key, id);
  };

  const keys: string[] = [];
  for (let round = 0; round < KILLS; round++) {
    const fresh = Array.from({ length: PER_ROUND }, (_, number) => `round${round}/${number}`);
    keys.push(...fresh);
    const before = confirmed.size;
    const gone = once(process_, 'exit');
    const paying = Promise.allSettled(fresh.map(pay));
    // In the middle of it: some are confirmed, and others are under way.
    await expect.poll(() => confirmed.size, { interval: 1 }).toBeGreaterThan(before);
    process_.kill('SIGKILL');
    await Promise.all([gone, paying]);
    process_ = await start();
    for (const [key, id] of confirmed) {
      expect((await call('GET', keyPath(key))).body).toMatchObject({ id });
    }
  }
  expect(confirmed.size).toBeLessThan(keys.length);

  // Whoever had no answer asks again, until there is one.
  const TRIES_MAX = 50;
  for (const key of keys) {
    for (let tries = 1; !confirmed.has(key); tries++) {
      await pay(key).catch((error: unknown) => {
        if (tries >= TRIES_MAX) throw error;
      });
    }
  }
  const { body } = await call('GET', '/audit');
  expect(body).toMatchObject({ paidTwice: { keys: 0 }, inFlight: 0 });
  const euros = (body as { currencies: { currency: string }[] }).currencies.find(
    ({ currency }) => currency === 'EUR',
  );
  expect(euros).toMatchObject({
    transfers: keys.length,
    transferredMinor: keys.length * ORDER.amountMinor,
    isConserved: true,
  });
});

it('ends when it is asked to', async () => {
  const running = await start();
  running.kill('SIGTERM');
  expect(await once(running, 'exit')).toEqual([0, null]);
});

it('says so when its port is taken', async () => {
  await start();
  const second = spawn(
    process.execPath,
    [commandLineProgram(), 'sandbox-provider', '--port', String(port), '--data', join(folder, 'other.db')],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  second.stderr.on('data', (bytes: Buffer) => (said += bytes.toString()));
  expect((await once(second, 'exit'))[0]).toBe(1);
  expect(said).toContain(`Port ${port} is taken`);
});
