/**
 * One batch: claim rows, tell the engine, mark them sent, all in one transaction. The relay may die anywhere: rows
 * not marked are sent again, and the engine, which knows a job's id, answers `already started`.
 */
import type { Priority } from '@temporalio/common';
import type { Logger } from 'pino';
import type { AnyJobDefinition } from '../saga/define.js';
import { WORKFLOW_TASK_QUEUE } from '../saga/temporal/engine.js';
import { ENDED_SIGNAL } from '../schedules/scheduled-run.js';
import { inTransaction, type Connection, type Database } from '../store/database.js';
import { scrub } from '../telemetry/logger.js';
import type { EngineClient } from '../temporal/connection.js';
import { classifyEngineError } from '../temporal/engine.error.js';
import { searchAttributesOf } from '../temporal/search-attributes.js';
import { backoffMs, type Backoff } from './backoff.js';
import { mapBounded } from './bounded.js';
import {
  cancelUnsent,
  claimDue,
  markSent,
  postpone,
  type OutboxRow,
  type Postponed,
} from './outbox.store.js';
import type { RelayMetrics } from './relay.metrics.js';

export const CANCEL_SIGNAL = 'cancel';
/** A job's last open child has ended. */
export const WAKE_SIGNAL = 'wake';
/** What a cancel's reason may take in the workflow's history (S14). */
export const CANCEL_REASON_LENGTH_MAX = 200;

/** The one argument of every workflow: ids, and nothing of the input. */
export interface WorkflowStart {
  readonly jobId: string;
  readonly tenantId: string;
  readonly kind: string;
  /** ISO 8601. */
  readonly deadlineAt: string;
}

/** The argument of the signal `cancel`. */
export interface CancelSignal {
  readonly reason?: string;
}

export interface DispatchLimits {
  readonly batchSizeMax: number;
  /** Calls to the engine at a time. */
  readonly concurrencyMax: number;
  readonly callTimeoutMs: number;
  /** After this no further call is begun; rows left over stay for the next batch. */
  readonly batchBudgetMs: number;
  readonly rowBackoff: Backoff;
}

export const DISPATCH_LIMITS: DispatchLimits = {
  batchSizeMax: 50,
  concurrencyMax: 16,
  callTimeoutMs: 5_000,
  batchBudgetMs: 10_000,
  rowBackoff: { firstMs: 500, mostMs: 300_000 },
};

export interface Dispatcher {
  readonly database: Database;
  readonly engine: EngineClient;
  /** Undefined for a kind this release does not know. */
  readonly definitionOf: (kind: string) => Pick<AnyJobDefinition, 'workflowType' | 'queue'> | undefined;
  readonly logger: Logger;
  readonly metrics: RelayMetrics;
  readonly limits: DispatchLimits;
}

export interface BatchResult {
  readonly claimed: number;
  readonly sent: number;
  /** The engine could not be used: nothing was tried any more after that was known. */
  readonly engineAway: boolean;
  /** What the engine's absence looked like. */
  readonly awayError?: unknown;
}

type Outcome =
  | { readonly is: 'sent'; readonly outcome: string }
  | { readonly is: 'away'; readonly error: unknown }
  | { readonly is: 'failed'; readonly class: string; readonly error: unknown; readonly delayMs?: number };

/** Sends what is due, one batch of it. Throws when the database fails; the engine's failures are in the answer. */
export async function dispatchBatch(dispatcher: Dispatcher): Promise<BatchResult> {
  const { limits, metrics } = dispatcher;
  const begunAt = performance.now();
  const result = await inTransaction(dispatcher.database, async (connection) => {
    const rows = await claimDue(connection, limits.batchSizeMax);
    if (rows.length === 0) return { claimed: 0, sent: 0, engineAway: false };
    const outcomes = await sendAll(dispatcher, connection, rows, begunAt + limits.batchBudgetMs);
    return settle(dispatcher, connection, rows.length, outcomes);
  });
  if (result.claimed > 0) metrics.batchSeconds.observe((performance.now() - begunAt) / 1000);
  return result;
}

async function sendAll(
  dispatcher: Dispatcher,
  connection: Connection,
  rows: readonly OutboxRow[],
  untilMs: number,
): Promise<Map<OutboxRow, Outcome>> {
  let away = false;
  const send = async (row: OutboxRow, work: (row: OutboxRow) => Promise<Outcome>): Promise<Outcome> => {
    if (row.ended && row.message !== 'ended') return { is: 'sent', outcome: 'ended' };
    const outcome = await work(row);
    away ||= outcome.is === 'away';
    return outcome;
  };
  const goOn = (): boolean => !away && performance.now() < untilMs;
  const { concurrencyMax } = dispatcher.limits;
  const starts = rows.filter((row) => row.message === 'start');
  const outcomes = await mapBounded(
    starts,
    concurrencyMax,
    (row) => send(row, (r) => start(dispatcher, r)),
    goOn,
  );

  const startedNow = new Set([...outcomes].filter(([, o]) => o.is === 'sent').map(([row]) => row.jobId));
  const cancels = rows.filter((row) => row.message === 'cancel');
  const overtaking = cancels.filter((row) => row.startUnsent && !startedNow.has(row.jobId));
  // One by one, on the transaction's own connection: these need no engine.
  for (const row of overtaking) outcomes.set(row, await send(row, (r) => cancelOvertaking(connection, r)));
  const following = rows.filter((row) => row.message !== 'start' && !overtaking.includes(row));
  const signalled = await mapBounded(
    following,
    concurrencyMax,
    (row) => send(row, (r) => signal(dispatcher, r)),
    goOn,
  );
  return new Map([...outcomes, ...signalled]);
}

