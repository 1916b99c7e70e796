/** Removes what has served its time from the relay's own tables, a bounded number of rows at a time. */
import type { Database } from '../store/database.js';

export interface SweepLimits {
  /** Rows of ended jobs that were sent longer ago than this. Longer than any engine is restored from a backup. */
  readonly outboxKeptMs: number;
  /** The contract promises 24 h at least. */
  readonly idempotencyKeptMs: number;
  readonly batchSizeMax: number;
  readonly batchesMax: number;
}

const HOUR_MS = 3_600_000;

export const SWEEP_LIMITS: SweepLimits = {
  outboxKeptMs: 7 * 24 * HOUR_MS,
  idempotencyKeptMs: 25 * HOUR_MS,
  batchSizeMax: 1_000,
  batchesMax: 200,
};

/** Deletes sent outbox rows of jobs that have ended; those of open jobs stay, for the reconciler. Answers how many. */
export async function sweepOutbox(database: Database, limits: SweepLimits = SWEEP_LIMITS): Promise<number> {
  return inBatches(
    database,
    `delete from longhaul.outbox where id in (
       select o.id from longhaul.outbox o join longhaul.jobs j on j.id = o.job_id
       where o.dispatched_at < now() - $1 * interval '1 millisecond' and j.ended_at is not null
       limit $2 for update of o skip locked)`,
    limits.outboxKeptMs,
    limits,
  );
}

/** Deletes idempotency keys past the time they are kept. Answers how many. */
export async function sweepIdempotency(
  database: Database,
  limits: SweepLimits = SWEEP_LIMITS,
): Promise<number> {
  return inBatches(
    database,
    `delete from longhaul.idempotency where (tenant_id, route, key) in (
       select tenant_id, route, key from longhaul.idempotency
       where created_at < now() - $1 * interval '1 millisecond' limit $2)`,
    limits.idempotencyKeptMs,
    limits,
  );
}

async function inBatches(
  database: Database,
  sql: string,
  keptMs: number,
  limits: SweepLimits,
): Promise<number> {
  let removed = 0;
  for (let batch = 0; batch < limits.batchesMax; batch += 1) {
    const { rowCount } = await database.query(sql, [keptMs, limits.batchSizeMax]);
    removed += rowCount ?? 0;
    if ((rowCount ?? 0) < limits.batchSizeMax) break;
  }
  return removed;
}
