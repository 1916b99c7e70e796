/**
 * `webhook.fanout`: an event goes to every endpoint that subscribes to its type, signed, and to each at least once. One job
 * an event: deliveries are rows, made and sent many at a time by one step, not workflows. It ends well once each is delivered
 * or given up; it can be taken back until the first is begun.
 */
import { z } from 'zod';
import { compensable, defineJob, pivot } from '../libs/saga/define.js';
import { Count } from '../libs/saga/values.js';
import { DELIVERY_RETRY, deliverStep, DeliveryTally } from './webhook-delivery.js';
import { WebhookEvent } from './webhook-event.js';

export const webhookFanout = defineJob({
  kind: 'webhook.fanout',
  summary: 'Sends an event to all endpoints that subscribe to it',
  queue: 'webhooks',
  input: WebhookEvent,
  result: DeliveryTally,
  naturalKey: ({ event }) => [event],
  // Beyond the last retry, which comes after 76 hours and its jitter, and the pauses of endpoints in trouble.
  deadline: '168h',
  example: { event: 'evt_4711', type: 'invoice.paid', data: { invoice: 'inv_7', amountMinor: 1250 } },
  steps: {
    send: pivot({
      summary: 'Deliver to the endpoints that subscribe',
      pool: 'io',
      // Receivers know a repeat by its `webhook-id`.
      effect: 'keyed',
      probe: 'findSent',
      output: DeliveryTally.extend({ open: Count }),
      heartbeat: '5s',
      // As `deliver`, which goes on with what is still open.
      retry: DELIVERY_RETRY,
    }),
    deliver: deliverStep,
    // Of jobs that began when the list was a step of its own.
    enroll: compensable({
      summary: 'List the endpoints that subscribe',
      pool: 'io',
      effect: 'own',
      output: z.strictObject({ endpoints: Count }),
      undo: 'withdraw',
    }),
  },
  async run({ steps, patched }) {
    if (!patched('send-at-once')) {
      await steps.enroll();
      return steps.deliver();
    }
    const { open, ...settled } = await steps.send();
    return open === 0 ? settled : steps.deliver();
  },
});
