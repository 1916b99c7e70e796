/** From what was thrown to a verdict: class, certainty, whether and when to try again (S6, S12). */
import { backoffMs } from '../backoff.js';
import type { RetryPolicy } from '../define.js';
import {
  Deferred,
  Denied,
  HOLD_LOST,
  LedgerAway,
  Rejected,
  toFailure,
  Transient,
  WORKER_STOPPED,
  type Certainty,
  type Failure,
} from '../failure.js';
import type { AttemptReport, Refusal } from '../ledger.js';
import { type AttemptRequest, type Request, type Verdict } from '../protocol.js';
import type { StepProgress } from '../implement.js';
import { Overrun, type Interruption } from './time-box.js';
import type { Host, World } from './world.js';

export interface Ending {
  /** Undefined: the ledger cannot be told, because the attempt may still act; its lease stays. */
  readonly report: AttemptReport | undefined;
  readonly verdict: (doubt: boolean) => Verdict;
}

export interface EndingContext {
  readonly request: AttemptRequest;
  readonly host: Host;
  readonly world: World;
  readonly policy: RetryPolicy;
  /** What an error nobody classified leaves behind: `no` where nothing outside can have been touched. */
  readonly whenUnknown: Certainty;
  /** Whether it may be tried again when nobody knows what the attempt did (S6). */
  readonly isRepeatable: boolean;
  readonly interruption: Interruption | undefined;
  readonly progress?: StepProgress | undefined;
}

/** What an error means for the ledger and for the saga. */
export function endingOf(error: unknown, context: EndingContext): Ending {
  const { request, host, progress } = context;
  const attempt = request.before + host.attempt;
  const base = { isLast: false, ...(progress ? { progress } : {}) };
  if (error instanceof Deferred) {
    const { deferMs } = error;
    return {
      report: { ...base, unknown: false, retryInMs: deferMs },
      // Waiting costs no attempt: the number is free again.
      verdict: (doubt) => ({ kind: 'deferred', deferMs, doubt, attempt: attempt - 1 }),
    };
  }
  const failure = failureOf(error, context);
  const unknown = failure.certainty === 'unknown';
  if (context.interruption === 'cancelled' && !(error instanceof Overrun)) {
    return {
      report: { ...base, unknown },
      verdict: (doubt) => ({ kind: 'cancelled', doubt, attempt }),
    };
  }
  const retryInMs = retryOf(failure, context);
  const again = retryInMs === undefined ? {} : { retryInMs };
  return {
    report:
      error instanceof Overrun && unknown
        ? undefined
        : { ...base, failure, unknown, isLast: retryInMs === undefined, ...again },
    verdict: (doubt) => ({ kind: 'failed', failure, doubt, attempt, ...again }),
  };
}

function failureOf(error: unknown, { world, whenUnknown, interruption }: EndingContext): Failure {
  if (error instanceof Overrun) {
    return { class: 'transient', certainty: whenUnknown, code: 'timed_out', message: error.message };
  }
  const classified = world.classify(error, whenUnknown);
  const failure = toFailure(classified, whenUnknown);
  if (!interruption || failure.class === 'rejected') return failure;
  // Told to end, it threw: whatever it says is the echo of that, but for a certainty it states itself.
  const certainty = failure.code === 'programming_error' ? whenUnknown : failure.certainty;
  if (interruption === 'timed_out') {
    return {
      class: 'transient',
      certainty,
      code: 'timed_out',
      message: 'It did not end within its time box.',
    };
  }
  return {
    class: 'transient',
    certainty,
    code: WORKER_STOPPED,
    message: 'Its worker process was stopped.',
  };
}

function retryOf(failure: Failure, context: EndingContext): number | undefined {
  const { request, host, world, policy, isRepeatable } = context;
  if (failure.class !== 'transient' || failure.code === HOLD_LOST) return undefined;
  if (failure.certainty === 'unknown' && !isRepeatable) return undefined;
  if (host.attempt >= request.attemptsMax) return undefined;
  return Math.max(backoffMs(policy, host.attempt, world.random()), failure.retryAfterMs ?? 0);
}

/** The verdict on a refused attempt: it did nothing, but why another was there first, the ledger must be asked. */
export function refusedVerdict(why: Refusal, request: AttemptRequest, host: Host, doubt: boolean): Verdict {
  const failure: Failure = {
    class: 'rejected',
    certainty: 'no',
    code: why,
    message: `The ledger refuses the attempt: ${why}.`,
  };
  return { kind: 'failed', failure, doubt, attempt: request.before + host.attempt };
}

const LEDGER_AWAY_DEFER_MS = 1_000;

/** Runs what must come before the effect. What goes wrong in the ledger here is waited for, unless it is our own doing. */
export async function beforeActing<R>(world: World, work: () => Promise<R>): Promise<R> {
  try {
    return await work();
  } catch (error) {
    throw ledgerAway(world, error);
  }
}

/** An error of the ledger itself, before anything was done. */
export function ledgerAway(world: World, error: unknown): unknown {
  if (error instanceof Denied) return error;
  if (error instanceof Rejected) return new Denied('ledger_refused', error.message, { cause: error });
  return new LedgerAway(Math.round(LEDGER_AWAY_DEFER_MS * (1 + world.random())), error);
}

/** The job's input. One that cannot be opened or read is nobody's business answer, and nothing was done yet. */
export async function inputOf(world: World, request: AttemptRequest): Promise<unknown> {
  try {
    return await world.loadInput(request.job);
  } catch (error) {
    const classified = world.classify(error, 'no');
    if (classified instanceof Transient) throw ledgerAway(world, classified);
    if (classified instanceof Denied) throw classified;
    throw new Denied('input_unreadable', `The job's input cannot be read: ${String(error)}`, {
      cause: error,
    });
  }
}

/** An error of the ledger after the effect: whether it is recorded, nobody knows; the next attempt will, if it can be. */
export function recordLost(error: unknown, certainty: Certainty): unknown {
  if (error instanceof Rejected || error instanceof Denied) {
    return new TypeError(`The ledger refuses the outcome: ${error.message}`, { cause: error });
  }
  return new Transient('record_lost', `The outcome may not be recorded: ${String(error)}`, {
    certainty,
    cause: error,
  });
}

/** Says that the ledger could not be told how an attempt ended. */
export function tellUnreported(world: World, request: Request, attempt: number, error: unknown): void {
  world.observe({
    jobId: request.job.id,
    kind: request.job.kind,
    role: request.role,
    step: request.step,
    item: request.item,
    generation: request.generation,
    attempt,
    what: 'unreported',
    code: String(error),
  });
}
