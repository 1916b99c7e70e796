/** Decisions on their way to their sagas, in SQL (role relay). */
import type { Decision } from '../saga/protocol.js';
import type { Connection } from '../store/database.js';

/** A row to send, with the decision it carries. */
export interface DecisionRow {
  readonly id: string;
  readonly attempts: number;
  readonly jobId: string;
  readonly tenantId: string;
  readonly ended: boolean;
  readonly decisionId: string;
  readonly park: number;
  readonly decision: Decision;
  /** Corrected args are stored with it. */
  readonly corrects: boolean;
  /** The saga has it already, or the park it was about is over. */
  readonly settled: boolean;
}

export const REFUSAL_LENGTH_MAX = 500;

/** Locks up to `limit` due decisions until the transaction ends, oldest due first; those locked by others are passed over. */
export async function claimDecisions(connection: Connection, limit: number): Promise<DecisionRow[]> {
  const { rows } = await connection.query<DecisionRow>(
    `select o.id, o.attempts, o.job_id as "jobId", o.tenant_id as "tenantId", j.ended_at is not null as ended,
            d.id as "decisionId", d.park, d.decision, d.input is not null as corrects, d.outcome <> 'pending' as settled
     from longhaul.outbox o join longhaul.jobs j on j.id = o.job_id join longhaul.decisions d on d.id = o.decision_id
     where o.dispatched_at is null and o.due_at <= now() and o.message = 'decide'
     order by o.due_at, o.id limit $1
     for update of o skip locked`,
    [limit],
  );
  return rows;
}

/** Decisions their sagas, or their absence, refused; one that was taken meanwhile stays taken. */
export async function markRefused(
  connection: Connection,
  refused: readonly { readonly decisionId: string; readonly refusal: string }[],
): Promise<void> {
  if (refused.length === 0) return;
  await connection.query(
    `update longhaul.decisions d set outcome = 'refused', refusal = r.refusal, settled_at = clock_timestamp()
     from unnest($1::uuid[], $2::text[]) r (id, refusal) where d.id = r.id and d.outcome = 'pending'`,
    [
      refused.map(({ decisionId }) => decisionId),
      refused.map(({ refusal }) => refusal.slice(0, REFUSAL_LENGTH_MAX)),
    ],
  );
}
