/** The scenarios both runtimes must agree on. Add one by its outcome; nothing else need be touched. */
import { Deferred, Denied, HoldLost, Rejected, Transient } from '../../libs/saga/failure.js';
import { aborted, type Script } from './fakes.js';
import type { Scenario } from './scenario.js';

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
/** Works until told to end. */
const hangs: Script = async ({ signal }) => {
  await aborted(signal);
  signal.throwIfAborted();
};

export const scenarios: readonly Scenario[] = [
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
    name: 'latches a cancel in the pivot, which succeeds',
    kind: 'order',
    scripts: (world) => ({ before: { charge: () => world.cancel() } }),
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
    scripts: ({ clock }) => ({
      before: {
        part: async ({ generation, signal }) =>
          void (generation === 0 && (await clock.sleep(60_000, signal))),
      },
      after: {
        keep: async ({ generation, signal }) => {
          if (generation > 0) return aborted(signal);
          await clock.sleep(300, signal);
          throw new Transient('connection_lost', 'Gone', { certainty: 'no' });
        },
      },
    }),
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
    scripts: ({ clock }) => ({
      before: { part: ({ signal }) => clock.sleep(60_000, signal) },
      after: {
        keep: async ({ signal }) => {
          await clock.sleep(200, signal);
          throw new Transient('connection_lost', 'Gone', { certainty: 'no' });
        },
      },
    }),
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
