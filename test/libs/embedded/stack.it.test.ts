import { createHash } from 'node:crypto';
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { identify } from '../../../libs/embedded/process-identity.js';
import type { RunFile } from '../../../libs/embedded/run-file.js';
import { canReach } from '../../../libs/embedded/system-user.js';
import { eventually } from '../../support/stack.js';
import { allGone, LONGHAUL, makeHomeFolder, NOBODY, processesOf, ready, up, type Up } from './stack.setup.js';

// Whole stacks come up here, beside whatever else the machine does.
vi.setConfig({ testTimeout: 150_000, hookTimeout: 60_000 });
const BACK_TIMEOUT_MS = 60_000;
const isRoot = process.getuid?.() === 0;
const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function setup(...folder: Parameters<typeof makeHomeFolder>) {
  const { home, above } = makeHomeFolder(...folder);
  cleanups.push(() => rmSync(above, { recursive: true, force: true }));
  const start = async (user?: typeof NOBODY): Promise<{ stack: Up; run: RunFile; pids: number[] }> => {
    const stack = up(home, {}, user);
    const pids = [stack.pid];
    cleanups.push(async () => {
      stack.kill('SIGKILL');
      await stack.exited;
      // Whatever the test has shown, it leaves nothing running.
      for (const pid of new Set(pids)) if (identify(pid)) process.kill(pid, 'SIGKILL');
      await allGone(pids);
    });
    const run = await ready(stack, home);
    pids.push(...processesOf(run));
    return { stack, run, pids };
  };
  return { home, start };
}

async function query(run: RunFile, sql: string): Promise<unknown[]> {
  const connection = new pg.Client({ connectionString: run.databaseUrl });
  await connection.connect();
  try {
    return (await connection.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await connection.end();
  }
}

async function stopCleanly(stack: Up, home: string, pids: readonly number[]): Promise<void> {
  stack.kill('SIGINT');
  expect(await stack.exited).toBe(0);
  await allGone(pids);
  expect(existsSync(join(home, 'run.json'))).toBe(false);
}

describe('longhaul up', () => {
  it('says in run.json, 0600, where everything is, and takes it away at a clean stop', async () => {
    const { home, start } = setup();
    const { stack, run, pids } = await start();
    expect(statSync(join(home, 'run.json')).mode & 0o777).toBe(0o600);
    expect((await fetch(`${run.api}/readyz`)).status).toBe(200);
    expect((await fetch(run.temporalUi ?? '')).status).toBe(200);
    expect(await (await fetch(run.metrics)).text()).toMatch(/longhaul_process_up\{process="api"\} 1/);
    expect(run.keys).toEqual({
      client: expect.stringMatching(/^lh_local_/) as string,
      operator: expect.stringMatching(/^lh_local_/) as string,
      admin: expect.stringMatching(/^lh_local_/) as string,
    });
    expect((await fetch(`${run.paymentProvider}/healthz`)).status).toBe(200);
    expect((await fetch(`${run.mailbox}/healthz`)).status).toBe(200);
    const { api, relay, workers, postgres, temporal, paymentProvider, mailbox } = run.pids;
    const named = [api, relay, postgres, temporal, paymentProvider, mailbox, ...workers];
    expect(workers).toHaveLength(8);
    expect(new Set(named).size).toBe(14);
    expect(pids).toEqual(expect.arrayContaining(named));
    // The database's owner is no superuser: row-level security holds for it too.
    expect(await query(run, 'select rolsuper from pg_roles where rolname = current_user')).toEqual([
      { rolsuper: false },
    ]);
    for (const secret of ['master.key', 'database.password', 'keys.json']) {
      expect(statSync(join(home, secret)).mode & 0o777).toBe(0o600);
    }
    await stopCleanly(stack, home, pids);
  });

  it('refuses a second start on the same home, and says where the first is', async () => {
    const { home, start } = setup();
    const { run } = await start();
    const second = up(home);
    expect(await second.exited).not.toBe(0);
    expect(second.output()).toContain(`runs already on ${home}: ${run.api}`);
    expect((await fetch(`${run.api}/readyz`)).status).toBe(200);
  });

  it('shares a machine with another stack that starts at the same moment', async () => {
    const [first, second] = [setup(), setup()];
    const [{ run: one }, { run: other }] = await Promise.all([first.start(), second.start()]);
    const places = [one, other].flatMap((run) => [
      run.api,
      run.metrics,
      run.temporal,
      run.temporalUi,
      run.paymentProvider,
      run.mailbox,
      run.databaseUrl,
    ]);
    expect(new Set(places).size).toBe(12);
    for (const { api } of [one, other]) expect((await fetch(`${api}/readyz`)).status).toBe(200);
  });

  it('names a port that was asked for and is taken, and leaves nothing running', async () => {
    const { home } = setup();
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => new Promise<void>((resolve) => squatter.close(() => resolve())));
    const { port } = squatter.address() as { port: number };
    const stack = up(home, { PORT: String(port) });
    expect(await stack.exited).toBe(1);
    expect(stack.output()).toMatch(new RegExp(`Port ${port} .*PORT.* is taken`));
    expect(existsSync(join(home, 'up.lock'))).toBe(false);
    expect(existsSync(join(home, 'processes.json'))).toBe(false);
  });

  it('orphans nothing when its supervisor is killed, and goes on with the same state', async () => {
    const { home, start } = setup();
    const first = await start();
    await query(first.run, 'create table kept as select 42 as answer');
    first.stack.kill('SIGKILL');
    await allGone(first.pids);

    const second = await start();
    expect(second.run.keys).toEqual(first.run.keys);
    expect(second.run.databaseUrl).toBe(first.run.databaseUrl);
    expect(await query(second.run, 'select answer from kept')).toEqual([{ answer: 42 }]);
    await stopCleanly(second.stack, home, second.pids);
  });

  it('starts again when every process was killed at once', async () => {
    const { home, start } = setup();
    const first = await start();
    for (const pid of new Set(first.pids)) process.kill(pid, 'SIGKILL');
    const second = await start();
    expect(second.run.keys).toEqual(first.run.keys);
    await stopCleanly(second.stack, home, second.pids);
  });

  it('restarts each process that is killed, and its guard too, and run.json follows', async () => {
    const { home, start } = setup();
    const { run, pids } = await start();
    const killed = pids.filter((pid) => pid !== run.pids.supervisor);
    for (const pid of killed) process.kill(pid, 'SIGKILL');
    const again = await eventually(
      'all of them back',
      async () => {
        const now = JSON.parse(await readFile(join(home, 'run.json'), 'utf8')) as RunFile;
        const { api, relay, workers, postgres, temporal, paymentProvider, mailbox, guard } = now.pids;
        const all = [api, relay, postgres, temporal, paymentProvider, mailbox, guard, ...workers];
        const isBack =
          all.length === killed.length && all.every((pid) => pid !== null && !killed.includes(pid));
        return isBack && (await fetch(`${now.api}/readyz`)).ok ? now : undefined;
      },
      BACK_TIMEOUT_MS,
    );
    pids.push(...processesOf(again));
    expect(again.api).toBe(run.api);
  });

  it('stops when it is told to while it is still starting', async () => {
    const { home } = setup();
    const stack = up(home);
    await eventually('its first process', () => existsSync(join(home, 'processes.json')));
    const supervisor = stack.pid;
    stack.kill('SIGTERM');
    expect(await stack.exited).toBe(0);
    await allGone([supervisor]);
    expect(readdirSync(home)).not.toContain('processes.json');
  });

  it('stops when its home is removed', async () => {
    const { home, start } = setup();
    const { stack, pids } = await start();
    rmSync(home, { recursive: true, force: true });
    await stack.exited;
    await allGone(pids);
    expect(stack.output()).toContain('was removed');
  });
});

