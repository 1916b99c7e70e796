/** What a database error means to a client: away, or busy. By SQLSTATE and error code, never by wording alone. */

/** Connection exceptions (08), resources (53), operator intervention (57P), and system errors (58). */
const AWAY_SQLSTATE = /^(?:08|53|57P|58)/;
const AWAY_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'EPIPE',
]);
/** pg and pg-pool throw these without any code. */
const AWAY_MESSAGES = [
  'Connection terminated',
  'timeout exceeded when trying to connect',
  'timeout expired',
  'Query read timeout',
  'Client has encountered a connection error',
  'Cannot use a pool after calling end on the pool',
];
/** A lock was not to be had in time, a deadlock was broken, a serialisation failed. */
const BUSY_SQLSTATES = new Set(['55P03', '40P01', '40001']);
/** The replica or a server that is being failed over refuses writes: it is away for us. */
const READ_ONLY_SQLSTATE = '25006';

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Whether the error says that the database cannot be reached or takes no work now. */
export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof AggregateError && error.errors.some(isDatabaseAway)) return true;
  const code = codeOf(error);
  if (code !== undefined)
    return AWAY_CODES.has(code) || code === READ_ONLY_SQLSTATE || AWAY_SQLSTATE.test(code);
  return AWAY_MESSAGES.some((message) => error.message.includes(message)) || isDatabaseAway(error.cause);
}

/** Whether the same statement may simply be tried again. */
export function isDatabaseBusy(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && BUSY_SQLSTATES.has(code);
}
