/** The database's half of the comparison between jobs and workflows. */
import type { Database } from '../store/database.js';

/** An open job whose start was sent: a workflow must run it. */
export interface OpenJob {
  readonly id: string;
  readonly kind: string;
  readonly phase: string;
  /** No worker has claimed a step of it yet. */
  readonly untouched: boolean;
}

/** What the database says of a job that a workflow runs. */
export interface JobFate {
  readonly id: string;
  readonly status: string;
  readonly endedMsAgo: number | null;
}

/** Open jobs after `afterId`, in order of id, whose start was sent at least `settledMs` ago. */
export async function listOpenJobs(
  database: Database,
  afterId: string,
  settledMs: number,
  limit: number,
): Promise<OpenJob[]> {
  const { rows } = await database.query<OpenJob>(
    `select j.id, j.kind, j.phase,
            j.started_at is null and not exists (select 1 from longhaul.effects e where e.job_id = j.id) as untouched
     from longhaul.jobs j left join longhaul.outbox s on s.job_id = j.id and s.message = 'start'
     where j.ended_at is null and j.id > $1 and (s.id is null or s.dispatched_at is not null)
       and coalesce(s.dispatched_at, j.created_at) < now() - $2 * interval '1 millisecond'
     order by j.id limit $3`,
    [afterId, settledMs, limit],
  );
  return rows;
}

/** Which of these jobs are open still: between our look at the job and the one at its workflow it may have ended. */
export async function stillOpen(database: Database, jobIds: readonly string[]): Promise<Set<string>> {
  const { rows } = await database.query<{ id: string }>(
    `select id from longhaul.jobs where id = any($1) and ended_at is null`,
    [jobIds],
  );
  return new Set(rows.map((row) => row.id));
}

/** What became of these jobs; one that is not there is unknown to the database. */
export async function fatesOf(database: Database, jobIds: readonly string[]): Promise<Map<string, JobFate>> {
  const { rows } = await database.query<JobFate>(
    `select id, status, (extract(epoch from now() - ended_at) * 1000)::float8 as "endedMsAgo"
     from longhaul.jobs where id = any($1)`,
    [jobIds],
  );
  return new Map(rows.map((row) => [row.id, row]));
}

/**
 * Has the start of an open job sent again. Guarded: not while its start waits anyway, and not once a step was
 * claimed, because then a second workflow would not know what the first one did. True when it will be sent.
 */
export async function resendStart(database: Database, jobId: string): Promise<boolean> {
  const { rowCount } = await database.query(
    `insert into longhaul.outbox (job_id, tenant_id, message)
     select j.id, j.tenant_id, 'start' from longhaul.jobs j
     where j.id = $1 and j.ended_at is null and j.started_at is null
       and not exists (select 1 from longhaul.effects e where e.job_id = j.id)
     on conflict (job_id, message, decision_id) do update set dispatched_at = null, due_at = now(), attempts = 0,
       last_error = 'No workflow was found; sent again.' where longhaul.outbox.dispatched_at is not null`,
    [jobId],
  );
  return rowCount === 1;
}

/** Fills in when jobs were dispatched, where the relay passed their locked rows over. Answers how many. */
export async function fillDispatched(database: Database, limit: number): Promise<number> {
  const { rowCount } = await database.query(
    `update longhaul.jobs j set dispatched_at = s.dispatched_at
     from longhaul.outbox s where s.job_id = j.id and s.message = 'start' and j.id in (
       select o.id from longhaul.jobs o join longhaul.outbox t on t.job_id = o.id and t.message = 'start'
       where o.ended_at is null and o.dispatched_at is null and t.dispatched_at is not null
       order by o.id limit $1 for update of o skip locked)`,
    [limit],
  );
  return rowCount ?? 0;
}
