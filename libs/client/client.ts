/** `createClient`: Longhaul's API for TypeScript, on Node's fetch alone. */
import { randomUUID } from 'node:crypto';
import { RETRY_DEFAULT, type RetryPolicy } from './backoff.js';
import type { DeadLetter, DecisionRequest } from './dead-letter.types.js';
import { downloadArtifact, type Downloaded, type DownloadOptions } from './download.js';
import {
  isArtifactLink,
  isTerminal,
  type ArtifactLink,
  type CancelPreview,
  type Job,
  type JobStatus,
  type KindDescription,
  type KindSummary,
} from './job.types.js';
import { parseRetryAfter } from './problem.error.js';
import { createSchedules, type Schedules } from './schedules.js';
import { createTransport, type Answer } from './transport.js';
import { watchJob, type Polled, type WatchOptions } from './watch.js';
import { createEmails, type Emails } from './emails.js';
import { createWebhooks, type Webhooks } from './webhooks.js';

/** What a client knows of a kind: what goes in and what comes out. */
export interface KindTypes {
  readonly input: unknown;
  readonly result: unknown;
}

/** `{'report.export': KindOf<typeof reportExport>}` types the client by the very definitions the server runs. */
export interface KindOf<D extends { readonly input: ZodLike; readonly result: ZodLike }> extends KindTypes {
  readonly input: D['input']['_zod']['input'];
  readonly result: D['result']['_zod']['output'];
}
interface ZodLike {
  readonly _zod: { readonly input: unknown; readonly output: unknown };
}

export type AnyKinds = Readonly<Record<string, KindTypes>>;

