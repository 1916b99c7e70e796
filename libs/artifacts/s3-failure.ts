/** What an error of S3, or of the way there, means: said once, for every call. */
import { StoreFailure, type StoreVerdict } from './artifact-store.js';

/** Answers that are part of a conversation, not failures: what was asked for is not there, or not as supposed. */
export type S3Answer = 'absent' | 'exists' | 'upload-gone';

const ABSENT = new Set(['NoSuchKey', 'NotFound']);
const CONDITION_FAILED = 412;
/** Two conditional writes met; neither knows yet who won. */
const CONFLICT = 409;
const TOO_MANY = 429;
const REQUEST_TIMEOUT = 408;
const DENIED = new Set([301, 307, 401, 403]);
/** By name, whatever their status is. */
const BY_NAME: Readonly<Record<string, StoreVerdict>> = {
  NoSuchBucket: 'denied',
  InvalidAccessKeyId: 'denied',
  SignatureDoesNotMatch: 'denied',
  PermanentRedirect: 'denied',
  AuthorizationHeaderMalformed: 'denied',
  IllegalLocationConstraintException: 'denied',
  CredentialsProviderError: 'denied',
  RequestTimeTooSkewed: 'busy',
  RequestTimeout: 'busy',
  SlowDown: 'busy',
  InternalError: 'busy',
  ExpiredToken: 'busy',
  // A body that arrived damaged: the bytes sent again are good.
  BadDigest: 'busy',
  XAmzContentSHA256Mismatch: 'busy',
  IncompleteBody: 'busy',
  TimeoutError: 'busy',
};
/** The socket and the resolver; the server may or may not have heard. */
const NETWORK = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'ERR_STREAM_PREMATURE_CLOSE',
]);

/** What S3 answered, where it is something the caller asked about; undefined for everything else. */
export function s3Answer(error: unknown): S3Answer | undefined {
  const { name, status } = read(error);
  if (name === 'NoSuchUpload') return 'upload-gone';
  if (status === CONDITION_FAILED || name === 'PreconditionFailed') return 'exists';
  return ABSENT.has(name) ? 'absent' : undefined;
}

/** The error in the store's words; what is none of S3's (an abort, a bug of ours) comes back as it was. */
export function s3Failure(error: unknown): unknown {
  if (error instanceof StoreFailure) return error;
  const { name, status, code } = read(error);
  const verdict = verdictOf(name, status, code);
  if (verdict === undefined) return error;
  return new StoreFailure(verdict, code !== undefined && NETWORK.has(code) ? code : `${name}`, {
    cause: error,
  });
}

function verdictOf(
  name: string,
  status: number | undefined,
  code: string | undefined,
): StoreVerdict | undefined {
  if (name in BY_NAME) return BY_NAME[name];
  if (code !== undefined && NETWORK.has(code)) return 'busy';
  if (status === undefined) return undefined;
  if (status >= 500 || status === TOO_MANY || status === CONFLICT || status === REQUEST_TIMEOUT)
    return 'busy';
  if (DENIED.has(status)) return 'denied';
  // An answer of success that could not be read, e.g. a body cut short.
  return status < 300 ? 'busy' : 'refused';
}

function read(error: unknown): { name: string; status: number | undefined; code: string | undefined } {
  if (!(error instanceof Error)) return { name: '', status: undefined, code: undefined };
  const { code, $metadata } = error as { code?: unknown; $metadata?: { httpStatusCode?: number } };
  return {
    name: error.name,
    status: $metadata?.httpStatusCode,
    code: typeof code === 'string' ? code : undefined,
  };
}
