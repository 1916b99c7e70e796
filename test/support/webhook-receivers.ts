/** Endpoints on this machine, each a path of one server, that answer as they are told and keep what they got. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Receivers {
  /** Of the endpoint of this name. */
  url(name: string): string;
  /** How an endpoint answers from now on; by default 204 at once. */
  answer(name: string, how: (response: ServerResponse, nth: number) => void): void;
  /** What an endpoint got so far. */
  got(name: string): readonly Received[];
  /** Connections so far. */
  connections(): number;
  close(): Promise<void>;
}

export async function startReceivers(): Promise<Receivers> {
  const got = new Map<string, Received[]>();
  const answers = new Map<string, (response: ServerResponse, nth: number) => void>();
  let connections = 0;
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const all = got.get(path) ?? [];
      got.set(path, all);
      all.push({ path, headers: request.headers, body: Buffer.concat(chunks) });
      const answer = answers.get(path);
      if (answer) answer(response, all.length);
      else response.writeHead(204).end();
    });
  });
  server.on('connection', () => (connections += 1));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: (name) => `http://127.0.0.1:${port}/${name}`,
    answer: (name, how) => void answers.set(`/${name}`, how),
    got: (name) => got.get(`/${name}`) ?? [],
    connections: () => connections,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
