/** Reads jobs as one tenant sees them, and records what its readers saw. One round trip each. */
import type { Database } from './database.js';
import { queryWithin } from './timed-query.js';

export type JobStatus = 'PENDING' | 'STARTED' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';
export type JobPhase = 'queued' | 'forward' | 'compensating' | 'parked' | 'done';

/** A row of the ledger as readers need it; without args and outcome. Times are RFC 3339. */
export interface EffectRecord {
  readonly name: string;
  /** −1 for a step that is not a member of a group. */
  readonly item: number;
  readonly generation: number;
  readonly seq: number;
  readonly kind: 'readOnly' | 'compensable' | 'pivot' | 'retriable' | 'decision';
  readonly undo: string | null;
  readonly state: 'claimed' | 'done' | 'undoing' | 'undone' | 'kept';
  readonly attempt: number;
  readonly failed: boolean;
  readonly lastError: object | null;
  readonly nextAttemptAt: string | null;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly updatedAt: string;
  readonly progress: {
    readonly done?: number;
    readonly total?: number;
    readonly unit?: string;
    readonly bytes?: number;
    readonly message?: string;
  } | null;
}

export interface ParkRecord {
  readonly number: number;
  readonly step: string;
  readonly item: number | null;
  readonly undo: boolean;
  readonly doubt: boolean;
  /** RFC 3339, as PostgreSQL writes it. */
  readonly since: string;
}

export interface ArtifactRecord {
  readonly store: string;
  readonly location: string;
  readonly filename: string;
  readonly contentType: string;
  readonly bytes: number;
  readonly rows: number | null;
  readonly sha256: string;
  readonly expiresAt: string;
  readonly expired: boolean;
}

/** The jobs that a job started, of all its steps. */
export interface ChildrenRecord {
  readonly total: number;
  readonly open: number;
  /** Of those open. */
  readonly parked: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  /** The first few. */
  readonly parkedJobs: readonly {
    readonly id: string;
    readonly kind: string;
    readonly key: string | null;
    readonly step: string;
  }[];
}

/** Whose child a job is, and its own; of a job that started none there are none. */
export interface KinRecord {
  readonly parent: string | null;
  readonly children: ChildrenRecord | null;
}

export interface JobRecord {
  readonly id: string;
  readonly tenantId: string;
  readonly kind: string;
  readonly key: string | null;
  readonly status: JobStatus;
  readonly phase: JobPhase;
  readonly revision: number;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly committedAt: Date | null;
  readonly cancelRequestedAt: Date | null;
  readonly endedAt: Date | null;
  readonly deadlineAt: Date;
  readonly compensated: 'none' | 'all' | 'partial' | null;
  readonly skipped: readonly unknown[];
  readonly leftovers: readonly unknown[];
  /** Sealed. */
  readonly result: Buffer | null;
  readonly error: object | null;
  readonly attemptOf: string | null;
  readonly viewHash: Buffer | null;
  /** What readers saw last, as `observeJob` stored it. */
  readonly view: unknown;
  readonly effects: readonly EffectRecord[];
  readonly park: ParkRecord | null;
  readonly artifact: ArtifactRecord | null;
  readonly kin: KinRecord;
  /** It does not begin before. */
  readonly delayUntil: Date | null;
  /** The job that tells of the end, once there is one. */
  readonly callback: string | null;
  /** The schedule it is a run of, and for when. */
  readonly schedule: string | null;
  readonly scheduledAt: Date | null;
}

export interface JobFilter {
  readonly kind?: string | undefined;
  readonly status?: JobStatus | undefined;
  readonly key?: string | undefined;
  readonly parent?: string | undefined;
  readonly schedule?: string | undefined;
  readonly since?: Date | undefined;
  /** The last id of the page before. */
  readonly before?: string | undefined;
  readonly limit: number;
}

/** A read that has no answer by then counts as: the database is away. */
const READ_TIMEOUT_MS = 5_000;

const PARKED_CHILDREN_MAX = 5;

