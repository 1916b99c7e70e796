/** What an HTTP answer other than the one hoped for means for a saga (SAGA rule S12): said once, for every provider. */
import { Denied, Rejected, Transient, type Certainty } from '../saga/failure.js';
import { retryAfterMsOf } from './retry-after.js';

/** What is read of an answer: its status, its `Retry-After` and, where the provider gives one, its reason. */
export interface HttpAnswer {
  readonly status: number;
  readonly retryAfter?: string | undefined;
  /** The provider's own word for what is wrong, snake_case. */
  readonly code?: string | undefined;
  /** For the reader; no secrets, no payload. */
  readonly detail?: string | undefined;
}

const REQUEST_TIMEOUT = 408;
const CONFLICT = 409;
/** Too early, too many requests: turned away before anything was looked at. */
const NOT_NOW: ReadonlySet<number> = new Set([425, 429]);
/** Who we are, or what we may, is in question; 407 is the same of a proxy of ours. */
const NO_RIGHTS: ReadonlySet<number> = new Set([401, 403, 407]);
/** The provider lives elsewhere and did nothing: our configuration is wrong. A redirect is never followed. */
const MOVED: ReadonlySet<number> = new Set([301, 307, 308]);

/** What a failure leaves behind that nobody can tell: `no` for a request that only reads. */
export interface FailureContext {
  readonly whenUnknown?: Certainty;
  /** For a `Retry-After` that is a date. */
  readonly nowMs?: number;
}

/**
 * The answer as a step's failure. `what` begins the message: "The transfer". Every 409 is taken for "your first
 * request is still in flight": a provider that says it of something else is asked some times in vain, while the other
 * way round a payment in flight would be compensated.
 */
export function answerFailure(
  answer: HttpAnswer,
  what: string,
  { whenUnknown = 'unknown', nowMs = Date.now() }: FailureContext = {},
): Rejected | Transient | Denied {
  const { status } = answer;
  const code = answer.code ?? `http_${status}`;
  const detail = answer.detail === undefined ? '' : `: ${answer.detail}`;
  const message = `${what} was answered ${status} ${code}${detail}`;
  if (NO_RIGHTS.has(status)) return new Denied(code, message);
  if (MOVED.has(status)) return new Denied(code, `${message}; redirects are not followed`);
  const retryAfterMs = retryAfterMsOf(answer.retryAfter, nowMs);
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (NOT_NOW.has(status)) return new Transient(code, message, { certainty: 'no', ...wait });
  if (status >= 400 && status < 500 && status !== REQUEST_TIMEOUT && status !== CONFLICT) {
    return new Rejected(code, message);
  }
  // 408, 409, 5xx, and what is no answer to this request at all (303 follows an effect; a 2xx nobody declared).
  return new Transient(code, message, { certainty: whenUnknown, ...wait });
}

/** An answer that says yes and cannot be read: cut short, too long, or of another shape. It may well have happened. */
export function unreadableAnswer(
  what: string,
  cause: unknown,
  whenUnknown: Certainty = 'unknown',
): Transient {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new Transient(
    'answer_unreadable',
    `${what} was answered, but the answer cannot be read: ${reason}`,
    {
      certainty: whenUnknown,
      cause,
    },
  );
}
