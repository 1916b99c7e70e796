/** Every schedule of failures of a payout, batch and item, up to a bound. Deeper: EXPLORE_DEPARTURES=3. */
import { expect, test } from 'vitest';
import { explore } from '../../libs/saga/explore.js';
import { payoutBatch } from '../../workflows/payout-batch.job.js';
import { payoutItem } from '../../workflows/payout-item.job.js';

const departuresMax = Number(process.env['EXPLORE_DEPARTURES'] ?? 2);
const TIMEOUT_MS = 600_000;

function tell(kind: string, { schedules, schedulesPerSecond }: Awaited<ReturnType<typeof explore>>): void {
  console.log(
    `explored ${kind}: ${schedules} schedules, up to ${departuresMax} departures each, ${schedulesPerSecond}/s of a processor`,
  );
}

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
    tell(`payout.batch ${name}`, explored);
    expect(explored.schedules).toBeGreaterThan(1_000);
  },
  TIMEOUT_MS,
);

test(
  'an item keeps every rule in every schedule',
  async () => {
    const explored = await explore(
      payoutItem,
      { input: payoutItem.example, outputs: { pay: () => ({ transferId: 'tr_1' }) } },
      { departuresMax },
    );
    tell('payout.item', explored);
    expect(explored.schedules).toBeGreaterThan(1_000);
  },
  TIMEOUT_MS,
);
