/** The scenarios both runtimes must agree on. Add one by its outcome; nothing else need be touched. */
import { Deferred, Denied, HoldLost, Rejected, Transient } from '../../libs/saga/failure.js';
import type { ChildFate } from '../../libs/saga/memory.js';
import { aborted, type Script, type Scripts, type World } from './fakes.js';
import type { Scenario, ScenarioWorld } from './scenario.js';

const HOUR_MS = 3_600_000;

const rejects: Script = () => {
  throw new Rejected('declined', 'A business no');
};
const denied: Script = () => {
  throw new Denied('denied', '401');
};
const failsOnce =
  (certainty: 'no' | 'unknown', times = 1): Script =>
  ({ attempt }) => {
    if (attempt <= times) throw new Transient('down', 'Try later', { certainty });
  };
const failsAlways =
  (certainty: 'no' | 'unknown'): Script =>
  () => {
    throw new Transient('down', 'Try later', { certainty, retryAfterMs: 10 });
  };
/** Cannot be asked the first time. */
const blindAtFirst = (): Script => {
  let looks = 0;
  return (context) => (looks++ === 0 ? rejects(context) : undefined);
};
/** Another attempt is a minute away. */
const failsForLong =
  (certainty: 'no' | 'unknown'): Script =>
  () => {
    throw new Transient('down', 'Try later', { certainty, retryAfterMs: 60_000 });
  };
/** An attempt that is done has told the engine so. */
const REPORTED_WITHIN_MS = 300;

/** Works until told to end. */
const hangs: Script = async ({ signal }) => {
  await aborted(signal);
  signal.throwIfAborted();
};

/** Lets a holder wait until both lanes of its block have begun a part. */
function begunParts(clock: World['clock']) {
  const begun = new Map<number, number>();
  return {
    begin: ({ generation }: { generation: number }) =>
      void begun.set(generation, (begun.get(generation) ?? 0) + 1),
    async two(generation: number, signal: AbortSignal) {
      while ((begun.get(generation) ?? 0) < 2 && !signal.aborted) await clock.sleep(20, signal);
    },
  };
}
/** At the first calls only, whichever attempts of whichever scheduling they are. */
const timesInAll = (times: number, script: Script): Script => {
  let calls = 0;
  return (context) => (calls++ < times ? script(context) : undefined);
};
/**
 * A part is denied and parks, and the holder is lost meanwhile; under each of the first `times` keys. The other lane has done
 * the other parts before: a saga that waits for a person begins none, and whether it has would differ from run to run.
 */
const losesWhileParked = (world: ScenarioWorld, times: number): Scripts => {
  const done = new Map<number, number>();
  return {
    before: {
      part: async (context) => {
        const { item, generation, signal } = context;
        if (item !== 0 || generation >= times) return;
        while ((done.get(generation) ?? 0) < 2 && !signal.aborted) await world.clock.sleep(20, signal);
        await world.clock.sleep(REPORTED_WITHIN_MS, signal);
        await denied(context);
      },
    },
    after: {
      part: ({ generation }) => void done.set(generation, (done.get(generation) ?? 0) + 1),
      keep: async ({ generation, signal }) => {
        if (generation >= times) return aborted(signal);
        await world.parked(generation + 1);
        throw new Transient('connection_lost', 'Gone', { certainty: 'no' });
      },
    },
  };
};
const once =
  (script: Script): Script =>
  (context) =>
    context.attempt === 1 ? script(context) : undefined;
/** Under the first key only. */
const atFirst =
  (script: Script): Script =>
  (context) =>
    context.generation === 0 ? script(context) : undefined;
const YES = { decision: 'resolve', value: { yes: true } } as const;

