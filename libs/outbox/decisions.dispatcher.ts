/**
 * Operators' decisions, each sent as an update of its saga. In batches of their own: an update waits for a live worker,
 * and no start or cancel may wait with it. The relay may die anywhere: the update's id is the decision's, so the same
 * one sent twice is one.
 */
import { ApplicationFailure, WorkflowUpdateStage } from '@temporalio/client';
import { WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError } from '@temporalio/client';
import { DECIDE_UPDATE, DECISION_REFUSED, type DecisionWish } from '../saga/protocol.js';
import { inTransaction, type Connection } from '../store/database.js';
import { scrub } from '../telemetry/logger.js';
import { classifyEngineError } from '../temporal/engine.error.js';
import { backoffMs } from './backoff.js';
import { mapBounded } from './bounded.js';
import { claimDecisions, markRefused, type DecisionRow } from './decisions.store.js';
import type { BatchResult, DispatchLimits, Dispatcher } from './dispatcher.js';
import { markRowsDone, postpone, type Postponed } from './outbox.store.js';

export const DECISION_LIMITS: DispatchLimits = {
  batchSizeMax: 16,
  concurrencyMax: 8,
  // Nobody waits for it, but without a worker every one takes this long.
  callTimeoutMs: 3_000,
  batchBudgetMs: 10_000,
  // A person waits: soon after a worker is back it is tried again.
  rowBackoff: { firstMs: 500, mostMs: 10_000 },
};

/** The server's own failure type: accepted, and the workflow ended before it answered. */
const ACCEPTED_AND_ENDED = 'AcceptedUpdateCompletedWorkflow';

type Outcome =
  | { readonly is: 'sent'; readonly outcome: 'accepted' | 'ended' | 'settled' }
  | { readonly is: 'refused'; readonly refusal: string }
  | { readonly is: 'away'; readonly error: unknown }
  | { readonly is: 'failed'; readonly class: string; readonly error: unknown };

/** Sends what is due, one batch of it. Throws when the database fails; the engine's failures are in the answer. */
export async function dispatchDecisions(dispatcher: Dispatcher): Promise<BatchResult> {
  const { limits } = dispatcher;
  const untilMs = performance.now() + limits.batchBudgetMs;
  return inTransaction(dispatcher.database, async (connection) => {
    const rows = await claimDecisions(connection, limits.batchSizeMax);
    if (rows.length === 0) return { claimed: 0, sent: 0, engineAway: false };
    let away = false;
    const outcomes = await mapBounded(
      rows,
      limits.concurrencyMax,
      async (row) => {
        const outcome = await send(dispatcher, row);
        away ||= outcome.is === 'away';
        return outcome;
      },
      () => !away && performance.now() < untilMs,
    );
    return settle(dispatcher, connection, rows.length, outcomes);
  });
}

async function send({ engine, limits }: Dispatcher, row: DecisionRow): Promise<Outcome> {
  if (row.settled) return { is: 'sent', outcome: 'settled' };
  if (row.ended) return { is: 'refused', refusal: 'The job has ended.' };
  const wish: DecisionWish = {
    id: row.decisionId,
    park: row.park,
    decision: row.decision,
    ...(row.corrects ? { corrects: true } : {}),
  };
  engine.tenants.remember(row.jobId, row.tenantId);
  let isAccepted = false;
  try {
    await engine.connection.withDeadline(Date.now() + limits.callTimeoutMs, async () => {
      const update = await engine.client.workflow.getHandle(row.jobId).startUpdate(DECIDE_UPDATE, {
        updateId: row.decisionId,
        waitForStage: WorkflowUpdateStage.ACCEPTED,
        args: [wish],
      });
      // Also answered so when its validator refused it: the outcome, which came with the answer, tells.
      isAccepted = true;
      await update.result();
    });
    return { is: 'sent', outcome: 'accepted' };
  } catch (error) {
    return outcomeOf(error, isAccepted);
  }
}

function outcomeOf(error: unknown, isAccepted: boolean): Outcome {
  if (error instanceof WorkflowUpdateFailedError) {
    const { cause } = error;
    const type = cause instanceof ApplicationFailure ? cause.type : undefined;
    if (type === DECISION_REFUSED)
      return { is: 'refused', refusal: cause?.message ?? 'The saga refused it.' };
    if (type === ACCEPTED_AND_ENDED) return { is: 'sent', outcome: 'accepted' };
    return { is: 'failed', class: 'update_failed', error: cause ?? error };
  }
  if (isAccepted) return { is: 'sent', outcome: 'accepted' };
  // No worker answered in time. The engine may keep it, or not: it is sent again, under the same id.
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError)
    return { is: 'failed', class: 'no_answer', error };
  const kind = classifyEngineError(error);
  if (kind === 'not_found') return { is: 'refused', refusal: 'No workflow runs the job.' };
  return kind === 'away' ? { is: 'away', error } : { is: 'failed', class: kind, error };
}

async function settle(
  { metrics, limits, logger }: Dispatcher,
  connection: Connection,
  claimed: number,
  outcomes: ReadonlyMap<DecisionRow, Outcome>,
): Promise<BatchResult> {
  const done: string[] = [];
  const refused: { decisionId: string; refusal: string }[] = [];
  const postponed: Postponed[] = [];
  let awayError: unknown;
  for (const [row, outcome] of outcomes) {
    switch (outcome.is) {
      case 'sent':
      case 'refused': {
        done.push(row.id);
        if (outcome.is === 'refused') refused.push({ decisionId: row.decisionId, refusal: outcome.refusal });
        const label = outcome.is === 'sent' ? outcome.outcome : 'refused';
        metrics.dispatched.inc({ message: 'decide', outcome: label });
        logger.info({ jobId: row.jobId, decisionId: row.decisionId, outcome }, 'A decision was delivered');
        break;
      }
      case 'away':
        awayError = outcome.error;
        metrics.failures.inc({ message: 'decide', class: 'away' });
        break;
      case 'failed': {
        metrics.failures.inc({ message: 'decide', class: outcome.class });
        const error = scrub(outcome.error instanceof Error ? outcome.error.message : String(outcome.error));
        const delayMs = backoffMs(limits.rowBackoff, row.attempts + 1);
        postponed.push({ id: row.id, delayMs, error });
        const { jobId, attempts } = row;
        logger.warn(
          { jobId, attempts, class: outcome.class, err: outcome.error, delayMs },
          'A decision could not be delivered',
        );
      }
    }
  }
  await markRefused(connection, refused);
  await markRowsDone(connection, done);
  await postpone(connection, postponed);
  return { claimed, sent: done.length, engineAway: awayError !== undefined, awayError };
}
