/** Every kind's implementation. Adding a kind is one line here; a worker refuses to boot where one is missing. */
import type { AnyJobDefinition } from '../libs/saga/define.js';
import type { Implementation } from '../libs/saga/implement.js';
import { emailSend } from './email/email-send.js';
import { payoutBatch } from './payout/payout-batch.js';
import { payoutItem } from './payout/payout-item.js';
import { reportDelivery } from './report-delivery/report-delivery.js';
import { reportExport } from './report-export/report-export.js';
import type { Resources } from './resources.js';
import { webhookCallback } from './webhook/webhook-callback.js';
import { webhookFanout } from './webhook/webhook-fanout.js';
import { webhookResend } from './webhook/webhook-resend.js';

export { openResources, type Resources } from './resources.js';

/** Kind → its steps, undos and probes, bound to these resources. */
export function createActivities(
  resources: Resources,
): ReadonlyMap<string, Implementation<AnyJobDefinition>> {
  return new Map<string, Implementation<AnyJobDefinition>>([
    ['report.export', reportExport(resources)],
    ['payout.batch', payoutBatch(resources)],
    ['payout.item', payoutItem(resources)],
    ['webhook.fanout', webhookFanout(resources)],
    ['webhook.resend', webhookResend(resources)],
    ['report.delivery', reportDelivery(resources)],
    ['webhook.callback', webhookCallback(resources)],
    ['email.send', emailSend(resources)],
  ]);
}
