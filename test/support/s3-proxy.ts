/** Stands between the store and its server, and lets answers be lost: what was asked for is done, and nobody hears of it. */
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface S3Proxy {
  readonly endpoint: string;
  /** What was answered so far, in order, as `PUT part-00000?partNumber&uploadId`. */
  readonly answered: string[];
  close(): Promise<void>;
}

/**
 * `lose` is asked when the server at `port` has carried a request out: whether its answer is kept back. `onBody` hears
 * of each piece of a body that was passed on, with the request's name and the bytes of the body so far.
 */
export async function startS3Proxy(
  port: number,
  lose: (name: string, answered: readonly string[]) => boolean,
  onBody: (name: string, bytes: number) => void = () => undefined,
): Promise<S3Proxy> {
  const answered: string[] = [];
  const server: Server = createServer((incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const name = nameOf(method ?? '', url ?? '');
    const forwarded = request({ host: '127.0.0.1', port, method, path: url, headers }, (answer) => {
      answered.push(name);
      if (lose(name, answered)) {
        answer.resume();
        outgoing.destroy();
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    // Either side may be gone: what the server got in half is what it got.
    forwarded.on('error', () => outgoing.destroy());
    incoming.on('error', () => forwarded.destroy());
    outgoing.on('error', () => undefined);
    let bytes = 0;
    incoming.on('data', (chunk: Buffer) => onBody(name, (bytes += chunk.length)));
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
