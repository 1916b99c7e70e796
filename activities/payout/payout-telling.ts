/** How a batch of payouts ended, for the tenant's webhooks and for whom its input names: jobs that it starts. */
import type { z } from 'zod';
import { factsOfPayout } from '../../libs/emails/payout-facts.js';
import { findTemplate } from '../../libs/emails/templates.store.js';
import type { JobRef, Transaction } from '../../libs/saga/implement.js';
import type { JobStarter } from '../../libs/store/job-starter.js';
import { emailSend } from '../../workflows/email-send.job.js';
import type { PayoutBatchInput } from '../../workflows/payout-batch.job.js';
import { webhookFanout } from '../../workflows/webhook-fanout.job.js';
import { batchTotals } from './payout-books.store.js';

/** Starts them in the step's transaction. What is told are counts; nobody's name. */
export async function tellOfBatch(
  tx: Transaction,
  jobs: JobStarter,
  job: JobRef,
  outcome: 'settled' | 'failed',
  { batch, currency, items, notify }: z.output<typeof PayoutBatchInput>,
): Promise<void> {
  const { paid, refused, released } = await batchTotals(tx, job.id);
  const counts = { paid: paid.items, refused: refused.items, released: released.items };
  const facts = { batch, currency, items: items.length, ...counts, paidMinor: paid.amountMinor };
  const name = `payout/${job.id}`;
  await jobs.start(tx, job, webhookFanout, {
    event: name,
    type: `payout.${outcome}`,
    data: { job: job.id, ...facts },
  });
  if (!notify) return;
  const { variables, templateVersion: kept, ...email } = notify.email;
  // A template that is gone meanwhile is found so by the e-mail's job, which says it.
  const template = await findTemplate(tx, email.template, {
    version: kept,
    evenDeleted: true,
  });
  const templateVersion = template?.version ?? kept;
  const known = template ? factsOfPayout(template.variables, { outcome, ...facts }) : {};
  await jobs.start(tx, job, emailSend, {
    ...{ ...email, templateVersion, message: name },
    variables: { ...known, ...variables },
  });
}