const straight: readonly Scenario[] = [
  { name: 'runs straight to success', kind: 'order' },
  { name: 'takes an empty group for done', kind: 'order', count: 0 },
  { name: 'runs a group wider than its concurrency', kind: 'order', count: 7 },
  {
    name: 'retries a read-only step',
    kind: 'order',
    scripts: () => ({ before: { check: failsOnce('no', 2) } }),
  },
  {
    name: 'retries a group member that failed before',
    kind: 'order',
    scripts: () => ({ before: { pack: failsOnce('no') } }),
  },
  {
    name: 'replays a member whose answer was lost',
    kind: 'order',
    scripts: () => ({ after: { pack: failsOnce('unknown') } }),
  },
  {
    name: 'fails at the first step with nothing undone',
    kind: 'order',
    scripts: () => ({ before: { check: rejects } }),
  },
  {
    name: 'undoes a step that was rejected itself',
    kind: 'order',
    scripts: () => ({ before: { reserve: rejects } }),
  },
  {
    name: 'undoes all in reverse when the pivot is rejected',
    kind: 'order',
    scripts: () => ({ before: { charge: rejects } }),
  },
  {
    name: 'fails when the attempts are used up, effects included',
    kind: 'order',
    scripts: () => ({ after: { reserve: failsAlways('unknown') } }),
  },
  {
    name: 'awaits a group’s members in flight before it undoes them',
    kind: 'order',
    count: 5,
    scripts: ({ clock }) => ({
      before: {
        pack: async (context) => {
          if (context.item === 0) throw new Rejected('declined', 'A business no');
          await clock.sleep(150);
        },
      },
    }),
  },
  {
    name: 'retries an undo',
    kind: 'order',
    scripts: () => ({ before: { charge: rejects, unreserve: failsOnce('no', 2) } }),
  },
  {
    name: 'parks an undo that is rejected',
    kind: 'order',
    scripts: () => ({ before: { charge: rejects, unpack: rejects } }),
  },
  { name: 'parks a step that is denied', kind: 'order', scripts: () => ({ before: { reserve: denied } }) },
  {
    name: 'parks a step that has a bug',
    kind: 'order',
    scripts: () => ({
      before: {
        check: () => {
          throw new TypeError('undefined is not a function');
        },
      },
    }),
  },
  {
    name: 'parks a rejection past the commit point',
    kind: 'order',
    scripts: () => ({ before: { notify: rejects } }),
  },
  {
    name: 'parks a pivot in doubt that nobody can find',
    kind: 'order',
    scripts: () => ({ after: { charge: failsAlways('unknown') }, before: { findCharge: rejects } }),
  },
  {
    name: 'finds a pivot whose answer was lost',
    kind: 'order',
    scripts: () => ({ after: { charge: failsAlways('unknown') } }),
  },
  {
    name: 'goes back when the pivot in doubt proves not done',
    kind: 'order',
    scripts: () => ({ before: { charge: failsAlways('unknown') } }),
  },
  {
    name: 'defers without spending an attempt',
    kind: 'order',
    scripts: () => {
      let deferrals = 0;
      return {
        before: {
          reserve: () => {
            if (deferrals++ < 3) throw new Deferred(20, 'Not now');
          },
        },
      };
    },
  },
  {
    name: 'is cancelled in a compensable step, which ends and is undone',
    kind: 'order',
    scripts: (world) => ({
      after: {
        reserve: async (context) => {
          await world.cancel();
          await hangs(context);
        },
      },
    }),
  },
  {
    name: 'takes a cancel from the Web UI for the same wish, undo and record shielded from it',
    kind: 'order',
    scripts: (world) => ({
      after: {
        pack: async (context) => {
          if (context.item === 0) await world.cancelNatively();
          await hangs(context);
        },
      },
    }),
  },
  {
    name: 'is cancelled before anything was done',
    kind: 'order',
    scripts: (world) => ({
      before: {
        check: async (context) => {
          await world.cancel();
          await hangs(context);
        },
      },
    }),
  },
  {
    name: 'latches a cancel in the pivot, which has begun, is not told to end, and succeeds',
    kind: 'order',
    scripts: (world) => ({
      before: {
        charge: async ({ signal }) => {
          await world.cancel();
          await world.clock.sleep(1_200, signal);
          signal.throwIfAborted();
        },
      },
    }),
  },
  {
    name: 'is cancelled while its pivot waits for a worker, and never begins',
    kind: 'stall',
    cancelsWaiting: { step: 'charge', attempt: 1 },
  },
  {
    name: 'is cancelled between the attempts of a pivot that did nothing, and is not tried again',
    kind: 'order',
    scripts: () => ({ before: { charge: failsForLong('no') } }),
    cancelsWaiting: { step: 'charge', attempt: 2 },
  },
  {
    name: 'is cancelled between the attempts of a pivot in doubt, and finds it done',
    kind: 'order',
    scripts: () => ({ after: { charge: failsForLong('unknown') } }),
    cancelsWaiting: { step: 'charge', attempt: 2 },
  },
  {
    name: 'latches a cancel in the pivot, and honours it when it is rejected',
    kind: 'order',
    scripts: (world) => ({
      before: {
        charge: async (context) => {
          await world.cancel();
          await rejects(context);
        },
      },
    }),
  },
  {
    name: 'takes a cancel past the commit point for too late',
    kind: 'order',
    scripts: (world) => ({ before: { notify: () => world.cancel() } }),
  },
  {
    name: 'takes a cancel while compensating for nothing new',
    kind: 'order',
    scripts: (world) => ({ before: { charge: rejects, unpack: () => world.cancel() } }),
  },
  {
    name: 'waits for hours as it was asked to',
    kind: 'order',
    server: 'skipping',
    scripts: () => ({
      before: {
        reserve: ({ attempt }) => {
          if (attempt === 1)
            throw new Transient('slow_down', '429', { certainty: 'no', retryAfterMs: HOUR_MS / 2 });
        },
      },
    }),
  },
  {
    name: 'goes back at its deadline',
    kind: 'order',
    server: 'skipping',
    scripts: () => ({
      before: {
        charge: () => {
          throw new Deferred(2 * HOUR_MS, 'The circuit stays open');
        },
      },
    }),
  },
  { name: 'holds a block and releases it', kind: 'snapshot' },
  {
    name: 'starts the block over when its holder is lost',
    kind: 'snapshot',
    scripts: ({ clock }) => {
      const parts = begunParts(clock);
      return {
        before: {
          part: async (context) => {
            parts.begin(context);
            if (context.generation === 0) await clock.sleep(60_000, context.signal);
          },
        },
        after: {
          keep: async ({ generation, signal }) => {
            if (generation > 0) return aborted(signal);
            await parts.two(generation, signal);
            throw new Transient('connection_lost', 'Gone', { certainty: 'no' });
          },
        },
      };
    },
  },
  {
    name: 'starts the block over at a step’s word that it is lost',
    kind: 'snapshot',
    scripts: ({ clock }) => ({
      before: {
        part: async ({ generation, item, signal }) => {
          if (generation > 0) return;
          if (item === 0) throw new HoldLost('Nobody knows the snapshot');
          await clock.sleep(60_000, signal);
        },
      },
    }),
  },
  {
    name: 'gives up a holder that is lost every time',
    kind: 'snapshot',
    scripts: ({ clock }) => {
      const parts = begunParts(clock);
      return {
        before: {
          part: async (context) => {
            parts.begin(context);
            await clock.sleep(60_000, context.signal);
          },
        },
        after: {
          keep: async ({ generation, signal }) => {
            await parts.two(generation, signal);
            throw new Transient('connection_lost', 'Gone', { certainty: 'no' });
          },
        },
      };
    },
  },
  {
    name: 'is cancelled while held',
    kind: 'snapshot',
    scripts: (world) => ({
      before: {
        part: async (context) => {
          if (context.item === 0) await world.cancel();
          await hangs(context);
        },
      },
    }),
  },
];

