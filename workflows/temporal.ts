/** Every kind as a Temporal workflow, under its workflow type. Nothing but the workflow bundle imports this file. */
import { bindWorkflow } from '../libs/saga/temporal/workflow.js';
import { payoutBatch as payoutBatchDefinition } from './payout-batch.job.js';
import { payoutItem as payoutItemDefinition } from './payout-item.job.js';
import { reportExport as reportExportDefinition } from './report-export.job.js';
import { webhookFanout as webhookFanoutDefinition } from './webhook-fanout.job.js';
import { webhookResend as webhookResendDefinition } from './webhook-resend.job.js';

export const reportExport = bindWorkflow(reportExportDefinition);
export const payoutBatch = bindWorkflow(payoutBatchDefinition);
export const payoutItem = bindWorkflow(payoutItemDefinition);
export const webhookFanout = bindWorkflow(webhookFanoutDefinition);
export const webhookResend = bindWorkflow(webhookResendDefinition);
