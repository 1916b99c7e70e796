/** The side effects of `payout.batch`. */
import type { z } from 'zod';
import type { Implementation, JobRef } from '../../libs/saga/implement.js';
import {
  isSet,
  type payoutBatch as definition,
  type PayoutBatchInput,
} from '../../workflows/payout-batch.job.js';
import { webhookFanout } from '../../workflows/webhook-fanout.job.js';
import type { PayoutResources } from '../resources.js';
import { openBatch, releaseFunds, settleBatch } from './payout-batches.store.js';
import { batchTotals } from './payout-books.store.js';
import { refuseItem } from './payout-items.store.js';
import { providerOf } from './payout-item.js';

/** What endpoints are told: which batch, and counts; nobody's name. */
function eventOf(
  type: string,
  { id }: JobRef,
  input: z.output<typeof PayoutBatchInput>,
  counts: object,
): object {
  const { batch, currency, items } = input;
  return { event: `payout/${id}`, type, data: { job: id, batch, currency, items: items.length, ...counts } };
}

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
      async tell(tally, { tx, input, job }) {
        await jobs.start(tx, job, webhookFanout, eventOf('payout.settled', job, input, tally));
      },
    },
    undos: {
      async release(_, { tx, input, job }) {
        const outcome = await releaseFunds(tx, job.id);
        const { paid } = await batchTotals(tx, job.id);
        // In the transaction that gives the money back, which is once.
        const counts = { paid: paid.items, paidMinor: paid.amountMinor };
        if (outcome === 'undone') {
          await jobs.start(tx, job, webhookFanout, eventOf('payout.failed', job, input, counts));
        }
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
