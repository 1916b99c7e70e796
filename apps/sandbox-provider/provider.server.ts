/** The provider's HTTP server: keys, bodies, sockets; what it answers comes from the routes. */
import { timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { json, refusal, type Answer } from './answer.js';
import { createFaultsStore } from './faults.store.js';
import { openProviderDatabase, type Opening } from './provider.database.js';
import { createProvider } from './provider.routes.js';
import { createTransfersStore } from './transfers.store.js';

const BODY_BYTES_MAX = 2 * 1024 * 1024;
/** Whoever still waits for a hanging request then, is let go. */
const HANG_MS_MAX = 300_000;

export interface ProviderOptions {
  /** 0: any free one. */
  readonly port: number;
  readonly host?: string;
  /** The file of its database. */
  readonly data: string;
  /** What callers show as `Authorization: Bearer …`. */
  readonly key: string;
  /** Of a file that is made. */
  readonly opening?: Opening;
  /** Told of what should not have happened; the caller has had a 500. */
  readonly onError: (error: unknown) => void;
}

export interface RunningProvider {
  readonly url: string;
  /** Cuts every connection; what was committed stays. */
  close(): Promise<void>;
}

/** Opens the database and listens. Throws where the port is taken. */
export async function startProvider(options: ProviderOptions): Promise<RunningProvider> {
  const database = openProviderDatabase(options.data, options.opening);
  const stopping = new AbortController();
  const provide = createProvider({
    database,
    transfers: createTransfersStore(database),
    faults: createFaultsStore(database),
    stopped: stopping.signal,
  });
  const server = createServer((request, response) => {
    answer(request, response)
      .catch((error: unknown): Answer => {
        if (stopping.signal.aborted) return { kind: 'drop' };
        options.onError(error);
        return refusal(500, 'internal_error', 'The provider failed.');
      })
      .then((result) => send(request.socket, response, result))
      .catch(options.onError);
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<Answer> {
    const url = new URL(request.url ?? '/', 'http://provider');
    if (url.pathname === '/healthz') return json(200, { status: 'ok' });
    if (!isKnown(request.headers.authorization, options.key)) {
      return refusal(401, 'unauthorized', 'Authorization: Bearer with the key is missing.');
    }
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const body = await readBody(request);
    if (body.kind === 'json') return body;
    const key = request.headers['idempotency-key'];
    return provide({
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      idempotencyKey: typeof key === 'string' ? key : undefined,
      body: body.value,
      gone: gone.signal,
    });
  }

  server.listen(options.port, options.host ?? '127.0.0.1');
  await once(server, 'listening').catch((error: unknown) => {
    database.close();
    throw error;
  });
  const { address, port } = server.address() as AddressInfo;
  return {
    url: `http://${address.includes(':') ? `[${address}]` : address}:${port}`,
    async close() {
      stopping.abort();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      database.close();
    },
  };
}

function send(socket: Socket, response: ServerResponse, answer: Answer): void {
  if (answer.kind !== 'json') {
    const wait = answer.kind === 'hang' ? HANG_MS_MAX : 0;
    const timer = setTimeout(() => socket.resetAndDestroy(), wait);
    socket.once('close', () => clearTimeout(timer));
    return;
  }
  const text = answer.body === undefined ? '' : JSON.stringify(answer.body);
  response.writeHead(answer.status, {
    ...(text === '' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
    ...answer.headers,
  });
  if (!answer.isCut) {
    response.end(text);
    return;
  }
  response.write(text.slice(0, Math.floor(text.length / 2)), () => socket.resetAndDestroy());
}

type Body = { readonly kind: 'body'; readonly value: unknown } | ReturnType<typeof refusal>;

async function readBody(request: IncomingMessage): Promise<Body> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // The rest is read and thrown away, so that the caller can read the answer.
    if (bytes <= BODY_BYTES_MAX) chunks.push(chunk);
  }
  if (bytes > BODY_BYTES_MAX) return refusal(413, 'body_too_large', `At most ${BODY_BYTES_MAX} bytes.`);
  if (bytes === 0) return { kind: 'body', value: undefined };
  try {
    return { kind: 'body', value: JSON.parse(Buffer.concat(chunks).toString('utf8')) };
  } catch (error) {
    return refusal(400, 'invalid_json', error instanceof Error ? error.message : String(error));
  }
}

function isKnown(header: string | undefined, key: string): boolean {
  const given = Buffer.from(header ?? '');
  const wanted = Buffer.from(`Bearer ${key}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
