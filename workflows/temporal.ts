/**
 * Every kind as a Temporal workflow, under its workflow type. Nothing but the workflow bundle imports this file, and
 * each workflow evaluates its own kind's definition only.
 */
import { bindWorkflow } from '../libs/saga/temporal/workflow.js';

export { scheduledRun } from './scheduled-run.js';

export const reportExport = bindWorkflow(async () => (await import('./report-export.job.js')).reportExport);
export const reportDelivery = bindWorkflow(
  async () => (await import('./report-delivery.job.js')).reportDelivery,
);
export const payoutBatch = bindWorkflow(async () => (await import('./payout-batch.job.js')).payoutBatch);
export const payoutItem = bindWorkflow(async () => (await import('./payout-item.job.js')).payoutItem);
export const webhookFanout = bindWorkflow(
  async () => (await import('./webhook-fanout.job.js')).webhookFanout,
);
export const webhookCallback = bindWorkflow(
  async () => (await import('./webhook-callback.job.js')).webhookCallback,
);
export const webhookResend = bindWorkflow(
  async () => (await import('./webhook-resend.job.js')).webhookResend,
);
export const emailSend = bindWorkflow(async () => (await import('./email-send.job.js')).emailSend);
