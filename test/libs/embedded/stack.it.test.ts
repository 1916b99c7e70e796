import { createHash } from 'node:crypto';
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { identify } from '../../../libs/embedded/process-identity.js';
import type { RunFile } from '../../../libs/embedded/run-file.js';
import { WORKER_QUEUES } from '../../../libs/embedded/stack.processes.js';
import { canReach } from '../../../libs/embedded/system-user.js';
import { eventually } from '../../support/stack.js';
import { allGone, LONGHAUL, makeHomeFolder, NOBODY, processesOf, ready, up, type Up } from './stack.setup.js';

// Whole stacks come up here, beside whatever else the machine does.
const START_TIMEOUT_MS = 150_000;
vi.setConfig({ testTimeout: START_TIMEOUT_MS, hookTimeout: 60_000 });
const BACK_TIMEOUT_MS = 60_000;
const isRoot = process.getuid?.() === 0;

interface Started {
  readonly stack: Up;
  readonly run: RunFile;
  /** Everything it has ever started: whatever the test shows, none of it may stay. */
  readonly pids: number[];
}

interface TestHome {
  readonly home: string;
  /** The stack on this home; starts one where none runs. */
  running(user?: typeof NOBODY): Promise<Started>;
  /** Ends what runs there, and removes the home. */
  close(): Promise<void>;
}

function makeHome(...folder: Parameters<typeof makeHomeFolder>): TestHome {
  const { home, above } = makeHomeFolder(...folder);
  let current: Started | undefined;
  const everStarted = new Set<number>();
  return {
    home,
    async running(user) {
      if (current && identify(current.stack.pid)) return current;
      const stack = up(home, {}, user);
      everStarted.add(stack.pid);
      const run = await ready(stack, home);
      current = { stack, run, pids: [stack.pid, ...processesOf(run)] };
      return current;
    },
    async close() {
      current?.stack.kill('SIGKILL');
      await current?.stack.exited;
      const pids = new Set([...everStarted, ...(current?.pids ?? [])]);
      for (const pid of pids) if (identify(pid)) process.kill(pid, 'SIGKILL');
      await allGone([...pids]);
      rmSync(above, { recursive: true, force: true });
    },
  };
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
  /** Two that started at the same moment; each test takes one as the one before left it, and starts it where it ended. */
  const [first, second] = [makeHome(), makeHome()];
  beforeAll(async () => {
    await Promise.all([first.running(), second.running()]);
  }, START_TIMEOUT_MS);
  afterAll(async () => {
    for (const { close } of [first, second]) await close();
  });

  it('shares a machine with another stack that starts at the same moment', async () => {
    const both = [(await first.running()).run, (await second.running()).run];
    const places = both.flatMap((run) => [
      run.api,
      run.metrics,
      run.temporal,
      run.temporalUi,
      run.paymentProvider,
      run.databaseUrl,
    ]);
    expect(new Set(places).size).toBe(12);
    for (const { api } of both) expect((await fetch(`${api}/readyz`)).status).toBe(200);
  });

  it('says in run.json, 0600, where everything is', async () => {
    const { home } = first;
    const { run, pids } = await first.running();
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
    const { api, relay, workers, postgres, temporal, paymentProvider } = run.pids;
    const named = [api, relay, postgres, temporal, paymentProvider, ...workers];
    expect(workers).toHaveLength(WORKER_QUEUES.length);
    expect(new Set(named).size).toBe(5 + WORKER_QUEUES.length);
    expect(pids).toEqual(expect.arrayContaining(named));
    // The database's owner is no superuser: row-level security holds for it too.
    expect(await query(run, 'select rolsuper from pg_roles where rolname = current_user')).toEqual([
      { rolsuper: false },
    ]);
    for (const secret of ['master.key', 'database.password', 'keys.json']) {
      expect(statSync(join(home, secret)).mode & 0o777).toBe(0o600);
    }
  });

  it('refuses a second start on the same home, and says where the first is', async () => {
    const { run } = await first.running();
    const again = up(first.home);
    expect(await again.exited).not.toBe(0);
    expect(again.output()).toContain(`runs already on ${first.home}: ${run.api}`);
    expect((await fetch(`${run.api}/readyz`)).status).toBe(200);
  });

  it('names a port that was asked for and is taken, and leaves nothing running', async () => {
    const { home, close } = makeHome();
    onTestFinished(close);
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => new Promise<void>((resolve) => squatter.close(() => resolve())));
    const { port } = squatter.address() as { port: number };
    const stack = up(home, { PORT: String(port) });
    expect(await stack.exited).toBe(1);
    expect(stack.output()).toMatch(new RegExp(`Port ${port} .*PORT.* is taken`));
    expect(existsSync(join(home, 'up.lock'))).toBe(false);
    expect(existsSync(join(home, 'processes.json'))).toBe(false);
  });

  it('restarts each process that is killed, and its guard too, and run.json follows', async () => {
    const { run, pids } = await first.running();
    const killed = pids.filter((pid) => pid !== run.pids.supervisor);
    for (const pid of killed) process.kill(pid, 'SIGKILL');
    const again = await eventually(
      'all of them back',
      async () => {
        const now = JSON.parse(await readFile(join(first.home, 'run.json'), 'utf8')) as RunFile;
        const { api, relay, workers, postgres, temporal, paymentProvider, guard } = now.pids;
        const all = [api, relay, postgres, temporal, paymentProvider, guard, ...workers];
        const isBack =
          all.length === killed.length && all.every((pid) => pid !== null && !killed.includes(pid));
        return isBack && (await fetch(`${now.api}/readyz`)).ok ? now : undefined;
      },
      BACK_TIMEOUT_MS,
    );
    pids.push(...processesOf(again));
    expect(again.api).toBe(run.api);
  });

  it('orphans nothing when its supervisor is killed, and goes on with the same state', async () => {
    const before = await first.running();
    await query(before.run, 'create table kept as select 42 as answer');
    before.stack.kill('SIGKILL');
    await allGone(before.pids);

    const { run } = await first.running();
    expect(run.keys).toEqual(before.run.keys);
    expect(run.databaseUrl).toBe(before.run.databaseUrl);
    expect(await query(run, 'select answer from kept')).toEqual([{ answer: 42 }]);
  });

  it('starts again when every process was killed at once, and takes run.json away at a clean stop', async () => {
    const before = await first.running();
    for (const pid of new Set(before.pids)) if (identify(pid)) process.kill(pid, 'SIGKILL');
    await before.stack.exited;
    const { stack, run, pids } = await first.running();
    expect(run.keys).toEqual(before.run.keys);
    await stopCleanly(stack, first.home, pids);
  });

  it('stops when it is told to while it is still starting', async () => {
    const { home, close } = makeHome();
    onTestFinished(close);
    const stack = up(home);
    await eventually('its first process', () => existsSync(join(home, 'processes.json')));
    const supervisor = stack.pid;
    stack.kill('SIGTERM');
    expect(await stack.exited).toBe(0);
    await allGone([supervisor]);
    expect(readdirSync(home)).not.toContain('processes.json');
  });

  it('stops when its home is removed', async () => {
    const { stack, pids } = await second.running();
    rmSync(second.home, { recursive: true, force: true });
    await stack.exited;
    await allGone(pids);
    expect(stack.output()).toContain('was removed');
  });
});

