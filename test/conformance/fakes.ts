/** Fakes of the outside world that do as a script tells them; they keep the truth apart from the ledger. */
import type { Implementation, ProbeOutcome, UndoContext } from '../../libs/saga/implement.js';
import { createVirtualClock, type VirtualClock } from '../../libs/saga/memory.js';
import type { archive, convoy, errand, heralds, order, snapshot, stall } from './kinds.js';

/** What one call of a step does; `attempt` counts from 1. It returns to let the step do its ordinary work. */
export type Script = (context: {
  attempt: number;
  item: number | undefined;
  signal: AbortSignal;
  generation: number;
}) => Promise<void> | void;

export interface World {
  readonly clock: Pick<VirtualClock, 'sleep'>;
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

/** A world on virtual time. */
export function createWorld(): World & { readonly clock: VirtualClock } {
  return { clock: createVirtualClock(), live: new Set(), log: [] };
}

type Context = Pick<UndoContext<unknown>, 'attempt' | 'item' | 'signal' | 'key' | 'generation'>;

interface Readying {
  readonly ready: (held: { snapshot: string }) => Promise<void>;
}

interface Actor {
  readonly read: (name: string, context: Context) => Promise<void>;
  readonly apply: (name: string, context: Context) => Promise<{ id: string }>;
  readonly reverse: (name: string, context: Context) => Promise<'undone' | 'noop'>;
  readonly hold: (name: string, context: Context & Readying) => Promise<void>;
  readonly find: (name: string, context: Context) => Promise<ProbeOutcome<{ id: string }>>;
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
    async hold(name: string, context: Context & Readying) {
      await scripts.before?.[name]?.(context);
      await context.ready({ snapshot: `s${context.generation}` });
      const script = scripts.after?.[name];
      if (script) await script(context);
      else await aborted(context.signal);
    },
    async find(name: string, context: Context) {
      await scripts.before?.[name]?.(context);
      return live.has(context.key) ? { happened: true, output: { id: context.key } } : { happened: false };
    },
  };
}

export function implementOrder(world: World, scripts: Scripts = {}): Implementation<typeof order> {
  const { read, apply, reverse, find } = actor(world, scripts);
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
      findCharge: (_, context) => find('findCharge', context),
    },
  };
}

export function implementStall(world: World, scripts: Scripts = {}): Implementation<typeof stall> {
  const { apply, reverse } = actor(world, scripts);
  return {
    steps: {
      reserve: (_, context) => apply('reserve', context),
      charge: (_, context) => apply('charge', context),
    },
    undos: { unreserve: (_, context) => reverse('unreserve', context) },
    probes: {},
  };
}

export function implementSnapshot(world: World, scripts: Scripts = {}): Implementation<typeof snapshot> {
  const { apply, reverse, hold } = actor(world, scripts);
  return {
    steps: {
      keep: (_, context) => hold('keep', context),
      part: (_, context) => apply('part', context),
      publish: async (_, context) => void (await apply('publish', context)),
    },
    undos: { unpart: (_, context) => reverse('unpart', context) },
    probes: {},
  };
}

export function implementArchive(world: World, scripts: Scripts = {}): Implementation<typeof archive> {
  const { apply, hold } = actor(world, scripts);
  return {
    steps: {
      publish: async (_, context) => void (await apply('publish', context)),
      keep: (_, context) => hold('keep', context),
      copy: async (_, context) => void (await apply('copy', context)),
    },
    undos: {},
    probes: {},
  };
}

export function implementConvoy(world: World, scripts: Scripts = {}): Implementation<typeof convoy> {
  const { read, apply, reverse } = actor(world, scripts);
  return {
    steps: {
      scout: async (_, context) => {
        await read('scout', context);
        return { count: 1 };
      },
      async ship({ boxes }, context) {
        await apply('ship', context);
        return Array.from({ length: context.input.count }, () => ({ count: boxes }));
      },
      report: async (_, context) => void (await apply('report', context)),
    },
    undos: { recall: (_, context) => reverse('recall', context) },
    probes: {},
  };
}

export function implementHeralds(world: World, scripts: Scripts = {}): Implementation<typeof heralds> {
  const { apply, read } = actor(world, scripts);
  return {
    steps: {
      publish: async (_, context) => void (await apply('publish', context)),
      async send({ boxes }, context) {
        await apply('send', context);
        return Array.from({ length: context.input.count }, () => ({ count: boxes }));
      },
      confirm: async (_, context) => {
        await read('confirm', context);
        return { count: 1 };
      },
    },
    undos: {},
    probes: {},
  };
}

export function implementErrand(world: World, scripts: Scripts = {}): Implementation<typeof errand> {
  const { read, apply, reverse, find } = actor(world, scripts);
  return {
    steps: {
      quote: async ({ of }, context) => {
        await read('quote', context);
        return { id: of };
      },
      take: async (_, context) => {
        await context.tx.lock('the desk');
        return apply('take', context);
      },
      book: (_, context) => apply('book', context),
      sign: async (_, context) => void (await apply('sign', context)),
      pay: (_, context) => apply('pay', context),
      tell: async (_, context) => void (await apply('tell', context)),
      file: (_, context) => apply('file', context),
    },
    undos: {
      untake: (_, context) => reverse('untake', context),
      unbook: (_, context) => reverse('unbook', context),
      unsign: (_, context) => reverse('unsign', context),
    },
    probes: {
      findBooking: (_, context) => find('findBooking', context),
      findPayment: (_, context) => find('findPayment', context),
    },
  };
}

/** Resolves when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve());
  });
}
