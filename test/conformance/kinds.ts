/**
 * Sagas of every step kind, for the engine's own tests and the conformance suite. Pure: the workflow sandbox imports
 * them too; the fakes are in fakes.ts.
 */
import { z } from 'zod';
import { child, children, retriableChild, retriableChildren } from '../../libs/saga/children.js';
import { Rejected } from '../../libs/saga/failure.js';
import {
  compensable,
  decision,
  defineJob,
  holder,
  pivot,
  readOnly,
  retriable,
  type AnyJobDefinition,
} from '../../libs/saga/define.js';

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

/** One job of its own, then many, which are taken back by an undo of the author's. */
export const convoy = defineJob({
  kind: 'test.convoy',
  summary: 'Jobs that a job starts, for the tests',
  queue: 'orders',
  input: z.strictObject({ count: z.int().nonnegative() }),
  result: z.strictObject({ charge: z.string(), shipped: z.int() }),
  deadline: '1h',
  example: { count: 2 },
  steps: {
    scout: child({ pool: 'io', of: order }),
    ship: children({ pool: 'io', of: order, args: z.strictObject({ boxes: z.int() }), undo: 'recall' }),
    report: retriable({ pool: 'io', effect: 'own', output: z.void() }),
  },
  async run({ steps }) {
    const scout = await steps.scout();
    if (scout.status !== 'SUCCEEDED') throw new Rejected('no_way', `The scout ended ${scout.error.code}`);
    const { succeeded, failed } = await steps.ship({ boxes: 3 });
    if (failed > 0) throw new Rejected('ships_lost', `${failed} of ${failed + succeeded} are lost`);
    await steps.report();
    return { charge: scout.result.charge, shipped: succeeded };
  },
});

/** Jobs of its own past the commit point, of which nothing is taken back. */
export const heralds = defineJob({
  kind: 'test.heralds',
  summary: 'Jobs that a job starts past its commit point, for the tests',
  queue: 'orders',
  input: z.strictObject({ count: z.int().nonnegative() }),
  result: z.strictObject({ heard: z.boolean(), told: z.int(), deaf: z.int() }),
  deadline: '1h',
  example: { count: 2 },
  steps: {
    publish: pivot({ pool: 'io', effect: 'keyed', output: z.void() }),
    send: retriableChildren({ pool: 'io', of: order, args: z.strictObject({ boxes: z.int() }) }),
    confirm: retriableChild({ pool: 'io', of: order }),
  },
  async run({ steps }) {
    await steps.publish();
    const { succeeded, failed } = await steps.send({ boxes: 3 });
    const confirmed = await steps.confirm();
    return { heard: confirmed.status === 'SUCCEEDED', told: succeeded, deaf: failed };
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

/** A block with a holder past the commit point. */
export const archive = defineJob({
  kind: 'test.archive',
  summary: 'A block that holds something past the commit point, for the tests',
  queue: 'orders',
  input: z.strictObject({ count: z.int().nonnegative() }),
  result: z.null(),
  deadline: '1h',
  example: { count: 1 },
  steps: {
    publish: pivot({ pool: 'io', effect: 'keyed', output: z.void() }),
    keep: holder({ pool: 'keeper', output: z.strictObject({ snapshot: z.string() }), timeout: '60s' }),
    copy: retriable({
      pool: 'io',
      effect: 'keyed',
      args: z.strictObject({ snapshot: z.string() }),
      output: z.void(),
    }),
  },
  async run({ steps, holding }) {
    await steps.publish();
    await holding('keep', undefined, { startOver: 1 }, (held) => steps.copy(held));
    return null;
  },
});

/** Nobody works on its pivot's queue. */
export const stall = defineJob({
  kind: 'test.stall',
  summary: 'A job whose pivot no worker takes, for the tests',
  queue: 'stalls',
  input: z.strictObject({ count: z.int().nonnegative() }),
  result: z.null(),
  deadline: '1h',
  example: { count: 1 },
  steps: {
    reserve: compensable({ pool: 'io', effect: 'keyed', output: Id, undo: 'unreserve' }),
    charge: pivot({ pool: 'cpu', effect: 'keyed', output: Id }),
  },
  async run({ steps }) {
    await steps.reserve();
    await steps.charge();
    return null;
  },
});

/** Every kind of effect, a wait for a person, a timer, and steps that can be skipped. */
export const errand = defineJob({
  kind: 'test.errand',
  summary: 'A job of all sorts, for the tests',
  queue: 'orders',
  input: z.strictObject({ count: z.int().nonnegative() }),
  result: z.strictObject({ quote: z.string(), yes: z.boolean(), payment: z.string() }),
  deadline: '30h',
  example: { count: 2 },
  steps: {
    quote: readOnly({
      pool: 'io',
      args: z.strictObject({ of: z.string() }),
      output: Id,
      fallback: { id: 'none' },
    }),
    take: compensable({ pool: 'io', effect: 'own', output: Id, undo: 'untake' }),
    book: compensable({
      pool: 'io',
      effect: 'probed',
      args: z.strictObject({ room: z.int() }),
      output: Id,
      fallback: { id: 'none' },
      probe: 'findBooking',
      undo: 'unbook',
      timeout: '2s',
      heartbeat: '1s',
    }),
    sign: compensable({
      pool: 'io',
      effect: 'blind',
      atMostOnce: true,
      output: z.void(),
      undo: 'unsign',
      timeout: '2s',
      heartbeat: '1s',
    }),
    approve: decision({
      output: z.strictObject({ yes: z.boolean() }),
      summary: 'Is it worth it?',
      within: '2h',
      otherwise: { yes: false },
    }),
    pay: pivot({
      pool: 'io',
      effect: 'probed',
      output: Id,
      probe: 'findPayment',
      timeout: '2s',
      heartbeat: '1s',
    }),
    tell: retriable({ pool: 'io', effect: 'keyed', output: z.void() }),
    file: retriable({ pool: 'io', effect: 'blind', atMostOnce: true, output: Id, fallback: { id: 'none' } }),
  },
  async run({ steps, sleep }) {
    const quote = await steps.quote({ of: 'the errand' });
    await steps.take();
    await sleep('1s');
    await steps.book({ room: 1 });
    await steps.sign();
    const { yes } = await steps.approve();
    const payment = await steps.pay();
    await steps.tell();
    await steps.file();
    return { quote: quote.id, yes, payment: payment.id };
  },
});

/** The same kind under another name, bound so that a few events are a long history: it goes on in new runs. */
function inNewRuns<D extends AnyJobDefinition>(definition: D): D {
  return {
    ...definition,
    kind: `${definition.kind}.long`,
    workflowType: `${definition.workflowType}Long`,
  };
}

/** What a step or two make: how long kinds are bound. */
export const FEW_EVENTS = { historyEventsMax: 8 };

export const longOrder = inNewRuns(order);
export const longSnapshot = inNewRuns(snapshot);
export const longErrand = inNewRuns(errand);