/** Where a person decides (S8). */
const decided: readonly Scenario[] = [
  { name: 'goes on as a person decides', kind: 'errand', decisions: [YES] },
  {
    name: 'takes the declared default when nobody decides in time',
    kind: 'errand',
    server: 'skipping',
  },
  {
    name: 'goes back when a person decides against it',
    kind: 'errand',
    decisions: [{ decision: 'compensate' }],
  },
  {
    name: 'is cancelled while a person is waited for',
    kind: 'errand',
    scripts: (world) => ({
      after: { sign: () => void world.clock.sleep(1_000).then(() => world.cancel()) },
    }),
  },
  {
    name: 'is cancelled while it sleeps',
    kind: 'errand',
    scripts: (world) => ({
      after: { take: () => void world.clock.sleep(300).then(() => world.cancel()) },
    }),
  },
  {
    name: 'retries a parked step',
    kind: 'errand',
    scripts: () => ({ before: { quote: once(denied) } }),
    decisions: [{ decision: 'retry' }, YES],
  },
  {
    name: 'retries a parked step with corrected arguments, under a key of its own',
    kind: 'errand',
    scripts: () => ({ before: { quote: atFirst(denied) } }),
    decisions: [{ decision: 'retry', value: { of: 'the mended errand' } }, YES],
  },
  {
    name: 'skips a read-only step and goes on with the declared output',
    kind: 'errand',
    scripts: () => ({ before: { quote: denied } }),
    decisions: [{ decision: 'skip' }, YES],
  },
  {
    name: 'skips a compensable step, undone first',
    kind: 'errand',
    scripts: () => ({ after: { book: denied } }),
    decisions: [{ decision: 'skip' }, YES],
  },
  {
    name: 'corrects a compensable step, the old effect undone first',
    kind: 'errand',
    scripts: () => ({ after: { book: atFirst(denied) } }),
    decisions: [{ decision: 'retry', value: { room: 2 } }, YES],
  },
  {
    name: 'takes a step for done that a person did outside',
    kind: 'errand',
    scripts: () => ({ before: { book: denied } }),
    decisions: [{ decision: 'resolve', value: { id: 'by hand' } }, YES],
  },
  {
    name: 'undoes what a person did outside, when it goes back later',
    kind: 'errand',
    scripts: () => ({ before: { sign: denied, pay: rejects } }),
    decisions: [{ decision: 'resolve' }, YES],
  },
  {
    name: 'compensates a parked step when a person decides so',
    kind: 'errand',
    scripts: () => ({ before: { book: denied } }),
    decisions: [{ decision: 'compensate' }],
  },
  {
    name: 'corrects one member of a group',
    kind: 'order',
    scripts: () => ({
      before: { pack: async (context) => void (context.item === 0 && (await atFirst(denied)(context))) },
    }),
    decisions: [{ decision: 'retry', value: { box: 9 } }],
  },
  {
    name: 'parks the members of a group one after the other',
    kind: 'order',
    scripts: () => ({ before: { pack: once(denied) } }),
    decisions: [{ decision: 'retry' }, { decision: 'retry' }],
  },
  {
    name: 'compensates when a person gives a member of a group up',
    kind: 'order',
    scripts: () => ({
      before: { pack: async (context) => void (context.item === 1 && (await denied(context))) },
    }),
    decisions: [{ decision: 'compensate' }],
  },
  {
    name: 'retries a parked undo',
    kind: 'order',
    scripts: () => ({ before: { charge: rejects, unreserve: once(rejects) } }),
    decisions: [{ decision: 'retry' }],
  },
  {
    name: 'leaves over what a person gives up undoing',
    kind: 'order',
    scripts: () => ({ before: { charge: rejects, unreserve: rejects } }),
    decisions: [{ decision: 'skip' }],
  },
  {
    name: 'leaves everything over when every undo is given up',
    kind: 'order',
    count: 1,
    scripts: () => ({ before: { charge: rejects, unpack: rejects, unreserve: rejects } }),
    decisions: [{ decision: 'skip' }, { decision: 'skip' }],
  },
  {
    name: 'takes a pivot in doubt for done on the word of a person',
    kind: 'order',
    scripts: () => ({ after: { charge: failsAlways('unknown') }, before: { findCharge: rejects } }),
    decisions: [{ decision: 'resolve', value: { id: 'found by hand' } }],
  },
  {
    name: 'goes back from a pivot in doubt that a person says is not done',
    kind: 'order',
    scripts: () => ({ before: { charge: failsAlways('unknown'), findCharge: rejects } }),
    decisions: [{ decision: 'compensate' }],
  },
  {
    name: 'looks again for a pivot in doubt',
    kind: 'order',
    scripts: () => ({ after: { charge: failsAlways('unknown') }, before: { findCharge: blindAtFirst() } }),
    decisions: [{ decision: 'retry' }],
  },
  {
    name: 'goes on with a pivot in doubt that proves done, though a person says that it is not',
    kind: 'order',
    scripts: () => ({ after: { charge: failsAlways('unknown') }, before: { findCharge: blindAtFirst() } }),
    decisions: [{ decision: 'compensate' }],
  },
  {
    name: 'parks a pivot in doubt anew that proves not done, though a person says that it is, who may insist',
    kind: 'order',
    scripts: () => ({ before: { charge: failsAlways('unknown'), findCharge: blindAtFirst() } }),
    decisions: [
      { decision: 'resolve', value: { id: 'paid elsewhere' } },
      { decision: 'resolve', value: { id: 'paid elsewhere' } },
    ],
  },
  {
    name: 'retries a pivot that was denied',
    kind: 'errand',
    scripts: () => ({ before: { pay: once(denied) } }),
    decisions: [YES, { decision: 'retry' }],
  },
  {
    name: 'compensates a pivot that was denied',
    kind: 'errand',
    scripts: () => ({ before: { pay: denied } }),
    decisions: [YES, { decision: 'compensate' }],
  },
  {
    name: 'skips a step past the commit point, and says so',
    kind: 'order',
    scripts: () => ({ before: { notify: rejects } }),
    decisions: [{ decision: 'skip' }],
  },
  {
    name: 'takes a step past the commit point for done outside',
    kind: 'errand',
    scripts: () => ({ before: { file: denied } }),
    decisions: [YES, { decision: 'resolve', value: { id: 'filed by hand' } }],
  },
  {
    name: 'retries a step past the commit point that was rejected',
    kind: 'order',
    scripts: () => ({ before: { notify: once(rejects) } }),
    decisions: [{ decision: 'retry' }],
  },
  {
    name: 'retries a holder that was denied',
    kind: 'snapshot',
    scripts: () => ({ before: { keep: once(denied) } }),
    decisions: [{ decision: 'retry' }],
  },
  {
    name: 'stays parked when what its block holds is lost, however often, and starts over as a person decides',
    kind: 'snapshot',
    scripts: (world) => losesWhileParked(world, 3),
    decisions: [
      { decision: 'resolve', value: { id: 'by hand' }, onceHeldLost: true, refused: 'is lost meanwhile' },
      { decision: 'retry', value: { snapshot: 's0', part: 9 }, refused: 'is lost meanwhile' },
      { decision: 'retry' },
      { decision: 'retry', onceHeldLost: true },
      { decision: 'retry', onceHeldLost: true },
    ],
  },
  {
    name: 'goes back from a park whose block lost what it holds, when a person decides so',
    kind: 'snapshot',
    scripts: (world) => losesWhileParked(world, 1),
    decisions: [{ decision: 'compensate', onceHeldLost: true }],
  },
  {
    name: 'parks past the commit point at a holder that is rejected, and goes on as a person decides',
    kind: 'archive',
    scripts: () => ({ before: { keep: timesInAll(1, rejects) } }),
    decisions: [{ decision: 'compensate', refused: 'not possible' }, { decision: 'retry' }],
  },
  {
    name: 'parks past the commit point at a holder whose attempts are used up',
    kind: 'archive',
    scripts: () => ({ before: { keep: timesInAll(6, failsAlways('no')) } }),
    decisions: [{ decision: 'retry' }],
  },
  {
    name: 'goes back when a person gives a holder up',
    kind: 'snapshot',
    scripts: () => ({ before: { keep: denied } }),
    decisions: [{ decision: 'compensate' }],
  },
];

