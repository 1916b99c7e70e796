/** What became of events at endpoints, for their readers (role app, in the tenant's transaction). */
import type { Transaction } from '../saga/implement.js';

export type DeliveryState = 'open' | 'delivered' | 'dead' | 'withdrawn';

/** One attempt. `at` is RFC 3339; what was not answered has a `code`. */
export interface AttemptRecord {
  readonly at: string;
  readonly durationMs: number;
  readonly status?: number;
  readonly code?: string;
  /** Redacted. */
  readonly detail?: string;
}

export interface DeliveryRecord {
  readonly jobId: string;
  readonly endpointId: string;
  readonly carrierId: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly dueAt: Date;
  readonly reason: string | null;
  readonly tries: readonly AttemptRecord[];
  readonly createdAt: Date;
  readonly settledAt: Date | null;
}

export interface DeliveryFilter {
  readonly state: DeliveryState | undefined;
  /** The last id of the page before: an endpoint's of a job's deliveries, a job's of an endpoint's. */
  readonly before: string | undefined;
  readonly limit: number;
}

const COLUMNS = `job_id as "jobId", endpoint_id as "endpointId", carrier_id as "carrierId", state, attempts,
  due_at as "dueAt", reason, longhaul.webhook_tries(d) as tries, created_at as "createdAt", settled_at as "settledAt"`;

/** A page of one event's deliveries, and of what told the job's end. */
export async function listOfJob(
  tx: Transaction,
  jobId: string,
  filter: DeliveryFilter,
): Promise<DeliveryRecord[]> {
  const { rows } = await tx.query<{ callback: string | null }>(
    'select callback_id as callback from longhaul.jobs where id = $1',
    [jobId],
  );
  return list(tx, 'job_id', 'endpoint_id', [jobId, ...(rows[0]?.callback ? [rows[0].callback] : [])], filter);
}

/** A job's callback, and the endpoint it goes to; null where it has none, and before its first attempt. */
export async function callbackOf(
  tx: Transaction,
  jobId: string,
): Promise<{ readonly callback: string | null; readonly endpoint: string | null } | undefined> {
  const { rows } = await tx.query<{ callback: string | null; endpoint: string | null }>(
    `select j.callback_id as callback, d.endpoint_id as endpoint
       from longhaul.jobs j left join longhaul.webhook_deliveries d on d.job_id = j.callback_id where j.id = $1`,
    [jobId],
  );
  return rows[0];
}

/** A page of one endpoint's deliveries, the newest event first. */
export function listOfEndpoint(
  tx: Transaction,
  endpointId: string,
  filter: DeliveryFilter,
): Promise<DeliveryRecord[]> {
  return list(tx, 'endpoint_id', 'job_id', [endpointId], filter);
}

type Id = 'job_id' | 'endpoint_id';

async function list(
  tx: Transaction,
  of: Id,
  by: Id,
  ids: readonly string[],
  { state, before, limit }: DeliveryFilter,
): Promise<DeliveryRecord[]> {
  const { rows } = await tx.query<DeliveryRecord>(
    `select ${COLUMNS} from longhaul.webhook_deliveries d
      where ${of} = any ($1::uuid[]) and ($2::text is null or state = $2) and ($3::uuid is null or ${by} < $3)
      order by ${by} desc limit $4`,
    [ids, state ?? null, before ?? null, limit],
  );
  return rows;
}
