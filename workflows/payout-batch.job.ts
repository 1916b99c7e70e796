/**
 * `payout.batch`: many recipients are paid out of one account, each by a saga of its own; what is not spent comes back.
 * It has no pivot: it commits when `settle` starts. Taken back before, it stops the items that have not come to paying,
 * and what is paid stays paid. Webhooks, and by e-mail whom its input names, are told of either end, by jobs
 * that it starts and does not wait for.
 */
import { z } from 'zod';
import { children } from '../libs/saga/children.js';
import { compensable, decision, defineJob, readOnly, retriable } from '../libs/saga/define.js';
import { Rejected } from '../libs/saga/failure.js';
import { Count } from '../libs/saga/values.js';
import { EmailFields, Mailbox } from './email-message.js';
import { AmountMinor, Currency, payoutItem, RETRY } from './payout-item.job.js';

const ITEMS_MAX = 1_000;
const SCREENED_AT_ONCE = 8;

const Recipient = z.strictObject({
  recipient: z.string().min(1).max(100).describe('As the payment provider knows it.'),
  amountMinor: AmountMinor,
  reference: z.string().min(1).max(140).describe('What the recipient reads.'),
});

export const PayoutBatchInput = z.strictObject({
  batch: z.string().min(1).max(100).describe('The batch’s own name; the same name again is the same batch.'),
  account: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/),
  currency: Currency,
  items: z.array(Recipient).min(1).max(ITEMS_MAX),
  notify: z
    .strictObject({
      email: z.strictObject({
        template: EmailFields.template,
        templateVersion: EmailFields.templateVersion,
        to: Mailbox,
        variables: EmailFields.variables,
        from: EmailFields.from,
      }),
    })
    .optional()
    .describe(
      'Who is written to when it has ended. `outcome`, `batch`, `currency`, `items`, `paid`, `refused`, `released` and `paidMinor` are filled in where the template has such variables.',
    ),
});

export type PayoutNotice = NonNullable<z.output<typeof PayoutBatchInput>['notify']>;

const Reserved = z.strictObject({
  items: Count,
  amountMinor: Count,
  currency: Currency,
  needsApproval: z.boolean(),
});
const Tally = z.strictObject({ paid: Count, refused: Count, released: Count, paidMinor: Count });
/** One bit an item, the first item's the highest of the first digit: small however many are refused (S14). */
const Bits = z.string().regex(/^[0-9a-f]*$/);

export const payoutBatch = defineJob({
  kind: 'payout.batch',
  summary: 'Pays many recipients out of one account',
  queue: 'payments',
  input: PayoutBatchInput,
  result: Tally,
  naturalKey: ({ batch }) => [batch],
  deadline: '72h',
  example: {
    batch: '2026-11-salaries',
    account: 'main',
    currency: 'EUR',
    items: [
      { recipient: 'acct_ada', amountMinor: 12_50, reference: 'Invoice 7' },
      { recipient: 'acct_grace', amountMinor: 99_00, reference: 'Invoice 8' },
    ],
  },
  steps: {
    reserve: compensable({
      summary: 'Reserve the batch’s money on the account',
      pool: 'io',
      effect: 'own',
      output: Reserved,
      undo: 'release',
    }),
    screen: readOnly({
      summary: 'Ask the provider about one recipient',
      pool: 'io',
      args: z.strictObject({ item: Count }),
      output: z.strictObject({ allowed: z.boolean() }),
      // For an operator's `skip` alone: a provider that does not answer fails the batch, before anybody is paid.
      fallback: { allowed: false },
      retry: RETRY,
    }),
    approve: decision({
      summary: 'Approve the payout: it is above the limit',
      args: z.strictObject({ items: Count, amountMinor: Count, currency: Currency }),
      output: z.strictObject({ approved: z.boolean() }),
      within: '24h',
      otherwise: { approved: false },
    }),
    pay: children({
      summary: 'Pay each recipient by a job of its own',
      pool: 'io',
      of: payoutItem,
      args: z.strictObject({ refused: Bits }),
    }),
    settle: retriable({
      summary: 'Close the batch, and give back what was not paid',
      pool: 'io',
      effect: 'own',
      output: Tally,
    }),
    tell: retriable({
      summary: 'Tell the tenant’s webhooks',
      pool: 'io',
      effect: 'own',
      output: z.void(),
    }),
  },
  async run({ steps, forEach, patched }) {
    const tells = patched('tell-of-settlement');
    const { items, amountMinor, currency, needsApproval } = await steps.reserve();
    const screened = await forEach('screen', items, (item) => ({ item }), { concurrency: SCREENED_AT_ONCE });
    if (needsApproval) {
      const { approved } = await steps.approve({ items, amountMinor, currency });
      if (!approved) throw new Rejected('not_approved', 'Nobody approved the payout.');
    }
    await steps.pay({ refused: bitsOf(screened.map(({ allowed }) => !allowed)) });
    const tally = await steps.settle();
    if (tells) await steps.tell();
    return tally;
  },
});

const BITS_A_DIGIT = 4;

/** Flags as hexadecimal digits, four to a digit. */
export function bitsOf(flags: readonly boolean[]): string {
  let digits = '';
  for (let at = 0; at < flags.length; at += BITS_A_DIGIT) {
    const bits = flags.slice(at, at + BITS_A_DIGIT).map((flag, index) => (flag ? 8 >> index : 0));
    digits += bits.reduce((sum, bit) => sum + bit, 0).toString(16);
  }
  return digits;
}

/** Whether the flag of this number is set. */
export function isSet(bits: string, index: number): boolean {
  const digit = Number.parseInt(bits[Math.floor(index / BITS_A_DIGIT)] ?? '0', 16);
  return (digit & (8 >> (index % BITS_A_DIGIT))) !== 0;
}