/** Effects at providers that keep no keys. */
const keyless: readonly Scenario[] = [
  {
    name: 'asks before it acts again, and finds what it did',
    kind: 'errand',
    scripts: () => ({ after: { book: failsOnce('unknown') } }),
    decisions: [YES],
  },
  {
    name: 'asks before it acts again, and acts on what proves not done',
    kind: 'errand',
    scripts: () => ({ before: { book: failsOnce('unknown', 2) } }),
    decisions: [YES],
  },
  {
    name: 'undoes nothing of a probed effect that never happened',
    kind: 'errand',
    scripts: () => ({ before: { book: failsAlways('unknown') } }),
  },
  {
    name: 'undoes a probed effect whose answers were lost',
    kind: 'errand',
    scripts: () => ({
      after: { book: failsAlways('unknown') },
      before: { findBooking: (context) => (context.attempt === 2 ? rejects(context) : undefined) },
    }),
  },
  {
    name: 'finds a probed pivot whose answer was lost',
    kind: 'errand',
    scripts: () => ({ after: { pay: failsAlways('unknown') } }),
    decisions: [YES],
  },
  {
    name: 'tries a blind effect again that certainly did nothing',
    kind: 'errand',
    scripts: () => ({ before: { sign: failsOnce('no', 2) } }),
    decisions: [YES],
  },
  {
    name: 'parks a blind effect in doubt, its lock kept',
    kind: 'errand',
    scripts: () => ({ after: { sign: failsOnce('unknown') } }),
  },
  {
    name: 'has a blind effect done anew that a person says was not done',
    kind: 'errand',
    scripts: () => ({ before: { sign: atFirst(failsAlways('unknown')) } }),
    decisions: [{ decision: 'retry' }, YES],
  },
  {
    name: 'takes a blind effect for done on the word of a person',
    kind: 'errand',
    scripts: () => ({ after: { sign: failsOnce('unknown') } }),
    decisions: [{ decision: 'resolve' }, YES],
  },
  {
    name: 'undoes a blind effect in doubt on the word of a person',
    kind: 'errand',
    scripts: () => ({ after: { sign: failsOnce('unknown') } }),
    decisions: [{ decision: 'compensate' }, { decision: 'retry' }],
  },
  {
    name: 'leaves over a blind effect in doubt that a person gives up',
    kind: 'errand',
    scripts: () => ({ after: { sign: failsOnce('unknown') } }),
    decisions: [{ decision: 'compensate' }, { decision: 'skip' }],
  },
  {
    name: 'skips a blind step in doubt past the commit point',
    kind: 'errand',
    scripts: () => ({ after: { file: failsOnce('unknown') } }),
    decisions: [YES, { decision: 'skip' }],
  },
];

