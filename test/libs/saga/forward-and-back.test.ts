import { describe, expect, it } from 'vitest';
import { Deferred, Denied, Rejected, Transient } from '../../../libs/saga/failure.js';
import type { Ledger } from '../../../libs/saga/ledger.js';
import { runInMemory, type AttemptEvent } from '../../../libs/saga/memory.js';
import { createWorld, implementOrder, type Scripts } from '../../conformance/fakes.js';
import { order } from '../../conformance/kinds.js';

function setup(scripts: Scripts = {}) {
  const world = createWorld();
  const implementation = implementOrder(world, scripts);
  const run = (options: Partial<Parameters<typeof runInMemory<typeof order>>[2]> = {}) =>
    runInMemory(order, implementation, { input: { count: 2 }, clock: world.clock, ...options });
  return { world, run };
}

const flaky = (times: number, certainty: 'no' | 'unknown' = 'no') => ({
  ...{
    throw: ({ attempt }: { attempt: number }) => {
      if (attempt <= times) throw new Transient('provider_down', 'Try later', { certainty });
    },
  },
});
const attemptsOf = (trace: readonly AttemptEvent[], step: string) =>
  trace.filter((event) => event.step === step && event.role === 'step' && event.what === 'begin').length;

describe('a saga that goes forward', () => {
  it('runs its steps in order and records its result once', async () => {
    const { world, run } = setup();
    const { end, state } = await run();
    expect(world.log).toEqual(['reserve', 'pack 0', 'pack 1', 'charge', 'notify']);
    expect(end).toMatchObject({ status: 'SUCCEEDED', result: { packed: 2 }, skipped: [] });
    expect(state).toMatchObject({ phase: 'done', committed: true, overdue: false });
    expect(state.steps.map(({ name, status }) => `${name} ${status}`)).toEqual([
      'check done',
      'reserve done',
      'pack done',
      'pack done',
      'charge done',
      'notify done',
    ]);
  });

  it('takes an empty group for done', async () => {
    const { end } = await setup().run({ input: { count: 0 } });
    expect(end).toMatchObject({ status: 'SUCCEEDED', result: { packed: 0 } });
  });

  it('retries a transient failure with full jitter, the same for the same seed', async () => {
    const elapsed = async (seed: number) => {
      const { end, trace, elapsedMs } = await setup({ before: { reserve: flaky(3).throw } }).run({ seed });
      expect(end?.status).toBe('SUCCEEDED');
      expect(attemptsOf(trace, 'reserve')).toBe(4);
      return elapsedMs;
    };
    const first = await elapsed(7);
    expect(await elapsed(7)).toBe(first);
    expect(await elapsed(8)).not.toBe(first);
    // Caps of 200, 400 and 800 ms.
    expect(first).toBeLessThanOrEqual(1_400);
  });

  it('waits at least as long as it was asked to (Retry-After)', async () => {
    const { run } = setup({
      before: {
        reserve: ({ attempt }) => {
          if (attempt === 1)
            throw new Transient('slow_down', '429', { certainty: 'no', retryAfterMs: 30_000 });
        },
      },
    });
    expect((await run()).elapsedMs).toBeGreaterThanOrEqual(30_000);
  });

  it('defers without spending an attempt, however often', async () => {
    let deferrals = 0;
    const { run, world } = setup({
      before: {
        reserve: () => {
          if (deferrals++ < 20) throw new Deferred(10_000, 'The circuit is open');
        },
      },
    });
    const { end, trace, elapsedMs } = await run();
    expect(end?.status).toBe('SUCCEEDED');
    expect(elapsedMs).toBe(200_000);
    expect(trace.filter((event) => event.step === 'reserve').map((event) => event.attempt)).toEqual(
      Array.from({ length: 42 }, () => 1),
    );
    expect(world.log[0]).toBe('reserve');
  });

  it('spaces its attempts out when it is put off again and again: a history is finite', async () => {
    let deferrals = 0;
    const { run } = setup({
      before: {
        reserve: () => {
          if (deferrals++ < 60) throw new Deferred(1_000, 'Not now');
        },
      },
    });
    const { end, elapsedMs } = await run();
    expect(end?.status).toBe('SUCCEEDED');
    // 30 at their own pace, then 1, 2, 4 … 32 s, then a minute each.
    expect(elapsedMs).toBe(30_000 + 63_000 + 24 * 60_000);
  });

  it('waits for a ledger that is away, spending no attempt', async () => {
    const { run } = setup();
    let calls = 0;
    const away = (ledger: Ledger): Ledger => ({
      ...ledger,
      claim: async (claim) => {
        if (claim.step === 'reserve' && calls++ < 12)
          throw new Transient('database_lost', 'ECONNREFUSED', { certainty: 'no' });
        return ledger.claim(claim);
      },
      fail: async (claim, report) => {
        if (calls < 12) throw new Transient('database_lost', 'ECONNREFUSED', { certainty: 'no' });
        return ledger.fail(claim, report);
      },
    });
    const { end, trace } = await run({ wrapLedger: away });
    expect(end?.status).toBe('SUCCEEDED');
    expect(trace.filter(({ what }) => what === 'deferred')).toHaveLength(12);
    expect(trace.every(({ attempt }) => attempt === 1)).toBe(true);
  });

  it('counts the attempts before and after a deferral together', async () => {
    const { run } = setup({
      before: {
        reserve: ({ attempt }) => {
          if (attempt === 3 && deferred++ === 0) throw new Deferred(1_000, 'Paused');
          throw new Transient('provider_down', 'Try later', { certainty: 'no' });
        },
      },
    });
    let deferred = 0;
    const { end, trace } = await run();
    const failed = trace.filter(({ step, what }) => step === 'reserve' && what === 'failed');
    expect(failed.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(end).toMatchObject({ status: 'FAILED', error: { code: 'provider_down', step: 'reserve' } });
  });

  it('replays an outcome whose answer was lost, under the same key', async () => {
    const { run, world } = setup({ after: { pack: flaky(1, 'unknown').throw } });
    const { end } = await run();
    expect(end?.status).toBe('SUCCEEDED');
    expect(world.log.filter((line) => line.startsWith('pack'))).toEqual(['pack 0', 'pack 1']);
  });
});

describe('a saga that goes back', () => {
  it('does not retry a rejection, and undoes in reverse order', async () => {
    const { world, run } = setup({
      before: {
        charge: () => {
          throw new Rejected('card_declined', 'No money');
        },
      },
    });
    const { end, state, trace } = await run();
    expect(world.log).toEqual(['reserve', 'pack 0', 'pack 1', 'unpack 1', 'unpack 0', 'unreserve']);
    expect(attemptsOf(trace, 'charge')).toBe(1);
    expect(world.live.size).toBe(0);
    expect(end).toEqual({
      status: 'FAILED',
      compensated: 'all',
      leftovers: [],
      skipped: [],
      error: {
        code: 'card_declined',
        title: 'Step charge failed',
        detail: 'No money',
        step: 'charge',
        failureClass: 'rejected',
      },
    });
    expect(state).toMatchObject({ phase: 'done', committed: false });
  });

  it('says that nothing was compensated where nothing had begun', async () => {
    const { run } = setup({
      before: {
        check: () => {
          throw new Rejected('sold_out', 'Nothing there');
        },
      },
    });
    expect((await run()).end).toMatchObject({ status: 'FAILED', compensated: 'none' });
  });

  it('undoes the step that failed too: its effect may be there', async () => {
    const { world, run } = setup({ after: { reserve: flaky(99, 'unknown').throw } });
    const { end } = await run();
    expect(end).toMatchObject({ status: 'FAILED', compensated: 'all' });
    expect(world.log).toEqual(['reserve', 'unreserve']);
  });

  it('awaits the group’s members in flight, starts no more, and undoes every started one', async () => {
    const { world, run } = setup({
      before: {
        pack: async ({ item, signal }) => {
          if (item === 1) throw new Rejected('too_big', 'Does not fit');
          await world.clock.sleep(5_000, signal);
        },
      },
    });
    const { end, trace } = await run({ input: { count: 10 } });
    expect(world.log).toEqual(['reserve', 'pack 0', 'pack 2', 'unpack 2', 'unpack 0', 'unreserve']);
    expect(trace.some(({ item }) => item !== undefined && item > 2)).toBe(false);
    const firstUndo = trace.findIndex(({ role }) => role === 'undo');
    const lastPack = trace.findLastIndex(({ step, role }) => step === 'pack' && role === 'step');
    expect(firstUndo).toBeGreaterThan(lastPack);
    expect(end).toMatchObject({ status: 'FAILED', error: { step: 'pack', item: 1 } });
  });

  it('retries an undo under its own policy', async () => {
    const { world, run } = setup({
      before: {
        charge: () => {
          throw new Rejected('card_declined', 'No money');
        },
        unreserve: flaky(3).throw,
      },
    });
    expect((await run()).end).toMatchObject({ status: 'FAILED', compensated: 'all' });
    expect(world.live.size).toBe(0);
  });

  it('parks an undo that keeps failing, before anything registered earlier is touched', async () => {
    const { world, run } = setup({
      before: {
        charge: () => {
          throw new Rejected('card_declined', 'No money');
        },
        unpack: flaky(99).throw,
      },
    });
    const { end, state, ledger } = await run();
    expect(end).toBeUndefined();
    expect(state).toMatchObject({
      phase: 'parked',
      overdue: true,
      park: { number: 1, step: 'pack', item: 1, undo: true },
    });
    expect(ledger.letters).toMatchObject([{ number: 1, possible: ['retry', 'skip'] }]);
    expect(world.log.at(-1)).toBe('pack 1');
  });
});

describe('a saga past its commit point', () => {
  it('parks on a rejection; cancel and deadline change nothing', async () => {
    const { world, run } = setup({
      before: {
        notify: () => {
          throw new Rejected('address_unknown', 'No such mailbox');
        },
      },
    });
    const { end, state, ledger } = await run({ cancelAt: 60_000 });
    expect(end).toBeUndefined();
    expect(state).toMatchObject({
      phase: 'parked',
      committed: true,
      overdue: true,
      cancelRequested: true,
      park: { number: 1, step: 'notify', undo: false, doubt: false },
    });
    expect(ledger.letters[0]?.possible).toEqual(['retry', 'skip', 'resolve']);
    expect(world.log).toEqual(['reserve', 'pack 0', 'pack 1', 'charge']);
  });
});

describe('a bug', () => {
  const denied = () => {
    throw new Denied('key_revoked', '401');
  };

  it('parks at once, and is not retried', async () => {
    const { run } = setup({ before: { reserve: denied } });
    const { end, state, trace } = await run({ stopWhenParked: true });
    expect(end).toBeUndefined();
    expect(attemptsOf(trace, 'reserve')).toBe(1);
    expect(state).toMatchObject({ phase: 'parked', park: { step: 'reserve', undo: false, doubt: false } });
  });

  it('parks for a TypeError in a step too', async () => {
    const { run } = setup({
      before: {
        check: () => {
          throw new TypeError('undefined is not a function');
        },
      },
    });
    expect((await run({ stopWhenParked: true })).state).toMatchObject({ phase: 'parked' });
  });

  it('parks alone: another that parks meanwhile waits its turn', async () => {
    const { run } = setup({ before: { pack: denied } });
    const { end, state, ledger } = await run({ cancelAt: 60_000, input: { count: 3 } });
    expect(ledger.letters).toMatchObject([{ number: 1, step: 'pack', item: 0 }]);
    expect(state.park).toBeUndefined();
    expect(end?.status).toBe('CANCELLED');
  });

  it('is compensated when the job is cancelled meanwhile', async () => {
    const { world, run } = setup({ before: { charge: denied } });
    const { end } = await run({ cancelAt: 60_000 });
    expect(end).toMatchObject({ status: 'CANCELLED', compensated: 'all' });
    expect(world.live.size).toBe(0);
  });

  it('is compensated at the deadline', async () => {
    const { world, run } = setup({ before: { charge: denied } });
    const { end, elapsedMs } = await run();
    expect(end).toMatchObject({ status: 'FAILED', error: { code: 'deadline_exceeded' } });
    expect(elapsedMs).toBe(order.deadlineMs);
    expect(world.live.size).toBe(0);
  });
});
