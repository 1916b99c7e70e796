/** What a failure of PostgreSQL means for a saga, by its SQLSTATE: said once, for our own database and for sources. */
import { Denied, Rejected, Transient, type Certainty } from '../saga/failure.js';

export type PostgresVerdict =
  /** Certainly nothing happened; worth another try. */
  | 'retryable'
  /** The connection broke or the server went away while it worked: nobody can tell what it did. */
  | 'unknown'
  /** The data say no. */
  | 'rejected'
  /** Our SQL, our rights or our configuration: no retry mends it. */
  | 'bug';

/** Errors of the socket and the resolver, before or while PostgreSQL was reached. */
const NOT_REACHED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
]);
const BROKEN_OFF = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ECONNABORTED']);

/** By class (the first two characters) where the class is of one mind, by code where it is not. */
const BY_CODE: Readonly<Record<string, PostgresVerdict>> = {
  // Serialization failure, deadlock, lock not available, object in use: rolled back, try again.
  '40001': 'retryable',
  '40P01': 'retryable',
  '55P03': 'retryable',
  '55006': 'retryable',
  // Cancelled by a time-out or by us; the transaction is rolled back.
  '57014': 'retryable',
  // Starting up, or in recovery: it did not take us.
  '57P03': 'retryable',
  // Read-only: a standby before its promotion.
  '25006': 'retryable',
  // Shut down, crashed, or terminated under us.
  '57P01': 'unknown',
  '57P02': 'unknown',
  '57P05': 'unknown',
  '40003': 'unknown',
  // Connection refused by the server, or it could not be made.
  '08001': 'retryable',
  '08004': 'retryable',
  '25P03': 'unknown',
};
const BY_CLASS: Readonly<Record<string, PostgresVerdict>> = {
  '08': 'unknown',
  '22': 'rejected',
  '23': 'rejected',
  '40': 'retryable',
  '53': 'retryable',
  '58': 'retryable',
};

/** The verdict on an error; undefined when it is none of PostgreSQL's or the network's. */
export function postgresVerdict(error: unknown): PostgresVerdict | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = codeOf(error);
  if (code === undefined) return isLostConnection(error) ? 'unknown' : undefined;
  if (NOT_REACHED.has(code)) return 'retryable';
  if (BROKEN_OFF.has(code)) return 'unknown';
  if (!/^[0-9A-Z]{5}$/.test(code)) return undefined;
  return BY_CODE[code] ?? BY_CLASS[code.slice(0, 2)] ?? 'bug';
}

/** The error's SQLSTATE, or the socket's code. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const own = (error as { code?: unknown }).code;
  if (typeof own === 'string') return own;
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error.cause;
  return first === undefined ? undefined : codeOf(first);
}

/** The driver has no code for a connection that ended, or fell silent, under a query; these are its words, of version 8. */
function isLostConnection(error: Error): boolean {
  return /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|Client was closed|Query read timeout)/.test(
    error.message,
  );
}

/**
 * An error of PostgreSQL as a step's failure; anything else comes back as it was. `whenUnknown`: what the loss of a
 * connection means for this step's effect (`no` for a step that only reads).
 */
export function toStepFailure(error: unknown, what: string, whenUnknown: Certainty): unknown {
  const verdict = postgresVerdict(error);
  if (verdict === undefined) return error;
  const code = codeOf(error) ?? 'lost';
  const message = `${what}: PostgreSQL answered ${code}`;
  switch (verdict) {
    case 'retryable':
      return new Transient('database_busy', message, { certainty: 'no', cause: error });
    case 'unknown':
      return new Transient('database_lost', message, { certainty: whenUnknown, cause: error });
    case 'rejected':
      return new Rejected('database_refused', message, { cause: error });
    case 'bug':
      return new Denied('database_misused', message, { cause: error });
  }
}
