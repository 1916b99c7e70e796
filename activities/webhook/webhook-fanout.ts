/** The side effects of `webhook.fanout`. */
import type { Implementation } from '../../libs/saga/implement.js';
import type { webhookFanout as definition } from '../../workflows/webhook-fanout.job.js';
import type { WebhookResources } from '../resources.js';
import { deliverAll } from './delivering.js';
import { enroll, withdraw } from './deliveries.store.js';
import { payloadBytes } from './payloads.js';

export function webhookFanout(resources: WebhookResources): Implementation<typeof definition> {
  return {
    steps: {
      async enroll(_, { tx, input, job }) {
        const patterns = patternsOf(input.type);
        return { endpoints: await enroll(tx, job.id, { patterns, endpoint: input.endpoint }) };
      },
      deliver(_, context) {
        const payload = Promise.resolve(payloadBytes(context.job.id, context.input));
        return deliverAll(resources, context, () => payload);
      },
    },
    undos: { withdraw: (_, { tx, job }) => withdraw(tx, job.id) },
    probes: {},
  };
}

/** `invoice.paid` → `*`, `invoice.*`, `invoice.paid`: what an endpoint may subscribe to to get it. */
export function patternsOf(type: string): string[] {
  const words = type.split('.');
  const prefixes = words.slice(0, -1).map((_, last) => `${words.slice(0, last + 1).join('.')}.*`);
  return ['*', ...prefixes, type];
}
