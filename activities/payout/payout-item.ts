/** The side effects of `payout.item`. */
import { Denied } from '../../libs/saga/failure.js';
import type { Implementation } from '../../libs/saga/implement.js';
import type { payoutItem as definition } from '../../workflows/payout-item.job.js';
import type { PayoutResources } from '../resources.js';
import { releaseItem, reserveItem, settleItem } from './payout-items.store.js';
import type { PaymentProvider } from './provider.client.js';

export function payoutItem(resources: PayoutResources): Implementation<typeof definition> {
  return {
    steps: {
      reserve: (_, { tx, input, job }) =>
        reserveItem(tx, input, { jobId: job.id, amountMinor: input.amountMinor }),
      async pay(_, { input, key, signal }) {
        const { amountMinor, currency, recipient, reference } = input;
        const order = { key, amountMinor, currency, recipient, reference };
        const { id } = await providerOf(resources).transfer(order, signal);
        return { transferId: id };
      },
      settle: ({ transferId }, { tx, input, job }) => settleItem(tx, input, { jobId: job.id, transferId }),
    },
    undos: { release: (_, { tx, input, job }) => releaseItem(tx, input, job.id) },
    probes: {
      // A look and a fence in one: what was not paid under this key never will be.
      async closePayment(_, { key, signal }) {
        const transfer = await providerOf(resources).closeKey(key, signal);
        return transfer ? { happened: true, output: { transferId: transfer.id } } : { happened: false };
      },
    },
  };
}

/** The provider; payouts without one are nobody's business answer. */
export function providerOf({ payments }: PayoutResources): PaymentProvider {
  if (payments) return payments;
  throw new Denied(
    'provider_not_configured',
    'No payment provider is configured: set PAYMENT_PROVIDER_URL and PAYMENT_PROVIDER_KEY, then retry.',
  );
}
