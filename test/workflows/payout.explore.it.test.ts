/** Every schedule of failures of a payout, batch and item, up to a bound. Deeper: EXPLORE_DEPARTURES=3. */
import { expect, test } from 'vitest';
import { explore } from '../../libs/saga/explore.js';
import { payoutBatch } from '../../workflows/payout-batch.job.js';
import { payoutItem } from '../../workflows/payout-item.job.js';
import {
  departuresMax,
  departuresMaxOfSmall,
  EXPLORATION_TIMEOUT_MS,
  tellExplored,
} from '../support/explorations.js';

test.each([
  ['small enough to need nobody', false],
  ['that a person is asked about', true],
])(
  'a batch %s keeps every rule in every schedule',
  async (name, needsApproval) => {
    const reserved = { items: 2, amountMinor: 300, currency: 'EUR', needsApproval };
    const explored = await explore(
      payoutBatch,
      {
        input: payoutBatch.example,
        outputs: {
          reserve: () => reserved,
          screen: ({ item }) => ({ allowed: item === 0 }),
          approve: () => ({ approved: true }),
          pay: () => ({ total: 1, succeeded: 1, failed: 0, cancelled: 0 }),
          settle: () => ({ paid: 1, refused: 1, released: 0, paidMinor: 100 }),
        },
      },
      { departuresMax },
    );
    tellExplored(`payout.batch ${name}`, explored);
    expect(explored.schedules).toBeGreaterThan(1_000);
  },
  EXPLORATION_TIMEOUT_MS,
);

test(
  'an item keeps every rule in every schedule',
  async () => {
    const explored = await explore(
      payoutItem,
      { input: payoutItem.example, outputs: { pay: () => ({ transferId: 'tr_1' }) } },
      { departuresMax: departuresMaxOfSmall },
    );
    tellExplored('payout.item', explored, departuresMaxOfSmall);
    expect(explored.schedules).toBeGreaterThan(10_000);
  },
  EXPLORATION_TIMEOUT_MS,
);
