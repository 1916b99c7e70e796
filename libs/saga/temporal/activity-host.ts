/** A Temporal activity as the host of an attempt. */
import { Context } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory, CancelledFailure } from '@temporalio/common';
import type { Host } from '../attempt/world.js';
import { Transient } from '../failure.js';
import { READY_SIGNAL, type Verdict } from '../protocol.js';

/** The engine heartbeats by itself this often at least, so that a cancel is heard soon; the time box finds hangs. */
const HEARTBEAT_INTERVAL_MAX_MS = 500;
/** Where no cancel can come any more, it only tells that the worker lives: each is a call and a write of the server's. */
const HEARTBEATS_A_TIMEOUT = 3;

/**
 * Runs `work` as an attempt of the present activity and reports its verdict as Temporal wants it. `hearsCancel`: a cancel
 * may come, and is to be heard soon.
 */
export async function hostAttempt(
  work: (host: Host) => Promise<Verdict>,
  { hearsCancel }: { readonly hearsCancel: boolean },
): Promise<unknown> {
  const context = Context.current();
  const { heartbeatTimeoutMs, attempt, workflowExecution } = context.info;
  const everyMs = Math.min(
    hearsCancel ? HEARTBEAT_INTERVAL_MAX_MS : Infinity,
    (heartbeatTimeoutMs ?? Infinity) / HEARTBEATS_A_TIMEOUT,
  );
  const beat = setInterval(() => context.heartbeat(), everyMs);
  try {
    const verdict = await work({
      attempt,
      signal: context.cancellationSignal,
      isCancelled: () => context.cancellationDetails?.cancelRequested === true,
      heartbeat: () => context.heartbeat(),
      async ready(word) {
        const workflowId = workflowExecution?.workflowId;
        if (workflowId === undefined) throw new TypeError('A holder belongs to a workflow');
        await context.client.workflow.getHandle(workflowId).signal(READY_SIGNAL, word).catch(engineAway);
      },
    });
    return resultOf(verdict);
  } finally {
    clearInterval(beat);
  }
}

/** Nobody heard that the holder holds: nobody's bug, and another attempt may be heard. */
function engineAway(error: unknown): never {
  throw new Transient('engine_away', `The engine did not take the word: ${String(error)}`, {
    certainty: 'no',
    cause: error,
  });
}

/** Temporal retries what is retryable, after the delay the attempt chose; the verdict travels in the details. */
function resultOf(verdict: Verdict): unknown {
  switch (verdict.kind) {
    case 'done':
      return verdict.output;
    case 'cancelled':
      throw new CancelledFailure('The attempt ended as it was told to', [verdict]);
    case 'deferred':
      throw ApplicationFailure.create({
        type: 'Deferred',
        message: `Not now; again in ${verdict.deferMs} ms`,
        nonRetryable: true,
        category: ApplicationFailureCategory.BENIGN,
        details: [verdict],
      });
    case 'failed': {
      const { failure, retryInMs } = verdict;
      throw ApplicationFailure.create({
        type: failure.code,
        message: failure.message,
        nonRetryable: retryInMs === undefined,
        details: [verdict],
        ...(retryInMs === undefined ? {} : { nextRetryDelay: retryInMs }),
      });
    }
  }
}
