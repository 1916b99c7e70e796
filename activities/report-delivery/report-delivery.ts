/** The side effects of `report.delivery`. */
import type { Implementation } from '../../libs/saga/implement.js';
import type { reportDelivery as definition } from '../../workflows/report-delivery.job.js';
import type { WebhookResources } from '../resources.js';
import { expireArtifact } from './reports.store.js';

export function reportDelivery({
  webhooks: { publicUrl },
}: Pick<WebhookResources, 'webhooks'>): Implementation<typeof definition> {
  return {
    steps: {
      make: async (_, { input }) => input.report,
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
