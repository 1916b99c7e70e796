import { describe, expect, it } from 'vitest';
import { Deferred, Rejected, Transient } from '../../../libs/saga/failure.js';
import type { Ledger } from '../../../libs/saga/ledger.js';
import { runInMemory } from '../../../libs/saga/memory.js';
import type { CancelWish } from '../../../libs/saga/protocol.js';
import { createWorld, implementOrder, type Scripts } from '../../conformance/fakes.js';
import { order } from '../../conformance/kinds.js';

function setup(scriptsOf: (world: ReturnType<typeof createWorld>) => Scripts = () => ({})) {
  const world = createWorld();
  const implementation = implementOrder(world, scriptsOf(world));
  const run = (options: Partial<Parameters<typeof runInMemory<typeof order>>[2]> = {}) =>
    runInMemory(order, implementation, { input: { count: 2 }, clock: world.clock, ...options });
  return { world, run };
}

describe('a cancel', () => {
  it('at any event ends in one state: all undone, or done because it came too late', async () => {
    const events = (await setup().run()).trace.length;
    expect(events).toBeGreaterThan(10);
    const ends: string[] = [];
    for (let at = 0; at < events; at++) {
      const { world, run } = setup();
      const { end, ledger } = await run({ cancelAt: (_, index) => index === at });
      ends.push(end?.status ?? 'none');
      if (end?.status === 'CANCELLED') {
        expect(world.live.size, `cancelled at event ${at}`).toBe(0);
        expect([...ledger.rows.values()].every(({ state }) => state !== 'undoing')).toBe(true);
      } else {
        expect(world.live.size, `too late at event ${at}`).toBe(5);
      }
    }
    const committing = ends.indexOf('SUCCEEDED');
    expect(ends.slice(0, committing).every((status) => status === 'CANCELLED')).toBe(true);
    expect(ends.slice(committing).every((status) => status === 'SUCCEEDED')).toBe(true);
    expect(committing).toBeGreaterThan(0);
  });

  it('before the first step undoes nothing', async () => {
    const { world, run } = setup();
    const { end, trace } = await run({ cancelAt: (_, index) => index === 0 });
    expect(end).toMatchObject({
      status: 'CANCELLED',
      compensated: 'none',
      error: { code: 'cancelled', failureClass: 'cancelled' },
    });
    expect(trace.every(({ step }) => step === 'check')).toBe(true);
    expect(world.log).toEqual([]);
  });

  it('ends the attempts in flight, and undoes what they may have done', async () => {
    const { world, run } = setup(({ clock }) => ({
      after: {
        pack: async ({ signal }) => {
          await clock.sleep(30_000, signal);
          signal.throwIfAborted();
        },
      },
    }));
    const { end, elapsedMs } = await run({ cancelAt: 1_000, input: { count: 10 } });
    expect(elapsedMs).toBe(1_000);
    expect(world.log).toEqual([
      ...['reserve', 'pack 0', 'pack 1', 'pack 2'],
      ...['unpack 2', 'unpack 1', 'unpack 0', 'unreserve'],
    ]);
    expect(end).toMatchObject({ status: 'CANCELLED', compensated: 'all' });
  });

  it('in a retry’s wait does not wait', async () => {
    const { run } = setup(() => ({
      before: {
        reserve: () => {
          throw new Transient('provider_down', 'Later', { certainty: 'no', retryAfterMs: 600_000 });
        },
      },
    }));
    const { end, elapsedMs } = await run({ cancelAt: 1_000 });
    expect(end?.status).toBe('CANCELLED');
    expect(elapsedMs).toBe(1_000);
  });

  it('is only ever a cancel, whatever a hand-written signal says', async () => {
    const { run } = setup();
    const wish = { kind: 'failed', reason: { why: 'not text' } } as unknown as CancelWish;
    const { end } = await run({ onEvent: (_, control) => control.cancel(wish) });
    expect(end).toMatchObject({ status: 'CANCELLED', error: { code: 'cancelled' } });
    expect(end).toHaveProperty('error.detail', 'Cancelled before it was done.');
  });

  it('while compensating does not turn FAILED into CANCELLED', async () => {
    const { run } = setup(() => ({
      before: {
        charge: () => {
          throw new Rejected('card_declined', 'No');
        },
      },
    }));
    const { end, state } = await run({ cancelAt: ({ role }) => role === 'undo' });
    expect(end).toMatchObject({ status: 'FAILED', error: { code: 'card_declined' } });
    expect(state.cancelRequested).toBe(true);
  });

  it('ends a park at a step in doubt, which is then undone', async () => {
    const { world, run } = setup(() => ({
      after: {
        reserve: () => {
          throw new TypeError('cannot read the answer');
        },
      },
    }));
    const { end, ledger } = await run({ cancelAt: 60_000 });
    expect(ledger.letters).toMatchObject([{ step: 'reserve', doubt: true }]);
    expect(end).toMatchObject({ status: 'CANCELLED', compensated: 'all' });
    expect(world.log).toEqual(['reserve', 'unreserve']);
  });

  it('cannot be caught by the saga’s own code', async () => {
    const { world } = setup();
    const stubborn = {
      ...order,
      run: async (saga: Parameters<typeof order.run>[0]) => {
        await saga.steps.reserve();
        for (let tries = 0; tries < 3; tries++) {
          try {
            return { charge: (await saga.steps.charge()).id, packed: 0 };
          } catch {
            continue; // the author believes it can go on
          }
        }
        return { charge: 'none', packed: 0 };
      },
    };
    const implementation = implementOrder(world, {
      before: {
        charge: () => {
          throw new Rejected('card_declined', 'No');
        },
      },
    });
    const { end, trace } = await runInMemory(stubborn, implementation, {
      input: { count: 0 },
      clock: world.clock,
    });
    expect(end).toMatchObject({ status: 'FAILED', compensated: 'all' });
    expect(trace.filter(({ step, what }) => step === 'charge' && what === 'begin')).toHaveLength(1);
  });
});

