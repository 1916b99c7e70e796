/** The side effects of `report.delivery`. */
import type { Implementation } from '../../libs/saga/implement.js';
import type { EmailRequest } from '../../workflows/email-message.js';
import type { reportDelivery as definition, ReportEmail } from '../../workflows/report-delivery.job.js';
import type { WebhookResources } from '../resources.js';
import { expireArtifact } from './reports.store.js';

/** The e-mail that a delivery sends: the report's job stands for its link, which is signed when it is sent. */
function emailOf({ link, variables, ...email }: ReportEmail, jobId: string, report: string): EmailRequest {
  return { ...email, message: `report/${jobId}`, variables: { ...variables, [link]: report } };
}

export function reportDelivery({
  webhooks: { publicUrl },
}: Pick<WebhookResources, 'webhooks'>): Implementation<typeof definition> {
  return {
    steps: {
      make: async (_, { input }) => input.report,
      async mail({ report }, { input, job }) {
        if (!input.email) return [];
        return [emailOf(input.email, job.id, report)];
      },
      tell: async (report, { input, job }) => ({
        event: `report/${job.id}`,
        type: input.event,
        data: {
          delivery: input.delivery,
          job: job.id,
          ...report,
          links: { result: `${publicUrl}/jobs/${report.report}/result` },
        },
      }),
    },
    undos: {
      expire: async (_, { tx, ended }) =>
        ended.status === 'SUCCEEDED' ? expireArtifact(tx, ended.jobId) : 'noop',
    },
    probes: {},
  };
}
