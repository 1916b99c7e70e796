/**
 * One request to the API: authentication, time-out, retries. Calls are safe to repeat: reads, submissions under an
 * idempotency key, and cancels and decisions, where asking twice is one wish. Those that are not say so (`isOnce`).
 */
import { backoffMs, sleep, type RetryPolicy } from './backoff.js';
import { toProblemError, type ProblemError } from './problem.error.js';

export interface TransportOptions {
  readonly url: string;
  readonly key: string;
  readonly retry: RetryPolicy;
  /** The time one attempt may take until its headers and, for JSON, its body are there. */
  readonly timeoutMs: number;
}

/** What is sent as it is: text, bytes, or bytes that are still being read. */
export type UploadBody = string | Uint8Array | AsyncIterable<Uint8Array>;

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query below the API's URL. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent instead; what is still being read cannot be sent again. */
  readonly upload?: { readonly mediaType: string; readonly body: UploadBody };
  /** Sent as it is instead of a JSON body: made anew for each attempt. */
  readonly bytes?: () => Blob | Uint8Array<ArrayBuffer>;
  readonly signal?: AbortSignal | undefined;
  /** Added to the time-out, for calls that ask the server to wait. */
  readonly extraMs?: number;
  /** Not to be repeated, whatever becomes of it. */
  readonly isOnce?: true;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** The parsed body; undefined for 204 and 304. */
  readonly body: unknown;
}

export interface Transport {
  /** Resolves for 2xx and 304; throws ProblemError for the rest, and the network's error when no attempt got through. */
  call(call: Call): Promise<Answer>;
  /** Opens a stream once, without retry or time-out of its own. */
  open(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response>;
}

/** On top of the usual time: an upload has the ten minutes that the API gives it. */
export const UPLOAD_EXTRA_MS = 570_000;

/** Answers that say "not now", whoever gives them: the API or a proxy before it. */
const STATUS_TRANSIENT = new Set([408, 425, 429, 500, 502, 503, 504]);
const CODE_TRANSIENT = new Set(['idempotency_in_flight']);

export function isTransient(problem: ProblemError): boolean {
  return STATUS_TRANSIENT.has(problem.status) || CODE_TRANSIENT.has(problem.code);
}

export function createTransport(options: TransportOptions): Transport {
  const base = options.url.replace(/\/+$/, '');
  const identity = { authorization: `Bearer ${options.key}`, 'user-agent': 'longhaul-client' };

  async function attempt(call: Call): Promise<Answer> {
    const timeout = AbortSignal.timeout(options.timeoutMs + (call.extraMs ?? 0));
    const response = await fetch(base + call.path, {
      method: call.method,
      headers: {
        accept: 'application/json',
        ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(call.upload ? { 'content-type': call.upload.mediaType } : {}),
        ...(call.bytes ? { 'content-type': 'application/octet-stream' } : {}),
        ...identity,
        ...call.headers,
      },
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      ...(call.upload ? { body: call.upload.body as string, duplex: 'half' as const } : {}),
      ...(call.bytes ? { body: call.bytes() } : {}),
      redirect: 'manual',
      signal: call.signal ? AbortSignal.any([call.signal, timeout]) : timeout,
    });
    // A redirect is not followed: the key would go where an answer points.
    if (response.status >= 300 && response.status !== 304) throw await toProblemError(response);
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? undefined : JSON.parse(text),
    };
  }

  return {
    async call(call) {
      for (let failures = 1; ; failures++) {
        try {
          return await attempt(call);
        } catch (error) {
          call.signal?.throwIfAborted();
          const wait = repeatAfterMs(error, failures, options.retry);
          if (wait === undefined || call.isOnce) throw error;
          await sleep(wait, call.signal);
        }
      }
    },
    open: (path, headers, signal) =>
      fetch(base + path, { headers: { ...identity, ...headers }, redirect: 'manual', signal }),
  };
}

/** How long to wait before the call is made again; undefined: never. */
function repeatAfterMs(error: unknown, failures: number, retry: RetryPolicy): number | undefined {
  if (failures >= retry.attempts) return undefined;
  if (isProblem(error))
    return isTransient(error) ? backoffMs(retry, failures, error.retryAfterMs) : undefined;
  return isNetworkError(error) ? backoffMs(retry, failures) : undefined;
}

function isProblem(error: unknown): error is ProblemError {
  return error instanceof Error && error.name === 'ProblemError';
}

/** Node's fetch throws TypeError when the network failed, with the reason as its cause, and TimeoutError for our time-out. */
export function isNetworkError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (error instanceof TypeError && error.cause !== undefined) || error.name === 'TimeoutError';
}