describe.runIf(isRoot)('longhaul up, by user', () => {
  it('runs as a normal user, PostgreSQL too', async ({ skip }) => {
    // Where the checkout is below a private folder, no other user can run it.
    skip(!canReach(NOBODY, LONGHAUL), 'nobody cannot reach this checkout');
    const { home, start } = setup(0o711, NOBODY);
    const { stack, run, pids } = await start(NOBODY);
    expect(statSync(join(home, 'postgres')).uid).toBe(NOBODY.uid);
    expect(run.postgresData).toBe(join(home, 'postgres'));
    await stopCleanly(stack, home, pids);
  });

  it('keeps the database outside a home that others cannot enter, and says so', async () => {
    const { home, start } = setup(0o700);
    const hash = createHash('sha256').update(home).digest('hex').slice(0, 16);
    const outside = join('/var/lib/longhaul', hash);
    cleanups.splice(0, 0, () => rmSync(outside, { recursive: true, force: true }));
    const { stack, run, pids } = await start();
    expect(run.postgresData).toBe(join(outside, 'data'));
    expect(statSync(join(outside, 'data')).uid).not.toBe(0);
    expect(stack.output()).toContain(outside);
    expect(existsSync(join(home, 'postgres'))).toBe(false);
    await stopCleanly(stack, home, pids);

    // A home that was removed and made anew does not get the old one's database.
    rmSync(home, { recursive: true, force: true });
    const anew = await start();
    expect(anew.run.keys).not.toEqual(run.keys);
    await stopCleanly(anew.stack, home, anew.pids);
  });
});
