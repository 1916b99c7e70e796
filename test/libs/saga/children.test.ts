import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import {
  child,
  children,
  retriableChild,
  type ChildCounts,
  type ChildEnd,
} from '../../../libs/saga/children.js';
import { defineJob, readOnly, type Saga } from '../../../libs/saga/define.js';
import { Deferred, Denied } from '../../../libs/saga/failure.js';
import type { Implementation, UndoContext } from '../../../libs/saga/implement.js';
import {
  createVirtualClock,
  runInMemory,
  type ChildFate,
  type MemoryRunOptions,
} from '../../../libs/saga/memory.js';
import { createWorld, implementConvoy, implementHeralds } from '../../conformance/fakes.js';
import { convoy, heralds, order } from '../../conformance/kinds.js';

const HOUR_MS = 3_600_000;
const scouted: ChildFate = { end: { status: 'SUCCEEDED', result: { charge: 'ch_1', packed: 1 } } };
const lost: ChildFate = { end: { status: 'FAILED', code: 'lost' } };
/** The scout has a count of 1, ships of 3. */
const isScout = (input: unknown): boolean => (input as { count: number }).count === 1;

function run(shipFate: (index: number) => ChildFate, options: Partial<MemoryRunOptions<typeof convoy>> = {}) {
  const world = createWorld();
  const childFate = (input: unknown, index: number): ChildFate =>
    isScout(input) ? scouted : shipFate(index);
  return runInMemory(convoy, implementConvoy(world), {
    input: { count: 3 },
    clock: world.clock,
    childFate,
    ...options,
  }).then((ran) => ({ ...ran, log: world.log }));
}

describe('a step with children', () => {
  it('answers how its one child ended, and how many of many ended how', async () => {
    const { end, children: started } = await run(() => ({}));
    expect(end).toMatchObject({ status: 'SUCCEEDED', result: { charge: 'ch_1', shipped: 3 } });
    expect(started.map(({ kind, input }) => [kind, input])).toEqual([
      ['test.order', { count: 1 }],
      ...Array.from({ length: 3 }, () => ['test.order', { count: 3 }]),
    ]);
  });

  it('goes on the moment its last child ends', async () => {
    const { end, elapsedMs } = await run((index) => ({ afterMs: ((index + 1) * 1_234_567) / 4 }));
    expect(end?.status).toBe('SUCCEEDED');
    expect(Math.round(elapsedMs)).toBe(Math.round(1 + (3 * 1_234_567) / 4));
  });

  it('is done at once where it has none', async () => {
    const { end, elapsedMs } = await run(() => ({}), { input: { count: 0 } });
    expect(end).toMatchObject({ status: 'SUCCEEDED', result: { shipped: 0 } });
    expect(elapsedMs).toBe(1);
  });

  it('leaves what a failed child means to the author', async () => {
    const { end, log } = await run((index) => (index === 1 ? lost : {}));
    expect(end).toMatchObject({ status: 'FAILED', compensated: 'all', error: { code: 'ships_lost' } });
    expect(log).toEqual(['ship', 'recall']);
  });

  it('cancelled, cancels those still open, and takes the finished ones back by its own undo', async () => {
    const {
      end,
      children: started,
      elapsedMs,
      log,
    } = await run((index) => ({ afterMs: index === 0 ? 10 : HOUR_MS / 2 }), { cancelAt: 60_000 });
    expect(end).toMatchObject({ status: 'CANCELLED', compensated: 'all' });
    expect(started.slice(1).map((one) => one.end?.status)).toEqual(['SUCCEEDED', 'CANCELLED', 'CANCELLED']);
    expect(elapsedMs).toBe(60_000);
    expect(log).toEqual(['ship', 'recall']);
  });

  it('fails where an input does not fit the kind, and nothing is started', async () => {
    const world = createWorld();
    const implementation = implementConvoy(world);
    const wrong = { ...implementation.steps, scout: async () => ({ count: -1 }) };
    const { state, children: started } = await runInMemory(
      convoy,
      { ...implementation, steps: wrong },
      { input: { count: 1 }, clock: world.clock, stopWhenParked: true },
    );
    expect(state.park).toMatchObject({ step: 'scout' });
    expect(started).toEqual([]);
  });
});

