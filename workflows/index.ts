/** Every kind of job there is. Adding one is one line here; the API, the relay and the workers read this list. */
import type { AnyJobDefinition } from '../libs/saga/define.js';
import { emailSend } from './email-send.job.js';
import { payoutBatch } from './payout-batch.job.js';
import { payoutItem } from './payout-item.job.js';
import { reportDelivery } from './report-delivery.job.js';
import { reportExport } from './report-export.job.js';
import { webhookCallback } from './webhook-callback.job.js';
import { webhookFanout } from './webhook-fanout.job.js';
import { webhookResend } from './webhook-resend.job.js';

export const definitions: readonly AnyJobDefinition[] = [
  reportExport,
  payoutBatch,
  payoutItem,
  webhookFanout,
  webhookResend,
  webhookCallback,
  reportDelivery,
  emailSend,
];