describe.runIf(isRoot)('longhaul up, by user', () => {
  it('runs as a normal user, PostgreSQL too', async ({ skip }) => {
    // Where the checkout is below a private folder, no other user can run it.
    skip(!canReach(NOBODY, LONGHAUL), 'nobody cannot reach this checkout');
    const { home, running, close } = makeHome(0o711, NOBODY);
    onTestFinished(close);
    const { stack, run, pids } = await running(NOBODY);
    expect(statSync(join(home, 'postgres')).uid).toBe(NOBODY.uid);
    expect(run.postgresData).toBe(join(home, 'postgres'));
    await stopCleanly(stack, home, pids);
  });

  it('keeps the database outside a home that others cannot enter, and says so', async () => {
    const { home, running, close } = makeHome(0o700);
    const hash = createHash('sha256').update(home).digest('hex').slice(0, 16);
    const outside = join('/var/lib/longhaul', hash);
    onTestFinished(async () => {
      await close();
      rmSync(outside, { recursive: true, force: true });
    });
    const { stack, run, pids } = await running();
    expect(run.postgresData).toBe(join(outside, 'data'));
    expect(statSync(join(outside, 'data')).uid).not.toBe(0);
    expect(stack.output()).toContain(outside);
    expect(existsSync(join(home, 'postgres'))).toBe(false);
    await stopCleanly(stack, home, pids);

    // A home that was removed and made anew does not get the old one's database.
    rmSync(home, { recursive: true, force: true });
    const anew = await running();
    expect(anew.run.keys).not.toEqual(run.keys);
    await stopCleanly(anew.stack, home, anew.pids);
  });
});
