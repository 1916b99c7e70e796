/**
 * The hand-written trip's rows, in plain SQL, each statement prepared once: tables of the same columns, indexes and
 * fill as ours (`like longhaul.… including all`), without row-level security and without functions around them.
 */
import type { Connection, Database } from '../../libs/store/database.js';

type Querying = Pick<Database, 'query'> | Pick<Connection, 'query'>;

export interface Effect {
  readonly jobId: string;
  readonly tenantId: string;
  readonly step: string;
  readonly seq: number;
  /** Present for a step that can be taken back. */
  readonly undo?: string;
}

/** Run by the tables' owner; `bench.seats` is the effect of both contenders. */
export const BENCH_SCHEMA = `
  drop schema if exists bench cascade;
  create schema bench;
  create table bench.seats (job_id uuid primary key, seat text not null);
  create table bench.jobs (like longhaul.jobs including all) with (fillfactor = 70);
  create table bench.effects (like longhaul.effects including all, foreign key (job_id) references bench.jobs)
    with (fillfactor = 50);
  grant usage on schema bench to longhaul_worker;
  grant select, insert, update, delete on all tables in schema bench to longhaul_worker;
`;

/** Undefined: claimed. Else an earlier attempt was done, and this is what it said. */
export async function claim(on: Querying, effect: Effect): Promise<{ outcome: unknown } | undefined> {
  const { jobId, tenantId, step, seq, undo } = effect;
  const { rows } = await query<{ state: string; outcome: unknown }>(
    on,
    'by_hand_claim',
    `insert into bench.effects as e (job_id, tenant_id, step, seq, step_kind, effect, undo, state, attempt, lease_until)
       values ($1, $2, $3, $4, $5, $6, $7, 'claimed', 1, now() + interval '65s')
     on conflict (job_id, generation, step, item) do update set
       attempt = e.attempt + 1,
       lease_until = case when e.state = 'done' then e.lease_until else excluded.lease_until end,
       updated_at = now()
     returning state, outcome`,
    [
      ...[jobId, tenantId, step, seq, undo === undefined ? 'retriable' : 'compensable'],
      ...[undo === undefined ? 'keyed' : 'own', undo ?? null],
    ],
  );
  const [row] = rows;
  if (row?.state === 'undone') throw new Error(`Step ${step} of job ${jobId} was taken back`);
  return row?.state === 'done' ? { outcome: row.outcome } : undefined;
}

export async function complete(on: Querying, { jobId, step }: Effect, outcome: unknown): Promise<void> {
  const { rowCount } = await query(
    on,
    'by_hand_complete',
    `update bench.effects set state = 'done', outcome = $3, lease_until = null, finished_at = now(), updated_at = now()
       where job_id = $1 and generation = 0 and step = $2 and item = -1 and state = 'claimed'`,
    [jobId, step, JSON.stringify(outcome)],
  );
  if (rowCount !== 1) throw new Error(`Step ${step} of job ${jobId} was recorded by another attempt`);
}

export async function undone(on: Querying, jobId: string, step: string): Promise<void> {
  await query(
    on,
    'by_hand_undone',
    `update bench.effects set state = 'undone', finished_at = now(), updated_at = now()
       where job_id = $1 and generation = 0 and step = $2 and item = -1`,
    [jobId, step],
  );
}

export async function start(on: Querying, jobId: string): Promise<void> {
  await query(
    on,
    'by_hand_start',
    `update bench.jobs set status = 'STARTED', phase = 'forward', started_at = now() where id = $1 and status = 'PENDING'`,
    [jobId],
  );
}

/** Records the end, once. */
export async function finish(
  on: Querying,
  jobId: string,
  status: string,
  result: Buffer | undefined,
): Promise<void> {
  await query(
    on,
    'by_hand_finish',
    `update bench.jobs set status = $2, phase = 'done', ended_at = now(), result = $3
       where id = $1 and ended_at is null`,
    [jobId, status, result ?? null],
  );
}

function query<R extends object>(on: Querying, name: string, text: string, values: readonly unknown[]) {
  return (on as Database).query<R>({ name, text, values: [...values] });
}
