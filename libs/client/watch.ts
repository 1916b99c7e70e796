/** Follows a job to its end: server-sent events, reconnected by `Last-Event-ID`, and polling where those do not get through. */
import { backoffMs, sleep, type RetryPolicy } from './backoff.js';
import { isTerminal, type Job } from './job.types.js';
import { toProblemError, type ProblemError } from './problem.error.js';
import { readServerSentEvents } from './server-sent-events.js';
import { isNetworkError, isTransient, type Transport } from './transport.js';

export interface WatchOptions {
  readonly signal?: AbortSignal | undefined;
  /** Silence after which a connection counts as dead. The API sends at least a comment every 15 s. Default 45 s. */
  readonly idleTimeoutMs?: number;
  /** Tells how the job is being followed, for a reader who wonders about the pace. */
  readonly onMode?: (mode: 'events' | 'polling') => void;
}

export interface Polled {
  readonly job: Job;
  readonly etag: string | undefined;
  readonly retryAfterMs: number | undefined;
}

export interface WatchedJob {
  readonly id: string;
  readonly transport: Transport;
  readonly retry: RetryPolicy;
  /** Reads the job, or undefined while it still is what `etag` names. */
  poll(etag: string | undefined, signal: AbortSignal | undefined): Promise<Polled | undefined>;
}

/** So many connections in a row that brought no event, and polling takes over. */
const FRUITLESS_CONNECTIONS_MAX = 3;
const IDLE_TIMEOUT_DEFAULT_MS = 45_000;
const POLL_INTERVAL_DEFAULT_MS = 1_000;

type StreamEnd = 'terminal' | 'cut' | 'unavailable';

/**
 * Yields each state of the job that is newer than the last, the present one first and the terminal one last.
 * Throws ProblemError for what no retry mends (401, 404); ends by the signal's reason when it aborts.
 */
export async function* watchJob(watched: WatchedJob, options: WatchOptions = {}): AsyncGenerator<Job, void> {
  const seen = { revision: undefined as string | undefined };
  options.onMode?.('events');
  for (let fruitless = 0; fruitless < FRUITLESS_CONNECTIONS_MAX;) {
    const before = seen.revision;
    const end = yield* followEvents(watched, seen, options);
    if (end === 'terminal') return;
    if (end === 'unavailable') break;
    fruitless = seen.revision === before ? fruitless + 1 : 0;
    await sleep(backoffMs(watched.retry, Math.max(1, fruitless)), options.signal);
  }
  options.onMode?.('polling');
  yield* followByPolling(watched, seen, options);
}

/** One connection. The caller decides what its end means. */
async function* followEvents(
  { id, transport }: WatchedJob,
  seen: { revision: string | undefined },
  options: WatchOptions,
): AsyncGenerator<Job, StreamEnd> {
  const silence = new AbortController();
  const idleMs = options.idleTimeoutMs ?? IDLE_TIMEOUT_DEFAULT_MS;
  const timer = setTimeout(() => silence.abort(new Error(`no byte for ${idleMs} ms`)), idleMs);
  const signal = options.signal ? AbortSignal.any([options.signal, silence.signal]) : silence.signal;
  try {
    const response = await transport.open(
      `/jobs/${encodeURIComponent(id)}/events`,
      {
        accept: 'text/event-stream',
        ...(seen.revision === undefined ? {} : { 'last-event-id': seen.revision }),
      },
      signal,
    );
    if (response.status >= 400) return endOfRefusal(await toProblemError(response));
    if (response.status !== 200 || !response.body || !isEventStream(response)) {
      await response.body?.cancel();
      return 'unavailable';
    }
    for await (const event of readServerSentEvents(response.body, () => timer.refresh())) {
      if (event.event !== 'job' || !isNewer(event.id, seen.revision)) continue;
      const job = JSON.parse(event.data) as Job;
      seen.revision = event.id ?? String(job.revision);
      yield job;
      if (isTerminal(job)) return 'terminal';
    }
    return 'cut';
  } catch (error) {
    options.signal?.throwIfAborted();
    if (silence.signal.aborted || isNetworkError(error)) return 'cut';
    throw error;
  } finally {
    clearTimeout(timer);
    silence.abort(new Error('done with this connection'));
  }
}

function endOfRefusal(problem: ProblemError): StreamEnd {
  if (isTransient(problem)) return 'cut';
  // 404 is the job's own answer; a door that does not know event streams answers 405 or 406.
  if (problem.status === 405 || problem.status === 406) return 'unavailable';
  throw problem;
}

const isEventStream = (response: Response): boolean =>
  (response.headers.get('content-type') ?? '').startsWith('text/event-stream');

function isNewer(revision: string | undefined, last: string | undefined): boolean {
  return revision === undefined || last === undefined || BigInt(revision) > BigInt(last);
}

async function* followByPolling(
  watched: WatchedJob,
  seen: { revision: string | undefined },
  options: WatchOptions,
): AsyncGenerator<Job, void> {
  let etag: string | undefined;
  let waitMs = POLL_INTERVAL_DEFAULT_MS;
  for (;;) {
    const polled = await watched.poll(etag, options.signal);
    if (polled) {
      etag = polled.etag;
      waitMs = polled.retryAfterMs ?? POLL_INTERVAL_DEFAULT_MS;
      const revision = String(polled.job.revision);
      if (isNewer(revision, seen.revision) || isTerminal(polled.job)) {
        seen.revision = revision;
        yield polled.job;
      }
      if (isTerminal(polled.job)) return;
    }
    await sleep(Math.min(waitMs, watched.retry.mostMs), options.signal);
  }
}
