/**
 * `webhook.resend`: what one endpoint was given up for, in a range of time, or one event whatever became of it, is sent
 * again under the same `webhook-id`, with all attempts anew.
 */
import { z } from 'zod';
import { compensable, defineJob } from '../libs/saga/define.js';
import { Count } from '../libs/saga/values.js';
import { deliverStep, DeliveryTally } from './webhook-delivery.js';

const Moment = z.iso.datetime({ offset: true });

export const webhookResend = defineJob({
  kind: 'webhook.resend',
  summary: 'Sends to an endpoint again what it was given up for',
  queue: 'webhooks',
  input: z
    .strictObject({
      endpoint: z.uuid(),
      event: z.uuid().optional().describe('One event, by its job, whether it was delivered or not.'),
      since: Moment.optional().describe('Given-up deliveries of events submitted since then …'),
      until: Moment.optional().describe('… and before this time.'),
    })
    .refine(({ event, since }) => (event === undefined) !== (since === undefined), {
      message: 'name either an event or a time since which',
    })
    .refine(({ event, until }) => event === undefined || until === undefined, {
      path: ['until'],
      message: 'is for a range of time',
    }),
  result: DeliveryTally,
  deadline: '168h',
  example: { endpoint: '01890a5d-ac96-774b-bcce-b302099a8057', since: '2026-11-01T00:00:00Z' },
  steps: {
    collect: compensable({
      summary: 'Find what is to be sent again',
      pool: 'io',
      effect: 'own',
      output: z.strictObject({ deliveries: Count }),
      undo: 'giveBack',
    }),
    deliver: deliverStep,
  },
  async run({ steps }) {
    await steps.collect();
    return steps.deliver();
  },
});
