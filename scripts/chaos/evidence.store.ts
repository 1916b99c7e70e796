/** What Longhaul's database says, read as the relay's role, which sees every tenant; nothing is written. */
import type { Database } from '../../libs/store/database.js';
import type { DeadLetterRow, EffectRow, Evidence, JobRow, OutboxRow, SeenEnd } from './evidence.js';

export interface Counts {
  readonly jobs: number;
  readonly ended: number;
  readonly parked: number;
  readonly unsent: number;
  readonly byStatus: Readonly<Record<string, number>>;
}

type FromDatabase = Pick<Evidence, 'jobs' | 'effects' | 'outbox' | 'deadLetters' | 'locks' | 'artifacts'>;

/** Everything the audit wants. */
export async function readDatabase(database: Database): Promise<FromDatabase> {
  const jobs = await database.query<JobRow>(
    `select j.id, t.name as tenant, j.kind, j.status, j.phase, j.started_at as "startedAt", j.ended_at as "endedAt",
            j.cancel_requested_at as "cancelRequestedAt"
       from longhaul.jobs j join longhaul.tenants t on t.id = j.tenant_id order by j.id`,
  );
  const effects = await database.query<EffectRow>(
    `select job_id as "jobId", step, item, generation, step_kind as "stepKind", effect, state, failed, doubt,
            lease_until as "leaseUntil", attempt, undo_attempt as "undoAttempt" from longhaul.effects order by job_id, seq, item`,
  );
  const outbox = await database.query<OutboxRow>(
    `select job_id as "jobId", message, attempts, last_error as "lastError"
       from longhaul.outbox where dispatched_at is null order by id`,
  );
  const deadLetters = await database.query<DeadLetterRow>(
    `select id, job_id as "jobId", park, step, item, undo, doubt, attempts, last_error as "lastError"
       from longhaul.dead_letters where closed_at is null order by job_id, park`,
  );
  const artifacts = await database.query<{ jobId: string; location: string }>(
    `select job_id as "jobId", location from longhaul.artifacts where deleted_at is null`,
  );
  return {
    jobs: jobs.rows,
    effects: effects.rows,
    outbox: outbox.rows,
    deadLetters: deadLetters.rows,
    artifacts: artifacts.rows,
    locks: await readLocks(database),
  };
}

async function readLocks(database: Database): Promise<Evidence['locks']> {
  const { rows: there } = await database.query<{ exists: boolean }>(
    `select to_regclass('longhaul.locks') is not null as exists`,
  );
  if (there[0]?.exists !== true) return [];
  const { rows } = await database.query<{ jobId: string; name: string }>(
    `select job_id as "jobId", name from longhaul.locks order by job_id`,
  );
  return rows;
}

/** How far it is, for the one who watches. */
export async function countJobs(database: Database): Promise<Counts> {
  const { rows } = await database.query<{ status: string; count: number; parked: number }>(
    `select status, count(*)::int as count, count(*) filter (where phase = 'parked')::int as parked
       from longhaul.jobs group by status`,
  );
  const { rows: unsent } = await database.query<{ count: number }>(
    `select count(*)::int as count from longhaul.outbox where dispatched_at is null`,
  );
  const byStatus = Object.fromEntries(rows.map(({ status, count }) => [status, count]));
  const jobs = rows.reduce((sum, { count }) => sum + count, 0);
  const open = (byStatus['PENDING'] ?? 0) + (byStatus['STARTED'] ?? 0);
  return {
    jobs,
    ended: jobs - open,
    parked: rows.reduce((sum, { parked }) => sum + parked, 0),
    unsent: unsent[0]?.count ?? 0,
    byStatus,
  };
}

/** Ends recorded since `since`, to be compared with what they are later. */
export async function endsSince(database: Database, since: Date): Promise<SeenEnd[]> {
  const { rows } = await database.query<{ jobId: string; status: string; endedAt: Date }>(
    `select id as "jobId", status, ended_at as "endedAt" from longhaul.jobs where ended_at >= $1`,
    [since],
  );
  return rows.map(({ jobId, status, endedAt }) => ({ jobId, status, endedAt: endedAt.toISOString() }));
}