async function start({ engine, definitionOf, limits }: Dispatcher, row: OutboxRow): Promise<Outcome> {
  const definition = definitionOf(row.kind);
  if (definition === undefined) {
    return {
      is: 'failed',
      class: 'unknown_kind',
      error: new Error(`No kind "${row.kind}" in this release.`),
    };
  }
  const argument: WorkflowStart = {
    jobId: row.jobId,
    tenantId: row.tenantId,
    kind: row.kind,
    deadlineAt: row.deadlineAt.toISOString(),
  };
  // Many jobs of one tenant and concern queue behind each other, not in front of another's: all concerns share the workflows' workers.
  const priority: Priority = { fairnessKey: `${row.tenantId}/${definition.queue}` };
  engine.tenants.remember(row.jobId, row.tenantId);
  try {
    await engine.connection.withDeadline(Date.now() + limits.callTimeoutMs, () =>
      engine.client.workflow.start(definition.workflowType, {
        workflowId: row.jobId,
        taskQueue: WORKFLOW_TASK_QUEUE,
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        args: [argument],
        typedSearchAttributes: searchAttributesOf(row),
        priority,
      }),
    );
    return { is: 'sent', outcome: 'started' };
  } catch (error) {
    const kind = classifyEngineError(error);
    if (kind === 'already_started') return { is: 'sent', outcome: 'already_started' };
    return kind === 'away' ? { is: 'away', error } : { is: 'failed', class: kind, error };
  }
}

async function signal({ engine, limits }: Dispatcher, row: OutboxRow): Promise<Outcome> {
  engine.tenants.remember(row.jobId, row.tenantId);
  try {
    await engine.connection.withDeadline(Date.now() + limits.callTimeoutMs, () =>
      engine.client.workflow.getHandle(toldOf(row)).signal(...signalOf(row)),
    );
    return { is: 'sent', outcome: 'signalled' };
  } catch (error) {
    const kind = classifyEngineError(error);
    // A run that nobody waits in any more needs no word.
    if (kind === 'not_found' && row.message === 'ended') return { is: 'sent', outcome: 'nobody_waits' };
    // Not found, with the job still open: its workflow is about to record the end, or it is the reconciler's case.
    // Either way the job's end makes this row done, so it is asked again later.
    return kind === 'away' ? { is: 'away', error } : { is: 'failed', class: kind, error };
  }
}

/** The workflow that is told. */
function toldOf({ message, jobId, scheduleRun }: OutboxRow): string {
  return message === 'ended' ? (scheduleRun ?? jobId) : jobId;
}

function signalOf({ message, cancelReason }: OutboxRow): [name: string, ...args: CancelSignal[]] {
  if (message === 'wake') return [WAKE_SIGNAL];
  if (message === 'ended') return [ENDED_SIGNAL];
  const reason = cancelReason?.slice(0, CANCEL_REASON_LENGTH_MAX);
  return [CANCEL_SIGNAL, reason === undefined ? {} : { reason }];
}

const OVERTAKEN_RETRY_MS = 200;

async function cancelOvertaking(connection: Connection, row: OutboxRow): Promise<Outcome> {
  if (await cancelUnsent(connection, row.jobId)) return { is: 'sent', outcome: 'cancelled_unsent' };
  const error = new Error('The start is being sent by another relay; the cancel follows it.');
  return { is: 'failed', class: 'start_in_flight', error, delayMs: OVERTAKEN_RETRY_MS };
}

async function settle(
  { metrics, limits, logger }: Dispatcher,
  connection: Connection,
  claimed: number,
  outcomes: ReadonlyMap<OutboxRow, Outcome>,
): Promise<BatchResult> {
  const sent: OutboxRow[] = [];
  const postponed: Postponed[] = [];
  const all = [...outcomes];
  const away = all.map(([, outcome]) => outcome).find((outcome) => outcome.is === 'away');
  // Where nothing got through the engine is away, and no row is to blame; where others did, this row may be.
  const someThrough = all.some(
    ([, o]) => o.is === 'sent' && ['started', 'already_started', 'signalled'].includes(o.outcome),
  );
  for (const [row, outcome] of all) {
    if (outcome.is === 'sent') {
      sent.push(row);
      metrics.dispatched.inc({ message: row.message, outcome: outcome.outcome });
      continue;
    }
    metrics.failures.inc({ message: row.message, class: outcome.is === 'away' ? 'away' : outcome.class });
    if (outcome.is === 'away' && !someThrough) continue;
    const error = scrub(outcome.error instanceof Error ? outcome.error.message : String(outcome.error));
    const delayMs =
      (outcome.is === 'failed' ? outcome.delayMs : undefined) ??
      backoffMs(limits.rowBackoff, row.attempts + 1);
    postponed.push({ id: row.id, delayMs, error });
    if (outcome.is === 'failed' && outcome.delayMs === undefined) {
      const { jobId, message, attempts } = row;
      const err = outcome.error;
      logger.warn(
        { jobId, message, attempts, class: outcome.class, err, delayMs },
        'An outbox row could not be sent',
      );
    }
  }
  await markSent(connection, sent);
  await postpone(connection, postponed);
  return { claimed, sent: sent.length, engineAway: away !== undefined, awayError: away?.error };
}
