/**
 * `payout.item`: one recipient of a batch is paid, or it is not; a saga of its own, with a pivot of its own. Refused, its
 * money is released. In doubt, its key is closed at the provider, which says whether it was paid; only if it cannot, a
 * person is asked. What happens to each kind of step that fails is in the docstring of its function.
 */
import { z } from 'zod';
import { compensable, defineJob, pivot, retriable } from '../libs/saga/define.js';
import { Count } from '../libs/saga/values.js';

/** A thousand of them still add up exactly in a JavaScript number. */
const AMOUNT_MINOR_MAX = 1_000_000_000_000;
/** A provider that is away for half a minute is no reason to fail. */
export const RETRY = { attempts: 12 } as const;

export const AmountMinor = z
  .int()
  .positive()
  .max(AMOUNT_MINOR_MAX)
  .describe('In minor units of the currency, e.g. cents.');
export const Currency = z.string().regex(/^[A-Z]{3}$/);

export const PayoutItemInput = z.strictObject({
  batchId: z.uuid(),
  item: Count,
  recipient: z.string().min(1).max(100),
  amountMinor: AmountMinor,
  currency: Currency,
  reference: z.string().min(1).max(140),
});

const Payment = z.strictObject({ transferId: z.string() });

export const payoutItem = defineJob({
  kind: 'payout.item',
  summary: 'Pays one recipient of a batch',
  queue: 'payments',
  internal: true,
  input: PayoutItemInput,
  result: Payment,
  naturalKey: ({ item }) => [item],
  deadline: '48h',
  example: {
    batchId: '01890a5d-ac96-774b-bcce-b302099a8057',
    item: 0,
    recipient: 'acct_ada',
    amountMinor: 12_50,
    currency: 'EUR',
    reference: 'Invoice 7',
  },
  steps: {
    reserve: compensable({
      summary: 'Take the item’s money in hand',
      pool: 'io',
      effect: 'own',
      output: z.void(),
      undo: 'release',
    }),
    pay: pivot({
      summary: 'Pay through the provider',
      pool: 'io',
      effect: 'keyed',
      output: Payment,
      probe: 'closePayment',
      retry: RETRY,
    }),
    settle: retriable({
      summary: 'Write the payment into our books',
      pool: 'io',
      effect: 'own',
      args: Payment,
      output: z.void(),
    }),
  },
  async run({ steps }) {
    await steps.reserve();
    const payment = await steps.pay();
    await steps.settle(payment);
    return payment;
  },
});
