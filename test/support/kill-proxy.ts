/** Stands between a process and a server, and kills the process after so many answers, before it hears the last of them. */
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface KillProxy {
  readonly endpoint: string;
  /** What was answered so far, in order, as `PUT part-00000?partNumber`. */
  readonly answered: string[];
  close(): Promise<void>;
}

/** `kill` is called once, when the `after`-th request (from 1) has been carried out by the server at `port`. */
export async function startKillProxy(port: number, after: number, kill: () => void): Promise<KillProxy> {
  const answered: string[] = [];
  const server: Server = createServer((incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const forwarded = request(
      { host: '127.0.0.1', port, method, path: url, headers: { ...headers } },
      (answer) => {
        answered.push(nameOf(method ?? '', url ?? ''));
        if (answered.length === after) {
          kill();
          answer.resume();
          return;
        }
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(outgoing);
      },
    );
    // Its other side was killed: what it sent in half is what the server got.
    forwarded.on('error', () => outgoing.destroy());
    incoming.on('error', () => forwarded.destroy());
    outgoing.on('error', () => undefined);
    incoming.pipe(forwarded);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: own } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${own}`,
    answered,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function nameOf(method: string, url: string): string {
  const { pathname, searchParams } = new URL(url, 'http://localhost');
  const what = [...searchParams.keys()].filter((name) => !name.startsWith('x-'));
  return `${method} ${pathname.split('/').at(-1)}${what.length > 0 ? `?${what.sort().join('&')}` : ''}`;
}
