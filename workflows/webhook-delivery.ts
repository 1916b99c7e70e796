/** The step that `webhook.fanout` and `webhook.resend` share, and what comes of it. */
import { z } from 'zod';
import { retriable } from '../libs/saga/define.js';
import { Count } from '../libs/saga/values.js';

/** Deliveries by what became of them. */
export const DeliveryTally = z.strictObject({ delivered: Count, dead: Count });

/** A database or a worker that is away for a minute is no reason to ask a person. */
export const DELIVERY_RETRY = { attempts: 20 };

/**
 * While deliveries wait for their next attempt it is put off: that costs no attempt, and no worker waits. Receivers know
 * a repeat by its `webhook-id`: to them the effect is keyed.
 */
export const deliverStep = retriable({
  summary: 'Deliver to each endpoint, again and again until it has it or is given up',
  pool: 'io',
  effect: 'keyed',
  output: DeliveryTally,
  heartbeat: '5s',
  retry: DELIVERY_RETRY,
});
