/** Every schedule of failures, up to a bound, of the engine's own kinds. Deeper: EXPLORE_DEPARTURES=3. */
import { expect, test } from 'vitest';
import { explore } from '../../libs/saga/explore.js';
import { departuresMax, EXPLORATION_TIMEOUT_MS, tellExplored } from '../support/explorations.js';
import { exploreKinds } from './explored-kinds.js';

const kinds = [
  ['an order', 'order', 5_000],
  ['a block with a holder', 'snapshot', 5_000],
  ['an embargo, its pivot in a block with a holder', 'embargo', 1_000],
  ['a trip, its first effect in our own database', 'trip', 1_000],
  ['an errand, with every kind of effect and a person to answer', 'errand', 5_000],
  ['a wager, where nobody can tell what happened', 'wager', 1_000],
  ['a job with jobs of its own', 'convoy', 1_000],
  ['a job with jobs of its own past its commit point', 'heralds', 500],
  ['a saga whose author catches what must not be caught', 'stubborn', 1_000],
] as const;

test.each(kinds)(
  '%s keeps every rule in every schedule',
  async (_, kind, atLeast) => {
    const explored = await exploreKinds[kind](explore, { departuresMax });
    tellExplored(kind, explored);
    expect(explored.schedules).toBeGreaterThan(atLeast);
  },
  EXPLORATION_TIMEOUT_MS,
);

// A departure less: what it is to go on in a new run shows in any schedule.
test.each(kinds)(
  '%s keeps every rule when it goes on in a new run after each step',
  async (_, kind) => {
    const options = { departuresMax: departuresMax - 1, continueAfter: 1 };
    const explored = await exploreKinds[kind](explore, options);
    tellExplored(`${kind} in new runs`, explored, options.departuresMax);
    expect(explored.schedules).toBeGreaterThan(50);
  },
  EXPLORATION_TIMEOUT_MS,
);
