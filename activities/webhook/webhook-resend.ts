/** The side effects of `webhook.resend`. */
import { Buffer } from 'node:buffer';
import type { Implementation } from '../../libs/saga/implement.js';
import { inTenant } from '../../libs/store/database.js';
import type { webhookResend as definition } from '../../workflows/webhook-resend.job.js';
import type { WebhookResources } from '../resources.js';
import { readEndToldBy } from './callbacks.store.js';
import { deliverAll } from './delivering.js';
import { collect, giveBack } from './deliveries.store.js';
import { payloadBytes } from './payloads.js';
import { bodyOf } from './webhook-callback.js';

export function webhookResend(resources: WebhookResources): Implementation<typeof definition> {
  const { database, webhooks } = resources;

  /** As it was sent the first time: of an event, or of a callback. */
  async function payloadOf(tenantId: string, id: string): Promise<Uint8Array> {
    const end = await inTenant(database, tenantId, (tx) => readEndToldBy(tx, id));
    if (end) return Buffer.from(bodyOf(end, webhooks.publicUrl));
    return payloadBytes(id, await webhooks.loadEvent({ id, tenantId, kind: 'webhook.fanout' }));
  }

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
          payloads: (jobId) => payloadOf(context.job.tenantId, jobId),
        }),
    },
    undos: { giveBack: (_, { tx, job }) => giveBack(tx, job.id) },
    probes: {},
  };
}
