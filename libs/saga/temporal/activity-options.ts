/** How the server runs a series of attempts, from what the definition declares. */
import { ActivityCancellationType, type ActivityOptions } from '@temporalio/workflow';
import { startToCloseMs, UNDO_TIMEOUT_MS } from '../attempt/limits.js';
import { taskQueueOf, type AnyJobDefinition, type RetryPolicy } from '../define.js';
import { toMs } from '../duration.js';
import type { Call } from '../runtime.js';

const UNDO_HEARTBEAT_MS = 10_000;
const BOOKKEEPING_TIMEOUT_MS = 30_000;
/** The highest there is; steps have the middle one, by default. */
const FIRST = { priorityKey: 1 };

/** Options of a step's, undo's or probe's activity. */
export function activityOptionsOf(definition: AnyJobDefinition, call: Call): ActivityOptions {
  const { request, step } = call;
  const isStep = request.role === 'step';
  return {
    // Without an activity of its own, the ledger alone settles: that is the engine's, on the workflow's queue.
    ...(call.activity === undefined ? {} : { taskQueue: taskQueueOf(definition.queue, step.pool) }),
    startToCloseTimeout: startToCloseMs(isStep ? step.timeoutMs : UNDO_TIMEOUT_MS),
    heartbeatTimeout: isStep ? step.heartbeatMs : UNDO_HEARTBEAT_MS,
    // An attempt that may still act is not over: whoever cancels waits for it (SAGA_RULES, "On Temporal").
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    // What takes back does not queue behind the work it is to stop.
    ...(isStep ? {} : { priority: FIRST }),
    retry: retryOf(request.role === 'undo' ? step.undoRetry : step.retry, request.attemptsMax),
    // The activity's type names its step already; every summary is another payload to seal, send and store.
    ...(call.summary === request.step ? {} : { summary: call.summary }),
  };
}

/** Options of the engine's bookkeeping: tried until it is done. */
export function bookkeepingOptions(summary?: string): ActivityOptions {
  return {
    startToCloseTimeout: BOOKKEEPING_TIMEOUT_MS,
    retry: { initialInterval: 200, backoffCoefficient: 2, maximumInterval: 10_000 },
    ...(summary === undefined ? {} : { summary }),
  };
}

/** For attempts that never report (a lost worker); those that do say themselves when to try again. */
function retryOf(policy: RetryPolicy, maximumAttempts: number): NonNullable<ActivityOptions['retry']> {
  return {
    maximumAttempts,
    initialInterval: toMs(policy.first),
    backoffCoefficient: 2,
    maximumInterval: Math.max(toMs(policy.first), toMs(policy.most)),
  };
}
