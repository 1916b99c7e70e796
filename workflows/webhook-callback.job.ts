/**
 * `webhook.callback`: tells a URL of one job's end, as webhooks are told of events. It comes to be in the transaction that
 * records that end (0018_callbacks.sql), so no end goes untold.
 */
import { z } from 'zod';
import { compensable, defineJob } from '../libs/saga/define.js';
import { deliverStep, DeliveryTally } from './webhook-delivery.js';

export const webhookCallback = defineJob({
  kind: 'webhook.callback',
  summary: 'Tells a URL how a job ended',
  queue: 'webhooks',
  internal: true,
  input: z.strictObject({ job: z.uuid().describe('Whose end.'), url: z.url() }),
  result: DeliveryTally,
  naturalKey: ({ job }) => [job],
  // As of webhook.fanout: beyond the last retry.
  deadline: '168h',
  example: { job: '01890a5d-ac96-774b-bcce-b302099a8057', url: 'https://example.com/jobs-done' },
  steps: {
    enroll: compensable({
      summary: 'Note where it goes',
      pool: 'io',
      effect: 'own',
      output: z.void(),
      undo: 'withdraw',
    }),
    deliver: deliverStep,
  },
  async run({ steps }) {
    await steps.enroll();
    return steps.deliver();
  },
});
