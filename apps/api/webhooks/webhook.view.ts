/** Rows of webhooks as the API shows them. */
import type { DeliveryRecord } from '../../../libs/webhooks/delivery-log.store.js';
import type { EndpointRecord } from '../../../libs/webhooks/endpoints.store.js';
import type { Delivery, Endpoint } from './webhook.schema.js';

export function endpointView(record: EndpointRecord, publicUrl: string): Endpoint {
  const self = `${publicUrl}/webhook-endpoints/${record.id}`;
  return {
    id: record.id,
    url: record.url,
    eventTypes: [...record.eventTypes],
    description: record.description,
    ratePerSecond: record.ratePerSecond,
    concurrency: record.concurrency,
    status: record.state,
    disabledReason: record.disabledReason,
    disabledAt: timeOf(record.disabledAt),
    failingSince: timeOf(record.failingSince),
    pausedUntil: timeOf(record.openUntil),
    createdAt: record.createdAt.toISOString(),
    updatedAt: record.updatedAt.toISOString(),
    links: { self, deliveries: `${self}/deliveries` },
  };
}

export function deliveryView(record: DeliveryRecord): Delivery {
  const { jobId, endpointId, state, reason, attempts, tries } = record;
  return {
    jobId,
    endpointId,
    status: state,
    reason,
    attempts,
    nextAttemptAt: state === 'open' ? record.dueAt.toISOString() : null,
    createdAt: record.createdAt.toISOString(),
    finishedAt: timeOf(record.settledAt),
    carriedBy: record.carrierId,
    log: [...tries],
  };
}

function timeOf(date: Date | null): string | null {
  return date?.toISOString() ?? null;
}
