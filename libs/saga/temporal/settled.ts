/** How a series of attempts ended on the server, from what the SDK throws into the workflow. */
import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  isCancellation,
  TimeoutFailure,
} from '@temporalio/workflow';
import { FAILURE_MESSAGE_LENGTH_MAX, workerLost, type Failure } from '../failure.js';
import type { Settled, Verdict } from '../protocol.js';
import type { Call } from '../runtime.js';

/** Never throws. What no attempt reported leaves a doubt wherever there is an effect (S6). */
export function settledOf(error: unknown, call: Call): Settled {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  const doubtful = call.step.effect !== 'none';
  if (cause instanceof CancelledFailure || (cause === undefined && isCancellation(error))) {
    const verdict = verdictIn(cause);
    return verdict ? settledByVerdict(verdict) : { kind: 'cancelled', doubt: doubtful };
  }
  const verdict = verdictIn(cause);
  if (verdict) return settledByVerdict(verdict);
  return { kind: 'failed', failure: unreported(cause, doubtful), doubt: doubtful };
}

/** Our attempts put their verdict first into the failure's details. */
function verdictIn(cause: unknown): Verdict | undefined {
  if (!(cause instanceof ApplicationFailure || cause instanceof CancelledFailure)) return undefined;
  const first: unknown = cause.details?.[0];
  return typeof first === 'object' && first !== null && 'kind' in first ? (first as Verdict) : undefined;
}

function settledByVerdict(verdict: Verdict): Settled {
  if (verdict.kind === 'done') return verdict;
  const { attempt: attempts, doubt } = verdict;
  switch (verdict.kind) {
    case 'failed':
      return { kind: 'failed', failure: verdict.failure, doubt, attempts };
    case 'deferred':
      return { kind: 'deferred', deferMs: verdict.deferMs, doubt, attempts };
    case 'cancelled':
      return { kind: 'cancelled', doubt, attempts };
  }
}

function unreported(cause: unknown, doubtful: boolean): Failure {
  const certainty = doubtful ? 'unknown' : 'no';
  if (cause instanceof TimeoutFailure) return workerLost(certainty, cause.timeoutType ?? 'time-out');
  // Not from our attempts: an activity no worker knows, an argument that does not decode. No retry mends it.
  const message = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
  return {
    class: 'bug',
    certainty,
    code: 'engine_failure',
    message: message.slice(0, FAILURE_MESSAGE_LENGTH_MAX),
  };
}
