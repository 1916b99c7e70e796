import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import {
  compensable,
  decision,
  defineJob,
  holder,
  pivot,
  readOnly,
  retriable,
  type ArgsOf,
  type OutputOf,
  type Saga,
} from '../../../libs/saga/define.js';
import type { Implementation, StepContext } from '../../../libs/saga/implement.js';
import { errand, order, snapshot } from '../../conformance/kinds.js';

const output = z.void();

describe('the types of step kinds', () => {
  it('want an undo of a compensable, and refuse one everywhere else', () => {
    // @ts-expect-error a compensable declares its undo
    compensable({ pool: 'io', effect: 'keyed', output });
    // @ts-expect-error a pivot is never undone
    pivot({ pool: 'io', effect: 'keyed', output, undo: 'unpay' });
    // @ts-expect-error a retriable only goes forward
    retriable({ pool: 'io', effect: 'own', output, undo: 'untell' });
    // @ts-expect-error a read-only step has nothing to undo
    readOnly({ pool: 'io', output, undo: 'unread' });
    // @ts-expect-error a read-only step has no effect
    readOnly({ pool: 'io', output, effect: 'keyed' });
    // @ts-expect-error only the pivot is probed
    retriable({ pool: 'io', effect: 'keyed', output, probe: 'find' });
    // @ts-expect-error a compensable at a provider that honours keys needs no probe: it is replayed
    compensable({ pool: 'io', effect: 'keyed', output, undo: 'unpay', probe: 'find' });
    // @ts-expect-error a probed effect declares its probe
    pivot({ pool: 'io', effect: 'probed', output });
    // @ts-expect-error a probed effect declares its probe, in every kind of step
    retriable({ pool: 'io', effect: 'probed', output });
    // @ts-expect-error a blind effect says that it happens at most once
    pivot({ pool: 'io', effect: 'blind', output });
    // @ts-expect-error of a blind effect nobody can be asked
    compensable({ pool: 'io', effect: 'blind', atMostOnce: true, output, undo: 'unpay', probe: 'find' });
    // @ts-expect-error a pivot is never skipped
    pivot({ pool: 'io', effect: 'keyed', output, fallback: null });
    // @ts-expect-error what it goes on with is of the output's type
    expect(() => readOnly({ pool: 'io', output: z.string(), fallback: 7 })).toThrow('expected string');
    // @ts-expect-error a person does not wait for ever
    expect(() => decision({ output, summary: 'Well?', otherwise: undefined })).toThrow();
    // @ts-expect-error the default is of the output's type
    expect(() => decision({ output: z.boolean(), summary: '?', within: '1h', otherwise: 'yes' })).toThrow(
      'boolean',
    );
    // @ts-expect-error a step with an effect says which kind
    pivot({ pool: 'io', output });
    // @ts-expect-error there is no such pool
    readOnly({ pool: 'gpu', output });
    expect(holder({ pool: 'keeper', output }).holds).toBe(true);
  });

  it('give the saga its steps, typed, and keep holders for `holding`', () => {
    type OrderSaga = Saga<(typeof order)['steps']>;
    type SnapshotSaga = Saga<(typeof snapshot)['steps']>;
    expectTypeOf<OrderSaga['steps']['check']>().toEqualTypeOf<() => Promise<{ count: number }>>();
    expectTypeOf<OrderSaga['steps']['pack']>().toEqualTypeOf<
      (args: { box: number }) => Promise<{ id: string }>
    >();
    expectTypeOf<keyof SnapshotSaga['steps']>().toEqualTypeOf<'part' | 'publish'>();
    expectTypeOf<ArgsOf<(typeof order)['steps']['pack']>>().toEqualTypeOf<{ box: number }>();
    expectTypeOf<OutputOf<(typeof order)['steps']['charge']>>().toEqualTypeOf<{ id: string }>();
  });

  it('leave a person’s step to the person: it is called, and nobody implements it', () => {
    type ErrandSaga = Saga<(typeof errand)['steps']>;
    expectTypeOf<ErrandSaga['steps']['approve']>().toEqualTypeOf<() => Promise<{ yes: boolean }>>();
    expectTypeOf<keyof Implementation<typeof errand>['steps']>().not.toEqualTypeOf<
      keyof ErrandSaga['steps']
    >();
    expectTypeOf<'approve'>().not.toExtend<keyof Implementation<typeof errand>['steps']>();
    expectTypeOf<keyof Implementation<typeof errand>['probes']>().toEqualTypeOf<
      'findBooking' | 'findPayment'
    >();
  });

  it('refuse wrong calls in `run`', () => {
    const misuse = async ({ steps, forEach, holding }: Saga<(typeof snapshot)['steps']>): Promise<void> => {
      // @ts-expect-error the argument is not the step's
      await steps.part({ snapshot: 1, part: 1 });
      // @ts-expect-error a holder runs in `holding` only
      expectTypeOf(steps.keep).toBeFunction();
      // @ts-expect-error there is no such step
      await forEach('parts', 1, () => ({}), { concurrency: 1 });
      // @ts-expect-error an ordinary step holds nothing
      await holding('publish', undefined, { startOver: 1 }, async () => undefined);
    };
    expect(misuse).toBeTypeOf('function');
  });

  it('want every step, undo and probe implemented, with the step’s argument and output', () => {
    type OrderImplementation = Implementation<typeof order>;
    expectTypeOf<keyof OrderImplementation['steps']>().toEqualTypeOf<
      'check' | 'reserve' | 'pack' | 'charge' | 'notify'
    >();
    expectTypeOf<keyof OrderImplementation['undos']>().toEqualTypeOf<'unreserve' | 'unpack'>();
    expectTypeOf<keyof OrderImplementation['probes']>().toEqualTypeOf<'findCharge'>();
    expectTypeOf<Parameters<OrderImplementation['undos']['unpack']>[0]>().toEqualTypeOf<{ box: number }>();
    expectTypeOf<Parameters<OrderImplementation['steps']['pack']>[1]>().toExtend<
      Pick<StepContext<{ count: number }, (typeof order)['steps']['pack']>, 'key' | 'signal' | 'input'>
    >();
    // @ts-expect-error `unpack` is missing
    const undos: OrderImplementation['undos'] = { unreserve: async () => 'undone' as const };
    expect(undos).toBeDefined();
  });
});

describe('defineJob', () => {
  const parts = {
    kind: 'test.kind',
    summary: '',
    queue: 'tests',
    input: z.strictObject({}),
    result: output,
    deadline: '1h',
    example: {},
    run: async () => undefined,
  } as const;

  it('refuses two pivots, naming them', () => {
    const pay = pivot({ pool: 'io', effect: 'keyed', output });
    expect(() => defineJob({ ...parts, steps: { pay, payAgain: pay } })).toThrow(
      'has 2 pivots (pay, payAgain)',
    );
  });

  it('wants a reason for a box over a minute', () => {
    const slow = readOnly({ pool: 'io', output, timeout: '2m' });
    expect(() => defineJob({ ...parts, steps: { slow } })).toThrow('say why in longerBecause');
  });
});
