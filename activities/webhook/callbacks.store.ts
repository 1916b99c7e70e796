/** Callbacks as their job works on them (role worker, in the tenant's transaction). */
import type { Transaction } from '../../libs/saga/implement.js';

/** At a time, from each worker, to one URL. */
const CONCURRENCY = 10;

/** How a job ended. */
export interface JobEnd {
  readonly id: string;
  readonly kind: string;
  readonly key: string | null;
  readonly status: 'SUCCEEDED' | 'FAILED' | 'CANCELLED';
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly endedAt: Date;
  readonly error: { readonly code: string; readonly title?: string; readonly step?: string } | null;
}

const END_COLUMNS = `e.id, e.kind, e.natural_key as key, e.status, e.created_at as "createdAt", e.started_at as "startedAt",
  e.ended_at as "endedAt", e.error`;

/** Undefined where there is no such job, or it has not ended. */
export async function readEnd(tx: Transaction, jobId: string): Promise<JobEnd | undefined> {
  const { rows } = await tx.query<JobEnd>(
    `select ${END_COLUMNS} from longhaul.jobs e where e.id = $1 and e.ended_at is not null`,
    [jobId],
  );
  return rows[0];
}

/** The end that a callback tells of; undefined where the job is no callback. */
export async function readEndToldBy(tx: Transaction, callbackId: string): Promise<JobEnd | undefined> {
  const { rows } = await tx.query<JobEnd>(
    `select ${END_COLUMNS} from longhaul.jobs c join longhaul.jobs e on e.id = c.natural_key::uuid
      where c.id = $1 and c.kind = 'webhook.callback'`,
    [callbackId],
  );
  return rows[0];
}

/** The one delivery of a callback, to the tenant's endpoint of that URL for callbacks; `endpointId` is for a new one. */
export async function enrollCallback(
  tx: Transaction,
  { jobId, endpointId, url }: { readonly jobId: string; readonly endpointId: string; readonly url: string },
): Promise<void> {
  await tx.query(
    `insert into longhaul.webhook_endpoints (id, tenant_id, url, event_types, concurrency, secret, is_callback)
       values ($1, longhaul.current_tenant(), $2, '{}', $3, '', true)
       on conflict (tenant_id, url, is_callback) where deleted_at is null do nothing`,
    [endpointId, url, CONCURRENCY],
  );
  await tx.query(
    `insert into longhaul.webhook_deliveries (job_id, endpoint_id, tenant_id, carrier_id)
       select $1, id, tenant_id, $1 from longhaul.webhook_endpoints
        where url = $2 and is_callback and deleted_at is null
       on conflict do nothing`,
    [jobId, url],
  );
}