const COLUMNS = `id, tenant_id as "tenantId", kind, natural_key as "key", status, phase, revision::float8 as revision,
  created_at as "createdAt", started_at as "startedAt", committed_at as "committedAt",
  cancel_requested_at as "cancelRequestedAt", ended_at as "endedAt", deadline_at as "deadlineAt", compensated, skipped,
  leftovers, result, error, attempt_of as "attemptOf", view_hash as "viewHash", view, effects, park, artifact,
  delay_until as "delayUntil", callback_id as callback, schedule_id as schedule, scheduled_at as "scheduledAt",
  longhaul.kin_of(id, ${PARKED_CHILDREN_MAX}) as kin`;

/** The jobs of these ids that belong to the tenant, in no order. */
export async function readJobs(
  database: Database,
  tenantId: string,
  ids: readonly string[],
): Promise<JobRecord[]> {
  const { rows } = await queryWithin<JobRecord>(database, READ_TIMEOUT_MS, {
    name: 'read_jobs',
    text: `select ${COLUMNS} from longhaul.read_jobs($1::uuid, $2::uuid[])`,
    values: [tenantId, [...ids]],
  });
  return rows;
}

/** One job of the tenant, if it is there. */
export async function readJob(
  database: Database,
  tenantId: string,
  id: string,
): Promise<JobRecord | undefined> {
  return (await readJobs(database, tenantId, [id]))[0];
}

/** A page of the tenant's jobs, newest first. */
export async function listJobs(
  database: Database,
  tenantId: string,
  filter: JobFilter,
): Promise<JobRecord[]> {
  const { kind, status, key, parent, schedule, since, before, limit } = filter;
  const { rows } = await queryWithin<JobRecord>(database, READ_TIMEOUT_MS, {
    name: 'list_jobs',
    text: `select ${COLUMNS} from longhaul.list_jobs($1::uuid, $2, $3, $4, $5::uuid, $6::uuid, $7::timestamptz, $8::uuid,
      $9::int)`,
    values: [
      tenantId,
      ...[kind, status, key, parent, schedule, since, before].map((value) => value ?? null),
      limit,
    ],
  });
  return rows;
}

/**
 * Records that readers saw a new representation and answers the revision it got; undefined when another reader was
 * quicker (read again).
 */
export async function observeJob(
  database: Database,
  tenantId: string,
  id: string,
  seen: { readonly oldHash: Buffer | null; readonly newHash: Buffer; readonly view: object },
): Promise<number | undefined> {
  const { rows } = await queryWithin<{ revision: number | null }>(database, READ_TIMEOUT_MS, {
    name: 'observe',
    text: 'select longhaul.observe($1::uuid, $2::uuid, $3::bytea, $4::bytea, $5::jsonb)::float8 as revision',
    values: [tenantId, id, seen.oldHash, seen.newHash, JSON.stringify(seen.view)],
  });
  return rows[0]?.revision ?? undefined;
}

/** Whose a key is; undefined for an unknown or revoked one. Asked before any tenant is known. */
export async function authenticate(
  database: Database,
  keyId: string,
): Promise<
  | {
      readonly tenantId: string | null;
      readonly role: 'client' | 'operator' | 'admin';
      readonly secretSha256: Buffer;
    }
  | undefined
> {
  const { rows } = await queryWithin<{
    tenantId: string | null;
    role: 'client' | 'operator' | 'admin';
    secretSha256: Buffer;
  }>(database, READ_TIMEOUT_MS, {
    name: 'authenticate',
    text: `select tenant_id as "tenantId", role, secret_sha256 as "secretSha256" from longhaul.authenticate($1)`,
    values: [keyId],
  });
  return rows[0];
}

/** The tenant's name; undefined where it is gone. */
export async function readTenantName(database: Database, tenantId: string): Promise<string | undefined> {
  const { rows } = await queryWithin<{ name: string | null }>(database, READ_TIMEOUT_MS, {
    name: 'tenant_name',
    text: 'select longhaul.tenant_name($1::uuid) as name',
    values: [tenantId],
  });
  return rows[0]?.name ?? undefined;
}
