/** What an error on the way to an HTTP server means for a saga (SAGA rule S12): of undici, of fetch, of Node's sockets. */
import { Transient, type Certainty } from '../saga/failure.js';

/** System calls before the first byte of a request: where they fail, nobody has heard of it. */
const BEFORE_SENDING: ReadonlySet<string> = new Set(['connect', 'getaddrinfo']);
/** The same, of errors that name no system call. A certificate is judged before the request is written. */
const NOT_SENT: ReadonlySet<string> = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_CLOSED',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);
/** Our own call is wrong: no network is at fault, and no retry mends it. */
const OUR_MISTAKE: ReadonlySet<string> = new Set([
  'UND_ERR_INVALID_ARG',
  'UND_ERR_INVALID_RETURN_VALUE',
  'UND_ERR_NOT_SUPPORTED',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
]);
const ABORTED: ReadonlySet<string> = new Set(['AbortError', 'TimeoutError']);
/** Undici's, for an answer that is no HTTP; it has not always a code. */
const NO_HTTP = 'HTTPParserError';
/** Undici, the HTTP parser, TLS, the resolver, a stream that ended early, and what becomes of a socket in use. */
const OF_THE_NETWORK =
  /^(UND_ERR|HPE_|ERR_SSL_|ERR_TLS_|EAI_|(ERR_STREAM_PREMATURE_CLOSE|ECONNREFUSED|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENETDOWN|ENETRESET|EADDRNOTAVAIL|ENOTFOUND|EPROTO)$)/;
const CAUSES_DEEP_MAX = 5;

interface NetworkError {
  readonly code: string;
  readonly certainty: Certainty;
}

/**
 * The error as a step's failure: certainly not done where no byte can have been sent, else unknown, aborts and
 * time-outs included (`whenUnknown`: `no` for a request that only reads). What is no error of the network (a bug of ours)
 * comes back as it was.
 */
export function networkFailure(error: unknown, what: string, whenUnknown: Certainty = 'unknown'): unknown {
  const found = read(error);
  if (found === undefined) return error;
  const heard = found.certainty === 'no' ? 'did not get through' : 'had no answer';
  return new Transient(codeFor(found.code), `${what} ${heard}: ${found.code}`, {
    certainty: found.certainty === 'no' ? 'no' : whenUnknown,
    cause: error,
  });
}

/** `ECONNREFUSED` → `econnrefused`, `TimeoutError` → `timeout`: codes are snake_case. */
function codeFor(code: string): string {
  if (code === 'TimeoutError') return 'timeout';
  if (code === 'AbortError') return 'aborted';
  return code.startsWith('HPE') ? 'no_http' : code.replace(/^UND_ERR_/, 'http_').toLowerCase();
}

function read(error: unknown, depth = 1): NetworkError | undefined {
  if (!(error instanceof Error)) return undefined;
  if (ABORTED.has(error.name)) return { code: error.name, certainty: 'unknown' };
  if (error.name === NO_HTTP) return { code: 'HPE', certainty: 'unknown' };
  const { code, syscall } = error as { code?: unknown; syscall?: unknown };
  // Several addresses of one name were tried: certain only if each of them is.
  if (error instanceof AggregateError && error.errors.length > 0) {
    const each = error.errors.map((member) => read(member, depth + 1));
    const certain = each.every((member) => member?.certainty === 'no');
    const first = each.find((member) => member !== undefined);
    return first && { code: first.code, certainty: certain ? 'no' : 'unknown' };
  }
  if (typeof code === 'string' && OUR_MISTAKE.has(code)) return undefined;
  // Fetch's TypeError and undici's SocketError carry the reason as their cause.
  const deeper = depth < CAUSES_DEEP_MAX ? read(error.cause, depth + 1) : undefined;
  if (deeper !== undefined) return deeper;
  if (typeof code !== 'string') return undefined;
  const isUnsent = NOT_SENT.has(code) || (typeof syscall === 'string' && BEFORE_SENDING.has(syscall));
  if (!isUnsent && !OF_THE_NETWORK.test(code)) return undefined;
  return { code, certainty: isUnsent ? 'no' : 'unknown' };
}