/** The scout has a count of 1, ships of 3. */
const fates =
  (ship: (index: number) => ChildFate): NonNullable<Scenario['childFate']> =>
  (input, index) =>
    (input as { count: number }).count === 1
      ? { afterMs: 100, end: { status: 'SUCCEEDED', result: { charge: 'ch_1', packed: 1 } } }
      : ship(index);

const parental: readonly Scenario[] = [
  {
    name: 'goes on when its children have ended',
    kind: 'convoy',
    childFate: fates((index) => ({ afterMs: 100 * (index + 1) })),
  },
  {
    name: 'takes back what its finished children did when one of them failed',
    kind: 'convoy',
    childFate: fates((index) => (index === 0 ? { end: { status: 'FAILED', code: 'lost' } } : {})),
  },
  {
    name: 'cancelled, ends when its children have',
    kind: 'convoy',
    childFate: fates(() => ({ afterMs: HOUR_MS })),
    scripts: (world) => ({ after: { ship: () => world.cancel() } }),
  },
  {
    name: 'goes on past the commit point when its children have ended, whatever became of them, a cancel too late',
    kind: 'heralds',
    childFate: fates((index) => (index === 0 ? { end: { status: 'FAILED', code: 'lost' } } : {})),
    scripts: (world) => ({ after: { send: () => world.cancel() } }),
  },
  {
    name: 'parks past the commit point where its children are not to be had, and starts them as a person decides',
    kind: 'heralds',
    childFate: fates(() => ({ afterMs: 100 })),
    scripts: () => ({ before: { send: timesInAll(1, rejects) } }),
    decisions: [
      { decision: 'skip', refused: 'not possible' },
      { decision: 'compensate', refused: 'not possible' },
      { decision: 'retry' },
    ],
  },
];

