/**
 * `report.delivery`: a report is made and told of: an export, then an event for the tenant's webhooks, each a job of its
 * own. Either all of it came about, or the report is not to be had: taken back, an export that is running is cancelled,
 * and a finished one expires.
 */
import { z } from 'zod';
import { child } from '../libs/saga/children.js';
import { defineJob } from '../libs/saga/define.js';
import { Rejected } from '../libs/saga/failure.js';
import { reportExport, ReportExportInput } from './report-export.job.js';
import { DeliveryTally } from './webhook-delivery.js';
import { EventType } from './webhook-event.js';
import { webhookFanout } from './webhook-fanout.job.js';

const NAME_LENGTH_MAX = 100;

const Report = z.strictObject({ report: z.uuid(), ...reportExport.result.shape });

export const reportDelivery = defineJob({
  kind: 'report.delivery',
  summary: 'Makes a report and tells the tenant’s webhooks of it',
  queue: 'reports',
  input: z.strictObject({
    delivery: z
      .string()
      .min(1)
      .max(NAME_LENGTH_MAX)
      .describe('The delivery’s own name; the same name again is the same delivery.'),
    report: ReportExportInput.describe('As of `report.export`.'),
    event: EventType.default('report.ready').describe('The type of the event that tells of it.'),
  }),
  result: z.strictObject({ ...Report.shape, webhooks: DeliveryTally }),
  naturalKey: ({ delivery }) => [delivery],
  // An export's and an event's own, one after the other, and some time between them.
  deadline: '180h',
  example: { delivery: '2026-11-24/delays', report: reportExport.example, event: 'report.ready' },
  steps: {
    make: child({
      summary: 'Export the report',
      pool: 'io',
      of: reportExport,
      undo: 'expire',
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
    const told = await steps.tell(report);
    if (told.status !== 'SUCCEEDED') throw new Rejected('not_told', causeOf('The event', told));
    return { ...report, webhooks: told.result };
  },
});

function causeOf(what: string, { jobId, error }: { jobId: string; error: { code: string } }): string {
  return `${what} (job ${jobId}) did not succeed: ${error.code}`;
}