describe('the pivot', () => {
  it('latches a cancel while in flight, and done, was quicker', async () => {
    const { world, run } = setup(({ clock }) => ({ before: { charge: () => clock.sleep(10_000) } }));
    const { end, state } = await run({ cancelAt: 5_000 });
    expect(end?.status).toBe('SUCCEEDED');
    expect(state).toMatchObject({ cancelRequested: true, committed: true });
    expect(world.log).toContain('notify');
  });

  it('latches a cancel while in flight, and honours it when it proves not done', async () => {
    const { world, run } = setup(({ clock }) => ({
      before: {
        charge: async () => {
          await clock.sleep(10_000);
          throw new Rejected('card_declined', 'No');
        },
      },
    }));
    const { end } = await run({ cancelAt: 5_000 });
    expect(end).toMatchObject({ status: 'CANCELLED', compensated: 'all' });
    expect(world.live.size).toBe(0);
  });

  it('latches the deadline too, and says that it was overdue', async () => {
    const { run } = setup(({ clock }) => ({ before: { charge: () => clock.sleep(30_000) } }));
    const hourLessASecond = 3_599_000;
    const { end, state } = await run({ queuedMs: ({ step }) => (step === 'check' ? hourLessASecond : 0) });
    expect(end?.status).toBe('SUCCEEDED');
    expect(state.overdue).toBe(true);
  });

  const charged = ({ role, step }: { role: string; step: string }): number =>
    role === 'step' && step === 'charge' ? 600_000 : 0;

  it('that waits for a worker does not begin once a cancel came', async () => {
    const { world, run } = setup();
    const { end, trace, ledger, elapsedMs } = await run({ cancelAt: 60_000, queuedMs: charged });
    expect(end).toMatchObject({ status: 'CANCELLED', compensated: 'all' });
    expect(elapsedMs).toBe(60_000);
    expect(trace.filter(({ role, step }) => role === 'step' && step === 'charge')).toEqual([]);
    // A worker that has it all the same is refused.
    expect(ledger.rows.get('charge//0')?.state).toBe('undone');
    expect(world.live.size).toBe(0);
  });

  it('that waits for a worker does not begin once the deadline passed', async () => {
    const { run } = setup();
    const { end, elapsedMs } = await run({ queuedMs: (request) => 10 * charged(request) });
    expect(end).toMatchObject({ status: 'FAILED', error: { code: 'deadline_exceeded' } });
    expect(elapsedMs).toBe(3_600_000);
  });

  const failsForLong = (certainty: 'no' | 'unknown') => () => {
    throw new Transient('busy', 'Later', { certainty, retryAfterMs: 600_000 });
  };

  it('is not tried again once a cancel came between its attempts', async () => {
    const { world, run } = setup(() => ({ before: { charge: failsForLong('no') } }));
    const { end, elapsedMs, trace } = await run({ cancelAt: 60_000 });
    expect(end).toMatchObject({ status: 'CANCELLED', compensated: 'all' });
    expect(elapsedMs).toBe(60_000);
    expect(trace.filter(({ step, what }) => step === 'charge' && what === 'begin')).toHaveLength(2);
    expect(world.live.size).toBe(0);
  });

  it('is looked for when a cancel came between its attempts, one of which nobody heard of', async () => {
    const { world, run } = setup(() => ({ after: { charge: failsForLong('unknown') } }));
    const { end } = await run({ cancelAt: 60_000 });
    expect(end?.status).toBe('SUCCEEDED');
    expect(world.log.filter((line) => line === 'charge')).toHaveLength(1);
  });

  it('parks when a cancel came between its attempts, and nobody can tell what they did', async () => {
    const { run } = setup(() => ({
      after: { charge: failsForLong('unknown') },
      before: {
        findCharge: () => {
          throw new Rejected('not_found', 'No such route');
        },
      },
    }));
    const { state, ledger } = await run({ cancelAt: 60_000, stopWhenParked: true });
    expect(state).toMatchObject({ phase: 'parked', cancelRequested: true, park: { doubt: true } });
    expect(ledger.letters[0]?.failure?.code).toBe('called_off');
  });

  it('in doubt is looked for, and found', async () => {
    const { world, run } = setup(() => ({
      after: {
        charge: () => {
          throw new Transient('reset', 'The answer was lost', { certainty: 'unknown' });
        },
      },
    }));
    const { end, trace, ledger } = await run();
    expect(end).toMatchObject({
      status: 'SUCCEEDED',
      result: { charge: expect.stringContaining('/charge/0') as string },
    });
    expect(trace.filter(({ role, what }) => role === 'settle' && what === 'done')).toHaveLength(1);
    expect(ledger.rows.get('charge//0')).toMatchObject({ state: 'done', doubt: false });
    expect(world.log.filter((line) => line === 'charge')).toHaveLength(1);
  });

  it('in doubt is looked for, and where it is not there the saga goes back', async () => {
    const { world, run } = setup(() => ({
      before: {
        charge: ({ attempt }) => {
          if (attempt === 1) throw new Transient('reset', 'Lost on the way', { certainty: 'unknown' });
          throw new Rejected('card_declined', 'No');
        },
      },
    }));
    const { end, ledger } = await run();
    // The last failure does not decide: one unknown attempt leaves the doubt, until the probe has settled it.
    expect(end).toMatchObject({ status: 'FAILED', error: { code: 'card_declined' } });
    expect(ledger.rows.get('charge//0')?.state).toBe('undone');
    expect(world.live.size).toBe(0);
  });

  it('in doubt and put off is looked for when a cancel waits for it, not called again', async () => {
    const { world, run } = setup(() => ({
      after: {
        charge: ({ attempt }) => {
          if (attempt === 1) throw new Transient('reset', 'The answer was lost', { certainty: 'unknown' });
          throw new Deferred(1_000, 'The circuit is open');
        },
      },
    }));
    const { end, state, trace } = await run({ cancelAt: 60_000 });
    expect(end).toMatchObject({ status: 'SUCCEEDED' });
    expect(state).toMatchObject({ cancelRequested: true, committed: true });
    expect(trace.filter(({ role }) => role === 'settle')).toHaveLength(2);
    expect(world.log.filter((line) => line === 'charge')).toHaveLength(1);
  });

  it('in doubt is looked for also where the ledger refuses its last attempt', async () => {
    const { world, run } = setup(() => ({
      after: {
        charge: () => {
          throw new Transient('reset', 'The answer was lost', { certainty: 'unknown' });
        },
      },
    }));
    // As when somebody resets the attempts of a running activity: their numbers begin anew.
    const supersede = (ledger: Ledger): Ledger => ({
      ...ledger,
      claim: async (claim) =>
        claim.step === 'charge' && claim.attempt > 1
          ? { kind: 'refused', why: 'superseded' }
          : ledger.claim(claim),
    });
    const { end } = await run({ wrapLedger: supersede });
    expect(end?.status).toBe('SUCCEEDED');
    expect(world.log.at(-1)).toBe('notify');
  });

  it('in doubt waits out the lease of an attempt that never reported, before it looks', async () => {
    const { world, run } = setup(({ clock, live, log }) => ({
      before: {
        charge: async ({ attempt }) => {
          if (attempt === 1) {
            // Its worker is frozen; it acts late, and reports to nobody.
            await clock.sleep(64_000);
            live.add('late');
            log.push('charge, late');
            await new Promise(() => undefined);
          }
          throw new Rejected('card_declined', 'No');
        },
        findCharge: () => {
          log.push('looked');
        },
      },
    }));
    await run();
    expect(world.log.indexOf('charge, late')).toBeLessThan(world.log.indexOf('looked'));
    expect(world.log).toContain('looked');
  });

  it('parks when nobody can tell; cancel and deadline do not touch it', async () => {
    const { world, run } = setup(() => ({
      after: {
        charge: () => {
          throw new Transient('reset', 'The answer was lost', { certainty: 'unknown' });
        },
      },
      before: {
        findCharge: () => {
          throw new Transient('provider_down', 'Later', { certainty: 'no' });
        },
      },
    }));
    const { end, state, ledger } = await run({ cancelAt: 120_000 });
    expect(end).toBeUndefined();
    expect(state).toMatchObject({ phase: 'parked', committed: false, park: { step: 'charge', doubt: true } });
    expect(ledger.letters[0]?.possible).toEqual(['retry', 'compensate', 'resolve']);
    expect(world.log.some((line) => line.startsWith('un'))).toBe(false);
  });
});

