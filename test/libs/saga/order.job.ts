/** A saga of every step kind, for the engine's own tests, and fakes that do as they are told. */
import { z } from 'zod';
import { compensable, defineJob, holder, pivot, readOnly, retriable } from '../../../libs/saga/define.js';
import type { Implementation, StepContext, UndoContext } from '../../../libs/saga/implement.js';
import { createVirtualClock, type VirtualClock } from '../../../libs/saga/memory.js';

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

export type OrderContext = StepContext<{ count: number }, (typeof order)['steps']['pack']>;
/** What one call of a step does; `attempt` counts from 1. It returns to let the step do its ordinary work. */
export type Script = (context: {
  attempt: number;
  item: number | undefined;
  signal: AbortSignal;
  generation: number;
}) => Promise<void> | void;

export interface World {
  readonly clock: VirtualClock;
  /** What is live out there, by effect key: the ground truth, kept apart from the ledger. */
  readonly live: Set<string>;
  /** Every effect and every undo that really took place, in order. */
  readonly log: string[];
}

export interface Scripts {
  /** Before the effect. */
  readonly before?: Partial<Record<string, Script>>;
  /** After the effect, before the answer: what is thrown here loses the answer. */
  readonly after?: Partial<Record<string, Script>>;
}

export function createWorld(): World {
  return { clock: createVirtualClock(), live: new Set(), log: [] };
}

type Context = Pick<UndoContext<unknown>, 'attempt' | 'item' | 'signal' | 'key' | 'generation'>;

interface Actor {
  readonly read: (name: string, context: Context) => Promise<void>;
  readonly apply: (name: string, context: Context) => Promise<{ id: string }>;
  readonly reverse: (name: string, context: Context) => Promise<'undone' | 'noop'>;
}

function actor({ live, log }: World, scripts: Scripts): Actor {
  const label = (name: string, { item }: Context) => (item === undefined ? name : `${name} ${item}`);
  return {
    async read(name: string, context: Context) {
      await scripts.before?.[name]?.(context);
    },
    async apply(name: string, context: Context) {
      await scripts.before?.[name]?.(context);
      if (!live.has(context.key)) {
        live.add(context.key);
        log.push(label(name, context));
      }
      await scripts.after?.[name]?.(context);
      return { id: context.key };
    },
    async reverse(name: string, context: Context) {
      await scripts.before?.[name]?.(context);
      const was = live.delete(context.key);
      if (was) log.push(label(name, context));
      await scripts.after?.[name]?.(context);
      return was ? ('undone' as const) : ('noop' as const);
    },
  };
}

export function implementOrder(world: World, scripts: Scripts = {}): Implementation<typeof order> {
  const { read, apply, reverse } = actor(world, scripts);
  return {
    steps: {
      check: async (_, context) => {
        await read('check', context);
        return { count: context.input.count };
      },
      reserve: (_, context) => apply('reserve', context),
      pack: (_, context) => apply('pack', context),
      charge: (_, context) => apply('charge', context),
      notify: async (_, context) => void (await apply('notify', context)),
    },
    undos: {
      unreserve: (_, context) => reverse('unreserve', context),
      unpack: (_, context) => reverse('unpack', context),
    },
    probes: {
      findCharge: async (_, context) => {
        await read('findCharge', context);
        return world.live.has(context.key)
          ? { happened: true, output: { id: context.key } }
          : { happened: false };
      },
    },
  };
}

export function implementSnapshot(world: World, scripts: Scripts = {}): Implementation<typeof snapshot> {
  const { read, apply, reverse } = actor(world, scripts);
  return {
    steps: {
      keep: async (_, context) => {
        await read('keep', context);
        await context.ready({ snapshot: `s${context.generation}` });
        const script = scripts.after?.['keep'];
        if (script) await script(context);
        else await aborted(context.signal);
      },
      part: (_, context) => apply('part', context),
      publish: async (_, context) => void (await apply('publish', context)),
    },
    undos: { unpart: (_, context) => reverse('unpart', context) },
    probes: {},
  };
}

/** Resolves when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve());
  });
}
