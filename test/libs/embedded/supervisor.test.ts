import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RecordedProcess } from '../../../libs/embedded/end-processes.js';
import { limitLog, tailOf } from '../../../libs/embedded/log-file.js';
import { identify } from '../../../libs/embedded/process-identity.js';
import { supervise, type ProcessEvent, type Supervised } from '../../../libs/embedded/supervisor.js';

let dir: string;
let running: Supervised[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'longhaul-supervisor-'));
});
afterEach(async () => {
  await Promise.all(running.map((one) => one.stop(0)));
  running = [];
  rmSync(dir, { recursive: true, force: true });
});

const READY = `process.send({ type: 'ready', role: 'worker', metricsUrl: 'http://here' });`;
const STAY = `setInterval(() => {}, 1000); process.on('disconnect', () => process.exit());`;

function setup(script: string) {
  const events: ProcessEvent[] = [];
  const recorded = new Map<number, RecordedProcess>();
  const registry = {
    add: (one: RecordedProcess) => void recorded.set(one.pid, one),
    remove: (pid: number) => void recorded.delete(pid),
    guardPid: () => undefined,
    close: async () => undefined,
  };
  const supervised = supervise(
    {
      name: 'thing',
      tier: 'app',
      command: process.execPath,
      args: ['-e', script],
      env: { PATH: process.env.PATH },
      logFile: join(dir, 'thing.log'),
      stopSignal: 'SIGTERM',
      killSignal: 'SIGKILL',
      startTimeoutMs: 20_000,
    },
    registry,
    (event) => events.push(event),
  );
  running.push(supervised);
  return { supervised, events, recorded };
}

function pidOf(supervised: Supervised): number {
  const pid = supervised.pid();
  if (pid === undefined) throw new Error('does not run');
  return pid;
}

describe('supervise', () => {
  it('is ready when the process says so, and keeps what it said', async () => {
    const { supervised, recorded } = setup(READY + STAY);
    await supervised.firstReady;
    expect(supervised.said()?.metricsUrl).toBe('http://here');
    expect(recorded.get(pidOf(supervised))?.name).toBe('thing');
  });

  it('starts a killed process again, and strikes the dead one out', async () => {
    const { supervised, events, recorded } = setup(READY + STAY);
    await supervised.firstReady;
    const first = pidOf(supervised);
    process.kill(first, 'SIGKILL');
    await expect
      .poll(() => events.filter((event) => event.type === 'ready').length, { timeout: 10_000 })
      .toBe(2);
    expect(pidOf(supervised)).not.toBe(first);
    expect([...recorded.keys()]).toEqual([pidOf(supervised)]);
    expect(events).toContainEqual({ type: 'died', name: 'thing', how: 'ended by SIGKILL', restartMs: 100 });
  });

  it('gives up a start that fails again and again, with the last words of its log', async () => {
    const { supervised, events } = setup(`console.error('DATABASE_URL: missing'); process.exit(7)`);
    await expect(supervised.firstReady).rejects.toThrow(
      /ended with exit code 7\.[\s\S]*DATABASE_URL: missing/,
    );
    const waits = events.flatMap((event) => (event.type === 'died' ? [event.restartMs] : []));
    expect(waits).toEqual([100, 200]);
  });

  it('kills a process that does not end when asked', async () => {
    const { supervised } = setup(`process.on('SIGTERM', () => {}); ${READY} ${STAY}`);
    await supervised.firstReady;
    const pid = pidOf(supervised);
    await supervised.stop(100);
    expect(identify(pid)).toBeUndefined();
  });

  it('ends a process that somebody has frozen', async () => {
    const { supervised } = setup(READY + STAY);
    await supervised.firstReady;
    const pid = pidOf(supervised);
    process.kill(pid, 'SIGSTOP');
    await supervised.stop(100);
    expect(identify(pid)).toBeUndefined();
  });

  it('does not start again what was stopped', async () => {
    const { supervised, events, recorded } = setup(READY + STAY);
    await supervised.firstReady;
    await supervised.stop(5_000);
    expect(supervised.pid()).toBeUndefined();
    expect(recorded.size).toBe(0);
    expect(events.map((event) => event.type)).toEqual(['started', 'ready']);
  });
});

describe('log files', () => {
  it('are moved aside past their limit, while writers go on', () => {
    const log = join(dir, 'a.log');
    writeFileSync(log, 'x'.repeat(100));
    limitLog(log, 100);
    expect(existsSync(`${log}.1`)).toBe(false);
    limitLog(log, 99);
    expect(readFileSync(`${log}.1`, 'utf8')).toHaveLength(100);
    expect(readFileSync(log, 'utf8')).toBe('');
  });

  it('show their last lines from a given point on', () => {
    const log = join(dir, 'b.log');
    writeFileSync(log, 'old\none\ntwo\nthree\n');
    expect(tailOf(log, 4, 2)).toBe('two\nthree');
    expect(tailOf(log, 18)).toBe('');
    expect(tailOf(join(dir, 'none.log'))).toBe('');
  });
});