describe('a time-out', () => {
  it('leaves the effect in doubt: the undo waits until the late attempt can no longer act', async () => {
    const { world, run } = setup(({ clock, log }) => ({
      before: {
        reserve: async ({ attempt }) => {
          if (attempt > 1) throw new Rejected('sold_out', 'No');
          await clock.sleep(65_500);
          log.push('late');
          await new Promise(() => undefined);
        },
        unreserve: () => {
          log.push('undo');
        },
      },
    }));
    const { end } = await run();
    expect(world.log).toEqual(['late', 'undo']);
    expect(end).toMatchObject({ status: 'FAILED', error: { code: 'sold_out' }, compensated: 'all' });
  });

  it('tells the step to end in time to report, and retries it', async () => {
    const { run } = setup(({ clock }) => ({
      before: {
        reserve: async ({ attempt, signal }) => {
          if (attempt === 1) {
            await clock.sleep(600_000, signal);
            signal.throwIfAborted();
          }
        },
      },
    }));
    const { end, trace, elapsedMs } = await run();
    expect(end?.status).toBe('SUCCEEDED');
    expect(trace.find(({ what }) => what === 'failed')).toMatchObject({ step: 'reserve', code: 'timed_out' });
    expect(elapsedMs).toBeLessThan(61_000);
  });
});
