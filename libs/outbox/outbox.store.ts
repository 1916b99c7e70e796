/**
 * The outbox in SQL. Rows are claimed under their locks, in batches, past those another relay holds; never by
 * "id greater than the last one", because sequences are not commit-ordered.
 */
import type { Connection, Database } from '../store/database.js';

/** A row to send, with what its job says. */
export interface OutboxRow {
  readonly id: string;
  /** `ended`: the job's end, for the schedule's run that waits for it. */
  readonly message: 'start' | 'cancel' | 'wake' | 'ended';
  readonly attempts: number;
  readonly jobId: string;
  readonly tenantId: string;
  readonly kind: string;
  readonly deadlineAt: Date;
  readonly ended: boolean;
  readonly cancelReason: string | null;
  /** For a cancel: the job's start was not sent either. */
  readonly startUnsent: boolean;
  /** The workflow of the schedule's run that it is. */
  readonly scheduleRun: string | null;
}

/** A row that could not be sent now. */
export interface Postponed {
  readonly id: string;
  readonly delayMs: number;
  readonly error: string;
}

/** What waits in the outbox. */
export interface OutboxMeasure {
  readonly unsent: number;
  /** Unsent rows with a failed attempt. */
  readonly failing: number;
  /** Age of the oldest unsent row; undefined where there is none. */
  readonly oldestAgeMs: number | undefined;
}

/** Who waits for a person. */
export interface ParkMeasure {
  readonly open: number;
  /** Age of the oldest open park; undefined where there is none. */
  readonly oldestAgeMs: number | undefined;
}

export const LAST_ERROR_LENGTH_MAX = 500;

/**
 * Locks up to `limit` due rows until the transaction ends, oldest due first; rows locked by others are passed over.
 * Decisions are claimed apart (decisions.store.ts).
 */
export async function claimDue(connection: Connection, limit: number): Promise<OutboxRow[]> {
  const { rows } = await connection.query<OutboxRow>(
    `select o.id, o.message, o.attempts, o.job_id as "jobId", o.tenant_id as "tenantId", j.kind,
            j.deadline_at as "deadlineAt", j.ended_at is not null as ended, j.cancel_reason as "cancelReason",
            j.schedule_run as "scheduleRun",
            o.message = 'cancel' and exists (select 1 from longhaul.outbox s
              where s.job_id = o.job_id and s.message = 'start' and s.dispatched_at is null) as "startUnsent"
     from longhaul.outbox o join longhaul.jobs j on j.id = o.job_id
     where o.dispatched_at is null and o.due_at <= now() and o.message <> 'decide'
     order by o.due_at, o.id limit $1
     for update of o skip locked`,
    [limit],
  );
  return rows;
}

/**
 * Marks rows as sent, and their jobs as dispatched. A job whose row another transaction holds this moment is passed
 * over, because waiting for several of them could deadlock with an acceptance; the reconciler fills it in.
 */
export async function markSent(connection: Connection, rows: readonly OutboxRow[]): Promise<void> {
  if (rows.length === 0) return;
  await markRowsDone(
    connection,
    rows.map((row) => row.id),
  );
  const started = rows.filter((row) => row.message === 'start' && !row.ended).map((row) => row.jobId);
  if (started.length === 0) return;
  await connection.query(
    `update longhaul.jobs set dispatched_at = clock_timestamp() where id in
       (select id from longhaul.jobs where id = any($1) and dispatched_at is null order by id for update skip locked)`,
    [started],
  );
}

/** Marks rows of any message as done with. */
export async function markRowsDone(connection: Connection, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await connection.query(
    `update longhaul.outbox set dispatched_at = clock_timestamp(), last_error = null where id = any($1)`,
    [ids],
  );
}

/** Puts rows off, each by its own delay, with what went wrong. */
export async function postpone(connection: Connection, rows: readonly Postponed[]): Promise<void> {
  if (rows.length === 0) return;
  await connection.query(
    `update longhaul.outbox o set attempts = o.attempts + 1, last_error = p.error,
            due_at = clock_timestamp() + p.delay_ms * interval '1 millisecond'
     from unnest($1::bigint[], $2::float8[], $3::text[]) p (id, delay_ms, error) where o.id = p.id`,
    [
      rows.map((row) => row.id),
      rows.map((row) => row.delayMs),
      rows.map((row) => row.error.slice(0, LAST_ERROR_LENGTH_MAX)),
    ],
  );
}

/**
 * Ends a job whose cancel overtook its start, under the start row's lock, as `longhaul.request_cancel` does.
 * False when the start is being sent this moment, or was: then the cancel must follow it to the engine.
 */
export async function cancelUnsent(connection: Connection, jobId: string): Promise<boolean> {
  const { rowCount } = await connection.query(
    `select 1 from longhaul.outbox
     where job_id = $1 and message = 'start' and dispatched_at is null for update skip locked`,
    [jobId],
  );
  if (rowCount === 0) return false;
  await connection.query(
    `update longhaul.jobs set status = 'CANCELLED', phase = 'done', ended_at = clock_timestamp(), compensated = 'none',
            revision = revision + 1,
            error = jsonb_build_object('code', 'cancelled', 'title', 'Cancelled on request',
              'detail', coalesce(cancel_reason, 'Cancelled before it was started.'), 'failureClass', 'cancelled')
     where id = $1 and ended_at is null`,
    [jobId],
  );
  await connection.query(
    `update longhaul.outbox set dispatched_at = clock_timestamp(), last_error = null
     where job_id = $1 and dispatched_at is null`,
    [jobId],
  );
  return true;
}

/** How much waits that should have been sent, and for how long. A delayed start counts from when it is due. */
export async function measureOutbox(database: Database): Promise<OutboxMeasure> {
  const { rows } = await database.query<{ unsent: string; failing: string; age: number | null }>(
    `select count(*) as unsent, count(*) filter (where attempts > 0) as failing,
            (extract(epoch from clock_timestamp() - min(created_at)) * 1000)::float8 as age
     from longhaul.outbox where dispatched_at is null and created_at <= clock_timestamp()`,
  );
  const [row] = rows;
  return {
    unsent: Number(row?.unsent ?? 0),
    failing: Number(row?.failing ?? 0),
    oldestAgeMs: row?.age ?? undefined,
  };
}

/** How many jobs wait for a person, and for how long. */
export async function measureParks(database: Database): Promise<ParkMeasure> {
  const { rows } = await database.query<{ open: string; age: number | null }>(
    `select count(*) as open, (extract(epoch from clock_timestamp() - min(created_at)) * 1000)::float8 as age
     from longhaul.dead_letters where closed_at is null`,
  );
  const [row] = rows;
  return { open: Number(row?.open ?? 0), oldestAgeMs: row?.age ?? undefined };
}
