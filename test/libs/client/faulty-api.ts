/** A small API over a real socket that goes wrong where a test says so. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Job } from '../../../libs/client/job.types.js';

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

type Handler = (request: Seen, response: ServerResponse) => void;

export interface FaultyApi {
  readonly url: string;
  /** Every request that arrived, in order. */
  readonly seen: Seen[];
  /** Answers `METHOD /path` (without query): each request takes the next handler, the last one stays. */
  on(route: string, ...handlers: Handler[]): void;
  close(): Promise<void>;
}

export async function openFaultyApi(): Promise<FaultyApi> {
  const routes = new Map<string, Handler[]>();
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const entry: Seen = {
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      };
      seen.push(entry);
      const handlers = routes.get(`${entry.method} ${entry.url.split('?')[0] ?? ''}`);
      const handler = handlers && handlers.length > 1 ? handlers.shift() : handlers?.[0];
      if (!handler) return problem(404, 'job_not_found')(entry, response);
      handler(entry, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    on: (route, ...handlers) => void routes.set(route, handlers),
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

export function json(status: number, body: unknown, headers: Record<string, string> = {}): Handler {
  return (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };
}

export function problem(
  status: number,
  code: string,
  more: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): Handler {
  return (_, response) => {
    response.writeHead(status, { 'content-type': 'application/problem+json', ...headers }).end(
      JSON.stringify({
        type: `about:blank#${code}`,
        title: code,
        status,
        code,
        traceId: 'trace-1',
        ...more,
      }),
    );
  };
}

/** Takes the request and hangs up without a word. */
export const hangUp: Handler = (_, response) => void response.socket?.destroy();

/**
 * Server-sent events; then the connection ends: `close` politely, `cut` by a reset, `silent` not at all. A reset
 * waits for `cutAfter`: what the receiver had not looked at yet would be lost with it.
 */
export function events(
  jobs: readonly Job[],
  end: 'close' | 'cut' | 'silent',
  cutAfter: Promise<void> = Promise.resolve(),
): Handler {
  return (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(': hello\n\n');
    response.write(
      jobs.map((job) => `event: job\nid: ${job.revision}\ndata: ${JSON.stringify(job)}\n\n`).join(''),
    );
    if (end === 'close') response.end();
    if (end === 'cut') void cutAfter.then(() => response.socket?.resetAndDestroy());
  };
}

interface BytesOptions {
  /** Sends so many bytes of this answer and then cuts the connection… */
  readonly truncateAt?: number;
  /** …once this resolves: a receiver may drop what it had not looked at yet when the connection breaks. */
  readonly cutAfter?: Promise<void>;
  readonly ignoreRange?: boolean;
}

/** Serves bytes, obeying `Range`. */
export function bytes(content: Buffer, options: BytesOptions = {}): Handler {
  return (request, response) => {
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    const from = options.ignoreRange ? 0 : Number(range?.[1] ?? 0);
    const body = content.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, {
      'content-type': 'text/csv',
      'content-length': body.length,
      ...(from > 0 ? { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` } : {}),
    });
    if (options.truncateAt === undefined) return void response.end(body);
    response.write(body.subarray(0, options.truncateAt));
    void (options.cutAfter ?? Promise.resolve()).then(() => response.socket?.destroy());
  };
}

export function jobAt(revision: number, more: Partial<Job> = {}): Job {
  return {
    id: '0199aaaa-0000-7000-8000-000000000001',
    kind: 'report.export',
    key: null,
    status: 'STARTED',
    phase: 'forward',
    revision,
    progress: { percent: revision },
    steps: [],
    createdAt: '2026-01-01T00:00:00Z',
    startedAt: null,
    finishedAt: null,
    deadlineAt: '2026-01-01T06:00:00Z',
    stale: false,
    asOf: '2026-01-01T00:00:00Z',
    delayUntil: null,
    attemptOf: null,
    callback: null,
    schedule: null,
    scheduledAt: null,
    parent: null,
    compensated: null,
    skipped: [],
    leftovers: [],
    result: null,
    error: null,
    links: { self: '', events: '', result: '', cancel: '' },
    ...more,
  };
}

export const sha256Of = (content: Buffer): string => createHash('sha256').update(content).digest('hex');
