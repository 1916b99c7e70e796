/**
 * `report.delivery`: a report is made and told of: an export, then an e-mail with its link where one is asked for, then an
 * event for the tenant's webhooks, each a job of its own. Either all of it came about, or the report is not to be had:
 * taken back, what is running is cancelled, and a finished export expires.
 */
import { z } from 'zod';
import { child, children } from '../libs/saga/children.js';
import { defineJob } from '../libs/saga/define.js';
import { Rejected } from '../libs/saga/failure.js';
import { EmailFields } from './email-message.js';
import { emailSend } from './email-send.job.js';
import { reportExport, ReportExportInput } from './report-export.job.js';
import { DeliveryTally } from './webhook-delivery.js';
import { EventType } from './webhook-event.js';
import { webhookFanout } from './webhook-fanout.job.js';

const NAME_LENGTH_MAX = 100;

const { message: _named, ...fields } = EmailFields;
const ReportEmail = z
  .strictObject({
    ...fields,
    link: z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9_]{0,49}$/)
      .default('report')
      .describe('The template’s variable, of format `artifact`, that becomes the link to the file.'),
  })
  .refine(({ to, list }) => (to === undefined) !== (list === undefined), {
    path: ['to'],
    message: 'name either one recipient (to) or a list',
  });
export type ReportEmail = z.output<typeof ReportEmail>;

const Report = z.strictObject({ report: z.uuid(), ...reportExport.result.shape });

export const reportDelivery = defineJob({
  kind: 'report.delivery',
  summary: 'Makes a report, sends its link by e-mail and tells the tenant’s webhooks',
  queue: 'reports',
  input: z.strictObject({
    delivery: z
      .string()
      .min(1)
      .max(NAME_LENGTH_MAX)
      .describe('The delivery’s own name; the same name again is the same delivery.'),
    report: ReportExportInput.describe('As of `report.export`.'),
    email: ReportEmail.optional().describe('As of `email.send`: who is written to, by which template.'),
    event: EventType.default('report.ready').describe('The type of the event that tells of it.'),
  }),
  result: z.strictObject({ ...Report.shape, mailed: z.boolean(), webhooks: DeliveryTally }),
  naturalKey: ({ delivery }) => [delivery],
  // An export's, an e-mail's and an event's own, one after the other, and some time between them.
  deadline: '300h',
  example: { delivery: '2026-11-24/delays', report: reportExport.example, event: 'report.ready' },
  steps: {
    make: child({
      summary: 'Export the report',
      pool: 'io',
      of: reportExport,
      undo: 'expire',
    }),
    mail: children({
      summary: 'Send its link by e-mail, where asked for',
      pool: 'io',
      of: emailSend,
      args: Report,
    }),
    tell: child({
      summary: 'Tell the endpoints that subscribe',
      pool: 'io',
      of: webhookFanout,
      args: Report,
    }),
  },
  async run({ steps }) {
    const made = await steps.make();
    if (made.status !== 'SUCCEEDED') throw new Rejected('report_failed', causeOf('The export', made));
    const report = { report: made.jobId, ...made.result };
    const mails = await steps.mail(report);
    if (mails.succeeded < mails.total)
      throw new Rejected('not_mailed', 'The e-mail (a child of this job) did not succeed.');
    const told = await steps.tell(report);
    if (told.status !== 'SUCCEEDED') throw new Rejected('not_told', causeOf('The event', told));
    return { ...report, mailed: mails.total > 0, webhooks: told.result };
  },
});

function causeOf(what: string, { jobId, error }: { jobId: string; error: { code: string } }): string {
  return `${what} (job ${jobId}) did not succeed: ${error.code}`;
}