export interface ClientOptions {
  /** The API's address, e.g. `http://127.0.0.1:3000`. */
  readonly url: string;
  /** `lh_<env>_<id>_<secret>`. */
  readonly key: string;
  readonly retry?: Partial<RetryPolicy>;
  /** For one attempt of one request. Default 30 s. */
  readonly timeoutMs?: number;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface SubmitOptions extends CallOptions {
  /** By default a random one a call, so that a retried request makes one job. Give your own to cover restarts of your process. */
  readonly idempotencyKey?: string | undefined;
  /** The natural key, for kinds that declare none of their own. */
  readonly key?: string | undefined;
  /** Starts a successor of a job that failed, was cancelled, or whose result has expired. */
  readonly onDuplicate?: 'restart' | undefined;
  /** The job starts then (RFC 3339), and its deadline counts from there; at most 90 days ahead. */
  readonly delayUntil?: string | undefined;
  /** Is sent a signed event when the job has ended, however it did. */
  readonly callback?: { readonly url: string } | undefined;
  /** Lets the server wait so long (at most 30) for the end before it answers. */
  readonly waitSeconds?: number | undefined;
}

export interface Submitted<Result> {
  readonly job: Job<Result>;
  /** `accepted`: new. `duplicate`: the same natural key was there. `replayed`: the same idempotency key was. */
  readonly outcome: 'accepted' | 'duplicate' | 'replayed';
}

export interface ListOptions extends CallOptions {
  readonly kind?: string | undefined;
  readonly status?: JobStatus | undefined;
  readonly key?: string | undefined;
  /** Jobs that this job started. */
  readonly parent?: string | undefined;
  /** RFC 3339; jobs created since then. */
  readonly since?: string | undefined;
  /** Jobs a page, 1 to 200. */
  readonly pageSize?: number | undefined;
}

export interface DeadLetterListOptions extends CallOptions {
  /** The parks of one job. */
  readonly job?: string | undefined;
  readonly kind?: string | undefined;
  readonly step?: string | undefined;
  /** Of the last error. */
  readonly code?: string | undefined;
  /** `open`: the job still waits there. */
  readonly status?: 'open' | 'closed' | undefined;
  /** Dead letters a page, 1 to 200. */
  readonly pageSize?: number | undefined;
}

/** Parked jobs of every tenant; needs an operator's key. */
export interface DeadLetters {
  /** All that match, the latest park first; pages are fetched as the loop reaches them. */
  list(options?: DeadLetterListOptions): AsyncGenerator<DeadLetter, void>;
  get(id: string, options?: CallOptions): Promise<DeadLetter>;
  /** Resolves when the decision is stored durably. Throws `decision_not_possible`, which says what is. */
  decide(id: string, decision: DecisionRequest, options?: CallOptions): Promise<Job>;
}

export interface Client<Kinds extends AnyKinds = AnyKinds> {
  /** Asks for a job. Resolves when it is stored durably, not when it is done. */
  submit<K extends keyof Kinds & string>(
    kind: K,
    input: Kinds[K]['input'],
    options?: SubmitOptions,
  ): Promise<Submitted<Kinds[K]['result']>>;
  get(id: string, options?: CallOptions): Promise<Job>;
  /** All jobs that match, newest first; pages are fetched as the loop reaches them. */
  list(options?: ListOptions): AsyncGenerator<Job, void>;
  /** Each newer state of the job, live; the last one is terminal. */
  watch(id: string, options?: WatchOptions): AsyncGenerator<Job, void>;
  /** Waits for the end and returns the terminal job, whatever its status. */
  wait(id: string, options?: WatchOptions): Promise<Job>;
  /** The result of a job without an artifact, or the artifact's link. Throws `result_not_ready`, `job_failed`, … */
  result(id: string, options?: CallOptions): Promise<unknown>;
  /** A freshly signed link to the artifact. */
  artifact(id: string, options?: CallOptions): Promise<ArtifactLink>;
  /** Streams the artifact to a file, resuming after breaks, and verifies size and SHA-256. */
  download(id: string, options: DownloadOptions): Promise<Downloaded>;
  /** Asks for the cancellation; completion may still win. Throws `too_late` past the commit point. */
  cancel(id: string, options?: CallOptions & { reason?: string | undefined }): Promise<Job>;
  /** What a cancel would undo now. Changes nothing. */
  previewCancel(id: string, options?: CallOptions): Promise<CancelPreview>;
  kinds(options?: CallOptions): Promise<KindSummary[]>;
  /** One kind with its input's JSON Schema, steps and diagram. */
  kind(name: string, options?: CallOptions): Promise<KindDescription>;
  readonly deadLetters: DeadLetters;
  /** Endpoints that the tenant's events (`webhook.fanout`) go to. */
  readonly webhooks: Webhooks;
  /** Jobs that are asked for again and again. */
  readonly schedules: Schedules;
  /** Templates, recipients and messages of e-mail (`email.send`). */
  readonly emails: Emails;
}

const TIMEOUT_DEFAULT_MS = 30_000;

/** Makes a client. Nothing is sent until a method is called. */
export function createClient<Kinds extends AnyKinds = AnyKinds>(options: ClientOptions): Client<Kinds> {
  const retry: RetryPolicy = { ...RETRY_DEFAULT, ...options.retry };
  const transport = createTransport({
    url: options.url,
    key: options.key,
    retry,
    timeoutMs: options.timeoutMs ?? TIMEOUT_DEFAULT_MS,
  });
  const pathOf = (id: string, tail = ''): string => `/jobs/${encodeURIComponent(id)}${tail}`;

  async function read(path: string, signal: AbortSignal | undefined): Promise<unknown> {
    return (await transport.call({ method: 'GET', path, signal })).body;
  }

  async function poll(
    id: string,
    etag: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Polled | undefined> {
    const answer = await transport.call({
      method: 'GET',
      path: pathOf(id),
      signal,
      ...(etag === undefined ? {} : { headers: { 'if-none-match': etag } }),
    });
    if (answer.status === 304) return undefined;
    return {
      job: answer.body as Job,
      etag: answer.headers.get('etag') ?? undefined,
      retryAfterMs: parseRetryAfter(answer.headers.get('retry-after')),
    };
  }

  async function* pages<T>(path: string, query: string, signal: AbortSignal | undefined) {
    for (let next: string | undefined = query; next !== undefined;) {
      const answer: Answer = await transport.call({ method: 'GET', path: path + next, signal });
      yield* (answer.body as { items: T[] }).items;
      next = nextQuery(answer.headers.get('link'));
    }
  }

  const client: Client<Kinds> = {
    async submit(kind, input, { idempotencyKey = randomUUID(), waitSeconds, signal, ...wishes } = {}) {
      const answer = await transport.call({
        method: 'POST',
        path: '/jobs',
        headers: {
          'idempotency-key': idempotencyKey,
          ...(waitSeconds === undefined ? {} : { prefer: `wait=${waitSeconds}` }),
        },
        body: { kind, input, ...wishes },
        signal,
        extraMs: (waitSeconds ?? 0) * 1000,
      });
      return { job: answer.body as Job<Kinds[typeof kind]['result']>, outcome: outcomeOf(answer) };
    },

    async get(id, { signal } = {}) {
      return (await read(pathOf(id), signal)) as Job;
    },

    list: ({ signal, pageSize, ...filters } = {}) =>
      pages<Job>('/jobs', toQuery({ ...filters, limit: pageSize }), signal),

    watch: (id, watchOptions) =>
      watchJob({ id, transport, retry, poll: (etag, signal) => poll(id, etag, signal) }, watchOptions),

    async wait(id, watchOptions) {
      for await (const job of client.watch(id, watchOptions)) {
        if (isTerminal(job)) return job;
      }
      throw new Error(`The states of job ${id} ended before the job did.`);
    },

    result: (id, { signal } = {}) => read(pathOf(id, '/result'), signal),

    async artifact(id, { signal } = {}) {
      const link = await read(pathOf(id, '/result'), signal);
      if (!isArtifactLink(link))
        throw new TypeError(`Job ${id} has a result but no artifact; read it with result().`);
      return link;
    },

    download: (id, downloadOptions) =>
      downloadArtifact(() => client.artifact(id, { signal: downloadOptions.signal }), retry, downloadOptions),

    async cancel(id, { reason, signal } = {}) {
      const path = pathOf(id, '/cancel');
      // Asking twice is one wish: safe to repeat without a key.
      return (await transport.call({ method: 'POST', path, body: { reason }, signal })).body as Job;
    },

    async previewCancel(id, { signal } = {}) {
      const path = pathOf(id, '/cancel?dryRun=true');
      return (await transport.call({ method: 'POST', path, body: {}, signal })).body as CancelPreview;
    },

    async kinds({ signal } = {}) {
      return ((await read('/kinds', signal)) as { items: KindSummary[] }).items;
    },

    async kind(name, { signal } = {}) {
      return (await read(`/kinds/${encodeURIComponent(name)}`, signal)) as KindDescription;
    },

    deadLetters: {
      list: ({ signal, pageSize, ...filters } = {}) =>
        pages<DeadLetter>('/dead-letters', toQuery({ ...filters, limit: pageSize }), signal),

      async get(id, { signal } = {}) {
        return (await read(`/dead-letters/${encodeURIComponent(id)}`, signal)) as DeadLetter;
      },

      async decide(id, decision, { signal } = {}) {
        const path = `/dead-letters/${encodeURIComponent(id)}/decisions`;
        // The same decision twice is one: safe to repeat.
        return (await transport.call({ method: 'POST', path, body: decision, signal })).body as Job;
      },
    },

    schedules: createSchedules(transport, (path, query, signal) => pages(path, toQuery(query), signal)),

    webhooks: createWebhooks(transport, (path, query, signal) => pages(path, toQuery(query), signal)),
    emails: createEmails(transport, (path, query, signal) => pages(path, toQuery(query), signal)),
  };
  return client;
}

function outcomeOf(answer: Answer): Submitted<unknown>['outcome'] {
  if (answer.headers.get('idempotent-replayed') === 'true') return 'replayed';
  return (answer.body as Job).duplicate === true ? 'duplicate' : 'accepted';
}

function toQuery(fields: Readonly<Record<string, string | number | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) query.set(name, String(value));
  return query.size > 0 ? `?${query.toString()}` : '';
}

/**
 * The query of `Link: <…>; rel="next"`. Only the query: the key is never sent to an address that an answer names,
 * and the API may be reached by another name than its public one.
 */
function nextQuery(link: string | null): string | undefined {
  for (const entry of (link ?? '').split(/,\s*(?=<)/)) {
    const target = /^<([^>]*)>.*;\s*rel="?next"?/i.exec(entry)?.[1];
    if (target !== undefined) return new URL(target, 'http://longhaul.invalid').search;
  }
  return undefined;
}
