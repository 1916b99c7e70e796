/** The side effects of `webhook.resend`. */
import type { Implementation } from '../../libs/saga/implement.js';
import type { webhookResend as definition } from '../../workflows/webhook-resend.job.js';
import type { WebhookResources } from '../resources.js';
import { deliverAll } from './delivering.js';
import { collect, giveBack } from './deliveries.store.js';
import { payloadBytes } from './payloads.js';

export function webhookResend(resources: WebhookResources): Implementation<typeof definition> {
  const { webhooks } = resources;
  return {
    steps: {
      async collect(_, { tx, input, job }) {
        return { deliveries: await collect(tx, job.id, input) };
      },
      deliver: (_, context) =>
        deliverAll(resources, context, {
          step: 'deliver',
          carries: 'other events',
          tellsOwners: true,
          async payloads(jobId) {
            const { tenantId } = context.job;
            return payloadBytes(
              jobId,
              await webhooks.loadEvent({ id: jobId, tenantId, kind: 'webhook.fanout' }),
            );
          },
        }),
    },
    undos: { giveBack: (_, { tx, job }) => giveBack(tx, job.id) },
    probes: {},
  };
}
