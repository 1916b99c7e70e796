/** The side effects of `webhook.fanout`. */
import type { Implementation } from '../../libs/saga/implement.js';
import type { webhookFanout as definition } from '../../workflows/webhook-fanout.job.js';
import type { WebhookResources } from '../resources.js';
import type { CallContext } from '../../libs/saga/implement.js';
import { inTenant } from '../../libs/store/database.js';
import type { WebhookEvent } from '../../workflows/webhook-event.js';
import { deliverAll, sendFirst, type Carrying } from './delivering.js';
import { enroll, standingOf, withdraw, type Audience } from './deliveries.store.js';
import { payloadBytes } from './payloads.js';

/** Events that tell of endpoints: one that fails for them makes no further event, or events would go round for ever. */
const OPERATIONAL = 'longhaul.';

export function webhookFanout(resources: WebhookResources): Implementation<typeof definition> {
  return {
    steps: {
      async send(_, context) {
        const carrying = carryingOf(context, 'send');
        const { open, delivered, dead } = await sendFirst(
          resources,
          context,
          carrying,
          audienceOf(context.input),
        );
        return { open, delivered, dead };
      },
      deliver: (_, context) => deliverAll(resources, context, carryingOf(context, 'deliver')),
      async enroll(_, { tx, input, job }) {
        return { endpoints: await enroll(tx, job.id, audienceOf(input)) };
      },
    },
    undos: { withdraw: (_, { tx, job }) => withdraw(tx, job.id) },
    probes: {
      /** It is, once there are deliveries: whatever became of them, they are worked on. */
      async findSent(_, { job }) {
        const standing = await inTenant(resources.database, job.tenantId, (tx) =>
          standingOf(tx, { id: job.id, carries: 'its own event' }),
        );
        const { open, delivered, dead } = standing;
        if (open + delivered + dead === 0) return { happened: false };
        return { happened: true, output: { open, delivered, dead } };
      },
    },
  };
}

function carryingOf({ job, input }: CallContext<WebhookEvent>, step: Carrying['step']): Carrying {
  const payload = Promise.resolve(payloadBytes(job.id, input));
  return {
    step,
    carries: 'its own event',
    payloads: () => payload,
    tellsOwners: !input.type.startsWith(OPERATIONAL),
  };
}

function audienceOf({ type, endpoint }: WebhookEvent): Audience {
  return { patterns: patternsOf(type), endpoint };
}

/** `invoice.paid` → `*`, `invoice.*`, `invoice.paid`: what an endpoint may subscribe to to get it. */
export function patternsOf(type: string): string[] {
  const words = type.split('.');
  const prefixes = words.slice(0, -1).map((_, last) => `${words.slice(0, last + 1).join('.')}.*`);
  return ['*', ...prefixes, type];
}
