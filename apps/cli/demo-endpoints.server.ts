/** Endpoints on this machine for the demo: each a path of one server that verifies what it gets and answers as it is made. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { keyOfSecret, signedHeaders } from '../../libs/webhooks/signature.js';

/** `slow` takes its time; `failing` answers its first request with a 500; `gone` wants nothing any more. */
export type Nature = 'quick' | 'slow' | 'failing' | 'gone';

const SLOW_MS_LEAST = 300;
const SLOW_MS_SPREAD = 900;

/** What came so far. */
export interface Received {
  readonly requests: number;
  /** Signed with the endpoint's own secret, over the very bytes that came. */
  readonly verified: number;
  /** Endpoints that have taken the event. */
  readonly taken: number;
  /** Taken although it had been taken before. */
  readonly repeated: number;
  /** Endpoints that failed, and have not been asked again yet. */
  readonly failed: number;
  readonly gone: number;
}

export interface DemoEndpoints {
  /** Of the endpoint with this number. */
  url(index: number): string;
  /** From then on what it gets is verified. */
  tellSecret(index: number, secret: string): void;
  received(): Received;
  close(): Promise<void>;
}

export async function startDemoEndpoints(natureOf: (index: number) => Nature): Promise<DemoEndpoints> {
  const secrets = new Map<number, string>();
  const taken = new Map<number, number>();
  const failed = new Set<number>();
  const gone = new Set<number>();
  let requests = 0;
  let verified = 0;

  function answer(index: number, response: ServerResponse): void {
    const nature = natureOf(index);
    if (nature === 'gone') {
      gone.add(index);
      response.writeHead(410).end();
      return;
    }
    if (nature === 'failing' && !taken.has(index) && !failed.delete(index)) {
      failed.add(index);
      response.writeHead(500).end('the database is down');
      return;
    }
    const take = (): void => {
      taken.set(index, (taken.get(index) ?? 0) + 1);
      response.writeHead(204).end();
    };
    if (nature === 'slow') setTimeout(take, SLOW_MS_LEAST + ((index * 37) % SLOW_MS_SPREAD));
    else take();
  }

  const server = createServer((request, response) => {
    const index = Number(request.url?.slice(1));
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      requests += 1;
      if (isSigned(request, Buffer.concat(chunks), secrets.get(index))) verified += 1;
      answer(index, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: (index) => `http://127.0.0.1:${port}/${index}`,
    tellSecret: (index, secret) => void secrets.set(index, secret),
    received: () => ({
      requests,
      verified,
      taken: taken.size,
      repeated: [...taken.values()].reduce((sum, times) => sum + times - 1, 0),
      failed: failed.size,
      gone: gone.size,
    }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function isSigned({ headers }: IncomingMessage, body: Buffer, secret: string | undefined): boolean {
  if (secret === undefined) return false;
  const message = {
    id: String(headers['webhook-id']),
    timestampSeconds: Number(headers['webhook-timestamp']),
    body,
  };
  return signedHeaders(message, [keyOfSecret(secret)])['webhook-signature'] === headers['webhook-signature'];
}
