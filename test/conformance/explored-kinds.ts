/** How each of the engine's own kinds is explored. */
import { z } from 'zod';
import { compensable, defineJob, pivot } from '../../libs/saga/define.js';
import type { explore as Explore, Exploration, ExploreOptions } from '../../libs/saga/explore.js';
import { tripBook } from '../docs/trip-book.job.js';
import { order, snapshot } from './kinds.js';

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

type Explored = (explore: typeof Explore, options: ExploreOptions) => Promise<Exploration>;

export const exploreKinds: Readonly<Record<'order' | 'snapshot' | 'trip' | 'stubborn', Explored>> = {
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
};