describe('a step with children past the commit point', () => {
  const told: ChildFate = {
    end: { status: 'SUCCEEDED', result: { charge: 'ch_1', packed: 1 } },
    afterMs: 60_000,
  };

  it('waits for the ends of those that were started, though a person says that it is done', async () => {
    const world = createWorld();
    let calls = 0;
    const { end, children: started } = await runInMemory(heralds, implementHeralds(world), {
      input: { count: 2 },
      clock: world.clock,
      childFate: () => told,
      // `send` is started, and its first look at its children is denied.
      wrapLedger: (ledger) => ({
        ...ledger,
        async transact(...claim) {
          calls += 1;
          if (calls === 2) throw new Denied('no_grant', 'No right to look');
          return ledger.transact(...claim);
        },
      }),
      onPark: (control) => control.decide('resolve', { total: 9, succeeded: 9, failed: 0, cancelled: 0 }),
    });
    expect(end).toMatchObject({ status: 'SUCCEEDED', result: { told: 2 } });
    expect(started).toHaveLength(3);
  });

  it('has no undo', () => {
    // @ts-expect-error nothing is taken back past the commit point
    retriableChild({ pool: 'io', of: order, undo: 'recall' });
    type Undos = Implementation<typeof heralds>['undos'];
    expectTypeOf<keyof Undos>().toEqualTypeOf<never>();
  });
});

describe('a wake-up', () => {
  it('that comes while a step looks cuts the nap after it short', async () => {
    const clock = createVirtualClock();
    let looks = 0;
    const patient = defineJob({
      kind: 'test.patient',
      summary: 'Waits for its child while it looks for something else',
      queue: 'orders',
      input: z.strictObject({}),
      result: z.null(),
      deadline: '3h',
      example: {},
      steps: {
        look: readOnly({ pool: 'io', output: z.void() }),
        one: child({ pool: 'io', of: order }),
      },
      async run({ steps }) {
        await Promise.all([steps.look(), steps.one()]);
        return null;
      },
    });
    const implementation: Implementation<typeof patient> = {
      steps: {
        async look() {
          // The child ends meanwhile.
          if (looks === 0) await clock.sleep(1_000);
          if (looks++ === 0) throw new Deferred(HOUR_MS, 'Not yet');
        },
        one: async () => ({ count: 1 }),
      },
      undos: {},
      probes: {},
    };
    const { end, elapsedMs } = await runInMemory(patient, implementation, {
      input: {},
      clock,
      childFate: () => ({ afterMs: 500 }),
    });
    expect(end?.status).toBe('SUCCEEDED');
    expect(elapsedMs).toBe(1_000);
  });
});

describe('the types of steps with children', () => {
  it('give the saga counts of many, and the end of one', () => {
    type Steps = Saga<(typeof convoy)['steps']>['steps'];
    expectTypeOf<Steps['scout']>().toEqualTypeOf<
      () => Promise<ChildEnd<{ charge: string; packed: number }>>
    >();
    expectTypeOf<Steps['ship']>().toEqualTypeOf<(args: { boxes: number }) => Promise<ChildCounts>>();
  });

  it('want inputs of the children’s kind', () => {
    type Steps = Implementation<typeof convoy>['steps'];
    expectTypeOf<ReturnType<Steps['scout']>>().toEqualTypeOf<Promise<{ count: number }>>();
    expectTypeOf<ReturnType<Steps['ship']>>().toEqualTypeOf<Promise<readonly { count: number }[]>>();
    // @ts-expect-error an order counts in numbers
    const wrong: Steps['scout'] = async () => ({ count: 'one' });
    // @ts-expect-error many are a list
    const single: Steps['ship'] = async () => ({ count: 1 });
    expect([wrong, single]).toHaveLength(2);
  });

  it('tell an undo of the author’s how they ended, and want none where their cancellation is enough', () => {
    type Undos = Implementation<typeof convoy>['undos'];
    expectTypeOf<keyof Undos>().toEqualTypeOf<'recall'>();
    expectTypeOf<Parameters<Undos['recall']>>().toEqualTypeOf<
      [{ boxes: number }, UndoContext<{ count: number }> & { readonly ended: ChildCounts }]
    >();
  });

  it('refuse what is the engine’s to say', () => {
    // @ts-expect-error their kind is said
    expect(() => child({ pool: 'io' })).toThrow();
    // @ts-expect-error they are our own effect
    children({ pool: 'io', of: order, effect: 'keyed' });
    // @ts-expect-error what they answer is their kind's
    children({ pool: 'io', of: order, output: z.void() });
  });
});