export const scenarios: readonly Scenario[] = [...straight, ...decided, ...keyless, ...parental];

/** Far enough for the steps before, on a busy machine. */
const SOON = { server: 'dev', deadlineMs: 12_000 } as const;
const LONG = { order: 'longOrder', snapshot: 'longSnapshot', errand: 'longErrand' } as const;

/** Those in which a saga that goes on in new runs has most to hand over, with the scenario whose story they tell. */
export const longScenarios: readonly {
  readonly name: string;
  readonly long: Scenario;
  readonly plain: Scenario;
}[] = [
  'runs a group wider than its concurrency',
  'undoes all in reverse when the pivot is rejected',
  'finds a pivot whose answer was lost',
  'defers without spending an attempt',
  'latches a cancel in the pivot, and honours it when it is rejected',
  'takes a cancel while compensating for nothing new',
  'goes back at its deadline',
  'starts the block over when its holder is lost',
  'goes on as a person decides',
  'is cancelled while it sleeps',
  'corrects one member of a group',
  'parks the members of a group one after the other',
  'leaves over what a person gives up undoing',
].map((name) => {
  const plain = scenarios.find((scenario) => scenario.name === name)!;
  const kind = LONG[plain.kind as keyof typeof LONG];
  // On the server that skips time whatever comes after a job in several runs may hang: a real one, and a deadline soon.
  return { name, plain, long: { ...plain, kind, ...(plain.server ? SOON : {}) } };
});
