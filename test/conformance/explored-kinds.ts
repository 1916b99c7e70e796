/** How each of the engine's own kinds is explored. */
import { z } from 'zod';
import { compensable, defineJob, holder, pivot, retriable } from '../../libs/saga/define.js';
import type { explore as Explore, Exploration, ExploreOptions } from '../../libs/saga/explore.js';
import { tripBook } from '../docs/trip-book.job.js';
import { convoy, errand, heralds, order, snapshot } from './kinds.js';

/** An author who catches what must not be caught, and goes on. */
const stubborn = defineJob({
  kind: 'test.stubborn',
  summary: 'Catches what must not be caught',
  queue: 'orders',
  input: z.strictObject({}),
  result: z.null(),
  deadline: '1h',
  example: {},
  steps: {
    first: compensable({ pool: 'io', effect: 'keyed', output: z.null(), undo: 'undoFirst' }),
    second: compensable({ pool: 'io', effect: 'keyed', output: z.null(), undo: 'undoSecond' }),
    last: pivot({ pool: 'io', effect: 'keyed', output: z.null(), probe: 'findLast' }),
  },
  async run({ steps }) {
    await steps.first().catch(() => 'never mind');
    await steps.second().catch(() => 'never mind');
    await steps.last();
    return null;
  },
});

/** Nobody can be asked, and the pivot is such an effect too; past it something of our own. */
const wager = defineJob({
  kind: 'test.wager',
  summary: 'Acts where nobody can tell afterwards',
  queue: 'orders',
  input: z.strictObject({}),
  result: z.null(),
  deadline: '1h',
  example: {},
  steps: {
    stake: compensable({
      pool: 'io',
      effect: 'blind',
      atMostOnce: true,
      output: z.void(),
      undo: 'unstake',
    }),
    bet: pivot({ pool: 'io', effect: 'blind', atMostOnce: true, output: z.void() }),
    note: retriable({ pool: 'io', effect: 'own', output: z.void() }),
    tell: retriable({ pool: 'io', effect: 'probed', probe: 'wasTold', output: z.void() }),
  },
  async run({ steps }) {
    await steps.stake();
    await steps.bet();
    await steps.note();
    await steps.tell();
    return null;
  },
});

const CHILD = '00000000-0000-7000-8000-000000000003';

/** The pivot is in a block that may lose its holder, which calls it off. */
const embargo = defineJob({
  kind: 'test.embargo',
  summary: 'Commits while something is held',
  queue: 'orders',
  input: z.strictObject({}),
  result: z.null(),
  deadline: '1h',
  example: {},
  steps: {
    hold: holder({ pool: 'keeper', output: z.null(), timeout: '60s' }),
    draft: compensable({ pool: 'io', effect: 'keyed', output: z.null(), undo: 'discard' }),
    publish: pivot({ pool: 'io', effect: 'keyed', output: z.null(), probe: 'findPublished' }),
  },
  async run({ steps, holding }) {
    await holding('hold', undefined, { startOver: 2 }, async () => {
      await steps.draft();
      await steps.publish();
    });
    return null;
  },
});

export type ExploredKind =
  'order' | 'snapshot' | 'trip' | 'stubborn' | 'errand' | 'wager' | 'embargo' | 'convoy' | 'heralds';

type Explored = (explore: typeof Explore, options: ExploreOptions) => Promise<Exploration>;

export const exploreKinds: Readonly<Record<ExploredKind, Explored>> = {
  order: (explore, options) =>
    explore(
      order,
      {
        input: { count: 2 },
        outputs: {
          check: () => ({ count: 2 }),
          reserve: () => ({ id: 'reserved' }),
          pack: ({ box }) => ({ id: `box ${box}` }),
          charge: () => ({ id: 'charged' }),
        },
      },
      options,
    ),
  snapshot: (explore, options) =>
    explore(
      snapshot,
      {
        input: { count: 2 },
        outputs: {
          keep: (_, { generation }) => ({ snapshot: `s${generation}` }),
          part: () => ({ id: 'part' }),
        },
      },
      options,
    ),
  trip: (explore, options) =>
    explore(
      tripBook,
      {
        input: tripBook.example,
        outputs: { reserve: () => null, charge: () => 'ch_1', ticket: () => null },
      },
      options,
    ),
  stubborn: (explore, options) =>
    explore(
      stubborn,
      { input: {}, outputs: { first: () => null, second: () => null, last: () => null } },
      options,
    ),
  errand: (explore, options) =>
    explore(
      errand,
      {
        input: { count: 0 },
        outputs: {
          quote: () => ({ id: 'quote' }),
          take: () => ({ id: 'taken' }),
          book: () => ({ id: 'booked' }),
          approve: () => ({ yes: true }),
          pay: () => ({ id: 'paid' }),
          file: () => ({ id: 'filed' }),
        },
      },
      options,
    ),
  convoy: (explore, options) =>
    explore(
      convoy,
      {
        input: { count: 2 },
        outputs: {
          scout: () => ({
            jobId: CHILD,
            status: 'SUCCEEDED' as const,
            result: { charge: 'ch_1', packed: 1 },
          }),
          ship: () => ({ total: 2, succeeded: 2, failed: 0, cancelled: 0 }),
        },
      },
      options,
    ),
  heralds: (explore, options) =>
    explore(
      heralds,
      {
        input: { count: 2 },
        outputs: {
          send: () => ({ total: 2, succeeded: 2, failed: 0, cancelled: 0 }),
          confirm: () => ({
            jobId: CHILD,
            status: 'SUCCEEDED' as const,
            result: { charge: 'ch_1', packed: 1 },
          }),
        },
      },
      options,
    ),
  embargo: (explore, options) =>
    explore(
      embargo,
      { input: {}, outputs: { hold: () => null, draft: () => null, publish: () => null } },
      options,
    ),
  wager: (explore, options) => explore(wager, { input: {}, outputs: {} }, options),
};
