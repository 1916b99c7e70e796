/** What readers share, on a clock that moves when it is told to. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { ApiResources } from '../../../apps/api/api.resources.js';
import { StateQueries } from '../../../apps/api/engine/state-queries.js';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] }));
afterEach(() => void vi.useRealTimers());

const STATE = { phase: 'forward', steps: [] };

/** Queries that answer when they are told to. */
function setup() {
  const open: PromiseWithResolvers<unknown>[] = [];
  const engine = {
    queryState() {
      const query = Promise.withResolvers<unknown>();
      open.push(query);
      return query.promise;
    },
  };
  const queries = new StateQueries({ engine, log: { debug: () => undefined } } as unknown as ApiResources);
  const read = () => queries.read('tenant', 'job');
  return { open, queries, read };
}

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

it('one query a job is in flight at a time, and its answer serves everyone for 500 ms', async () => {
  const { open, queries, read } = setup();
  const readers = Array.from({ length: 20 }, read);
  await pass(299);
  expect(open).toHaveLength(1);
  open[0]?.resolve(STATE);
  for (const answered of await Promise.all(readers)) expect(answered?.state).toEqual(STATE);
  await pass(499);
  expect((await read())?.state).toEqual(STATE);
  expect(queries.peek('job')?.state).toEqual(STATE);
  expect(open).toHaveLength(1);
  await pass(1);
  expect(queries.peek('job')).toBeUndefined();
  void read();
  expect(open).toHaveLength(2);
});

it('nobody waits longer than 300 ms, whenever they came, and a late answer still serves', async () => {
  const { open, read } = setup();
  const first = read();
  await pass(200);
  const second = read();
  let isAnswered = false;
  void Promise.all([first, second]).then(() => (isAnswered = true));
  await pass(99);
  expect(isAnswered).toBe(false);
  await pass(1);
  expect(await Promise.all([first, second])).toEqual([undefined, undefined]);
  expect(await read()).toBeUndefined();
  open[0]?.resolve(STATE);
  await pass(0);
  expect((await read())?.state).toEqual(STATE);
  expect(open).toHaveLength(1);
});

it('after three misses in a row the job is not asked for 5 s', async () => {
  const { open, read } = setup();
  const miss = async (at: number): Promise<void> => {
    const asked = read();
    open[at]?.reject(new Error('unavailable'));
    expect(await asked).toBeUndefined();
  };
  for (const at of [0, 1, 2]) await miss(at);
  await pass(4_999);
  expect(await read()).toBeUndefined();
  expect(open).toHaveLength(3);
  await pass(1);
  const asked = read();
  open[3]?.resolve(STATE);
  expect((await asked)?.state).toEqual(STATE);
});
