/** The side effects of `payout.batch`. */
import type { Implementation } from '../../libs/saga/implement.js';
import { isSet, type payoutBatch as definition } from '../../workflows/payout-batch.job.js';
import type { PayoutResources } from '../resources.js';
import { openBatch, releaseFunds, settleBatch } from './payout-batches.store.js';
import { batchTotals } from './payout-books.store.js';
import { refuseItem } from './payout-items.store.js';
import { providerOf } from './payout-item.js';
import { tellOfBatch } from './payout-telling.js';

export function payoutBatch(resources: PayoutResources): Implementation<typeof definition> {
  const { payoutApprovalOverMinor, jobs } = resources;
  return {
    steps: {
      async reserve(_, { tx, input, job }) {
        const { account: accountId, currency } = input;
        const amountsMinor = input.items.map(({ amountMinor }) => amountMinor);
        const opened = await openBatch(tx, { jobId: job.id, accountId, currency, amountsMinor });
        return { ...opened, currency, needsApproval: opened.amountMinor > payoutApprovalOverMinor };
      },
      async screen({ item }, { input, signal }) {
        const { recipient } = input.items[item] as (typeof input.items)[number];
        return { allowed: (await providerOf(resources).screen(recipient, signal)) === 'allowed' };
      },
      async pay({ refused }, { tx, input, job }) {
        const { currency } = input;
        const all = input.items.map((one, item) => ({ ...one, item, batchId: job.id, currency }));
        for (const { item } of all) {
          if (isSet(refused, item)) await refuseItem(tx, { batchId: job.id, item }, 'screened');
        }
        return all.filter(({ item }) => !isSet(refused, item));
      },
      async settle(_, { tx, job }) {
        await settleBatch(tx, job.id);
        const { paid, refused, released } = await batchTotals(tx, job.id);
        return {
          paid: paid.items,
          refused: refused.items,
          released: released.items,
          paidMinor: paid.amountMinor,
        };
      },
      tell: (_, { tx, input, job }) => tellOfBatch(tx, jobs, job, 'settled', input),
    },
    undos: {
      async release(_, { tx, input, job }) {
        const outcome = await releaseFunds(tx, job.id);
        // In the transaction that gives the money back, which is once.
        if (outcome === 'undone') await tellOfBatch(tx, jobs, job, 'failed', input);
        const { paid } = await batchTotals(tx, job.id);
        if (paid.items === 0) return outcome;
        const { items, currency } = input;
        return {
          kept: `${paid.items} of ${items.length} paid: ${paid.amountMinor} minor units of ${currency}`,
        };
      },
    },
    probes: {},
  };
}
