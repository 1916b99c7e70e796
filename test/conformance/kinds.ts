/**
 * Sagas of every step kind, for the engine's own tests and the conformance suite. Pure: the workflow sandbox imports
 * them too; the fakes are in fakes.ts.
 */
import { z } from 'zod';
import { compensable, defineJob, holder, pivot, readOnly, retriable } from '../../libs/saga/define.js';

const Id = z.strictObject({ id: z.string() });

/** check → reserve → pack × count → charge (pivot) → notify. */
export const order = defineJob({
  kind: 'test.order',
  summary: 'An order, for the tests',
  queue: 'orders',
  input: z.strictObject({ count: z.int().nonnegative() }),
  result: z.strictObject({ charge: z.string(), packed: z.int() }),
  deadline: '1h',
  example: { count: 2 },
  steps: {
    check: readOnly({ pool: 'io', output: z.strictObject({ count: z.int() }) }),
    reserve: compensable({ pool: 'io', effect: 'keyed', output: Id, undo: 'unreserve' }),
    pack: compensable({
      pool: 'cpu',
      effect: 'keyed',
      args: z.strictObject({ box: z.int() }),
      output: Id,
      undo: 'unpack',
    }),
    charge: pivot({ pool: 'io', effect: 'keyed', output: Id, probe: 'findCharge' }),
    notify: retriable({ pool: 'io', effect: 'keyed', output: z.void() }),
  },
  async run({ steps, forEach }) {
    const { count } = await steps.check();
    await steps.reserve();
    const packed = await forEach('pack', count, (box) => ({ box }), { concurrency: 3 });
    const charge = await steps.charge();
    await steps.notify();
    return { charge: charge.id, packed: packed.length };
  },
});

/** A block with a holder before the pivot. */
export const snapshot = defineJob({
  kind: 'test.snapshot',
  summary: 'A block that holds something, for the tests',
  queue: 'orders',
  input: z.strictObject({ count: z.int().nonnegative() }),
  result: z.strictObject({ parts: z.int() }),
  deadline: '1h',
  example: { count: 2 },
  steps: {
    keep: holder({ pool: 'keeper', output: z.strictObject({ snapshot: z.string() }), timeout: '60s' }),
    part: compensable({
      pool: 'cpu',
      effect: 'keyed',
      args: z.strictObject({ snapshot: z.string(), part: z.int() }),
      output: Id,
      undo: 'unpart',
    }),
    publish: pivot({ pool: 'io', effect: 'keyed', output: z.void() }),
  },
  async run({ steps, forEach, holding }) {
    const parts = await holding('keep', undefined, { startOver: 2 }, async (held) =>
      forEach('part', 3, (part) => ({ ...held, part }), { concurrency: 2 }),
    );
    await steps.publish();
    return { parts: parts.length };
  },
});
