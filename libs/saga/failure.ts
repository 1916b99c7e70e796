/**
 * The vocabulary of failures (SAGA rule S12): every failure has a class and a certainty, and both are said
 * by whoever failed, never read from a message's text.
 */

/** What may still be true of the effect: certainly not there, or nobody can tell yet (S6). */
export type Certainty = 'no' | 'unknown';

/**
 * `rejected`: a business no, never retried. `transient`: may succeed later, retried by the step's policy.
 * `bug`: a programming error or missing rights (401, 403); parks at once and is nobody's business answer.
 */
export type FailureClass = 'rejected' | 'transient' | 'bug';

/** A failure as it travels into history, the ledger and the API: small, without stack or payload (S14). */
export interface Failure {
  readonly class: FailureClass;
  readonly certainty: Certainty;
  /** snake_case, stable; for the reader's program. */
  readonly code: string;
  /** For the reader. At most 500 characters. */
  readonly message: string;
  readonly step?: string;
  readonly item?: number;
  /** Milliseconds the other side asked us to wait (`Retry-After`). */
  readonly retryAfterMs?: number;
}

export const FAILURE_MESSAGE_LENGTH_MAX = 500;

abstract class StepFailure extends Error {
  abstract readonly failureClass: FailureClass;
  abstract readonly certainty: Certainty;
  constructor(
    readonly code: string,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** A business no: not retried; compensates before the commit point, parks after it. */
export class Rejected extends StepFailure {
  readonly failureClass = 'rejected';
  readonly certainty = 'no';
}

/** May succeed later. `unknown` when the effect may have happened although the answer never came. */
export class Transient extends StepFailure {
  readonly failureClass = 'transient';
  readonly certainty: Certainty;
  readonly retryAfterMs: number | undefined;
  constructor(
    code: string,
    message: string,
    options: { certainty: Certainty; retryAfterMs?: number; cause?: unknown },
  ) {
    super(code, message, options);
    this.certainty = options.certainty;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Missing rights at somebody else's door (401, 403): parks at once, because no retry and no undo mends it. */
export class Denied extends StepFailure {
  readonly failureClass = 'bug';
  readonly certainty = 'no';
}

/** The code of an attempt whose worker process was told to end: nobody's failure, and no sign of more to come. */
export const WORKER_STOPPED = 'worker_stopped';

/** The code of {@link HoldLost}, by which the interpreter knows it. */
export const HOLD_LOST = 'hold_lost';

/**
 * What the block's holder held is gone (an exported snapshot nobody knows any more), and the step found out before
 * the engine did. Not retried: the block is undone and starts over, as for any loss of its holder.
 */
export class HoldLost extends StepFailure {
  readonly failureClass = 'transient';
  readonly certainty = 'no';
  constructor(message: string, options?: { cause?: unknown }) {
    super(HOLD_LOST, message, options);
  }
}

/** What became of attempts none of which reported; `timeout` is the server's word for how it noticed. */
export function workerLost(certainty: Certainty, timeout?: string): Failure {
  const noticed = timeout === undefined ? '' : ` (${timeout})`;
  return {
    class: 'transient',
    certainty,
    code: 'worker_lost',
    message: `No attempt reported in time${noticed}; its worker is lost or too slow.`,
  };
}

/**
 * Not a failure: the step cannot run yet (a paused queue, an open circuit, a dataset still loading). The
 * interpreter sleeps and schedules it again; waiting costs no attempt.
 */
export class Deferred extends Error {
  constructor(
    readonly deferMs: number,
    message: string,
  ) {
    super(message);
    this.name = 'Deferred';
  }
}

/** The ledger did not answer, and nothing was done without it: waited for, because it is nobody's answer. */
export class LedgerAway extends Deferred {
  constructor(deferMs: number, cause: unknown) {
    super(deferMs, `The ledger did not answer: ${String(cause)}`);
    this.name = 'LedgerAway';
    this.cause = cause;
  }
}

/** Turns anything thrown into a failure. What nobody classified is a bug, unless the step may have acted: then its doubt is kept. */
export function toFailure(error: unknown, certaintyOfUnclassified: Certainty): Failure {
  if (error instanceof StepFailure) {
    return {
      class: error.failureClass,
      certainty: error.certainty,
      code: error.code,
      message: error.message.slice(0, FAILURE_MESSAGE_LENGTH_MAX),
      ...(error instanceof Transient && error.retryAfterMs !== undefined
        ? { retryAfterMs: error.retryAfterMs }
        : {}),
    };
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return {
    class: 'bug',
    certainty: certaintyOfUnclassified,
    code: 'programming_error',
    message: message.slice(0, FAILURE_MESSAGE_LENGTH_MAX),
  };
}
