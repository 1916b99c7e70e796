import { channel } from 'node:diagnostics_channel';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { cutterOf } from '../../../libs/webhooks/cutter.js';
import { createDeliveryClient, type DeliveryClientOptions } from '../../../libs/webhooks/delivery.client.js';
import { destinationOf } from '../../../libs/webhooks/destination.js';
import { refusalOfUrl, targetPolicy, type TargetPolicy } from '../../../libs/webhooks/target.js';
import { CERTIFICATE, KEY } from '../http/self-signed.js';
import { REFUSED_AT_ONCE, REFUSED_WHEN_DIALLED } from './hostile-urls.js';

const PUBLIC_ONLY = targetPolicy([]);
const LOOPBACK_TOO = targetPolicy(['127.0.0.0/8']);
const LOOPBACK_PRETENDS_PUBLIC: TargetPolicy = targetPolicy(['127.0.0.1/32']);

const closers: (() => Promise<unknown> | void)[] = [];
let sockets = 0;
const onSocket = (): void => void sockets++;

beforeEach(() => {
  sockets = 0;
  channel('net.client.socket').subscribe(onSocket);
});

afterEach(async () => {
  channel('net.client.socket').unsubscribe(onSocket);
  for (const close of closers.splice(0).reverse()) await close();
});

function openClient(options: DeliveryClientOptions) {
  const client = createDeliveryClient(options);
  closers.push(() => client.close());
  return (url: string, signal = new AbortController().signal) =>
    client.deliver(
      { to: destinationOf(url), headers: { 'content-type': 'application/json' }, body: Buffer.from('{}') },
      cutterOf(signal),
    );
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

async function receiver(
  answer: RequestListener,
): Promise<{ url: string; port: number; seen: IncomingMessage[] }> {
  const seen: IncomingMessage[] = [];
  const port = await listen(
    createServer((request, response) => {
      seen.push(request);
      answer(request, response);
    }),
  );
  return { url: `http://127.0.0.1:${port}/hook`, port, seen };
}

describe('hostile URLs', () => {
  test.each(REFUSED_AT_ONCE)('%s is refused, and no socket is made', async (url, reason) => {
    expect(refusalOfUrl(url, PUBLIC_ONLY)).toMatch(reason);
    if (!/^https?:/.test(url) || !URL.canParse(url)) return;
    const resolve = vi.fn(() => Promise.resolve(['127.0.0.1']));
    const answer = await openClient({ policy: PUBLIC_ONLY, resolve })(url);
    expect(answer.kind).toBe('refused');
    expect(sockets).toBe(0);
  });

  test.each(REFUSED_WHEN_DIALLED)(
    '%s, which leads to %j, is refused when dialled',
    async (host, to, reason) => {
      const url = `https://${host}/`;
      expect(refusalOfUrl(url, PUBLIC_ONLY)).toBeUndefined();
      const answer = await openClient({ policy: PUBLIC_ONLY, resolve: () => Promise.resolve(to) })(url);
      expect(answer).toMatchObject({ kind: 'refused', detail: expect.stringMatching(reason) as string });
      expect(sockets).toBe(0);
    },
  );

  test('the addresses of this machine are refused, public ones too', () => {
    const policy = { allowed: [], own: () => new Set(['93.184.216.34']) };
    expect(refusalOfUrl('https://93.184.216.34/', policy)).toMatch(/this machine/);
  });

  test('public addresses and names are not refused', () => {
    for (const url of [
      'https://93.184.216.34/',
      'https://[2606:4700::1111]:8443/x?y=z',
      'https://example.com/',
    ]) {
      expect(refusalOfUrl(url, PUBLIC_ONLY)).toBeUndefined();
    }
  });

  test('a resolver that changes its answer is asked once for each connection, and what it said is dialled', async () => {
    const { port, seen } = await receiver((_, response) => response.end());
    const answers = [['127.0.0.1'], ['10.0.0.1']];
    const resolve = vi.fn(() => Promise.resolve(answers.shift() ?? []));
    const deliver = openClient({ policy: LOOPBACK_PRETENDS_PUBLIC, resolve });
    expect(await deliver(`http://rebinding.example.com:${port}/`)).toMatchObject({ status: 200 });
    expect(resolve).toHaveBeenCalledTimes(1);
    const another = openClient({ policy: LOOPBACK_PRETENDS_PUBLIC, resolve });
    expect(await another(`http://rebinding.example.com:${port}/`)).toMatchObject({ kind: 'refused' });
    expect(seen).toHaveLength(1);
  });

  test('http and other ports are for allowed networks alone, whatever the name says', async () => {
    const resolve = () => Promise.resolve(['93.184.216.34']);
    const deliver = openClient({ policy: LOOPBACK_TOO, resolve });
    expect(await deliver('http://example.com/')).toMatchObject({
      kind: 'refused',
      detail: 'only https is allowed',
    });
    expect(await deliver('https://example.com:9000/')).toMatchObject({ kind: 'refused' });
    expect(sockets).toBe(0);
  });

  test('no proxy of the environment is used', async () => {
    const proxy = await receiver((_, response) => response.end());
    for (const name of ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'ALL_PROXY']) vi.stubEnv(name, proxy.url);
    closers.push(() => void vi.unstubAllEnvs());
    const { url } = await receiver((_, response) => response.writeHead(204).end());
    expect(await openClient({ policy: LOOPBACK_TOO })(url)).toMatchObject({ status: 204 });
    expect(proxy.seen).toHaveLength(0);
  });
});

describe('delivering', () => {
  test('the name stays the server’s for TLS, though the address is dialled', async () => {
    const port = await listen(
      createTlsServer({ key: KEY, cert: CERTIFICATE }, (_, response) => response.end()),
    );
    const resolve = () => Promise.resolve(['127.0.0.1']);
    const options = { policy: LOOPBACK_TOO, resolve };
    expect(await openClient({ ...options, ca: CERTIFICATE })(`https://localhost:${port}/`)).toMatchObject({
      status: 200,
    });
    expect(
      await openClient({ ...options, ca: CERTIFICATE })(`https://other.example.com:${port}/`),
    ).toMatchObject({
      kind: 'unanswered',
      code: 'err_tls_cert_altname_invalid',
    });
    expect(await openClient(options)(`https://localhost:${port}/`)).toMatchObject({ kind: 'unanswered' });
  });

  test('a redirect is not followed', async () => {
    const target = await receiver((_, response) => response.end());
    const { url } = await receiver((_, response) => response.writeHead(302, { location: target.url }).end());
    expect(await openClient({ policy: LOOPBACK_TOO })(url)).toMatchObject({ kind: 'answered', status: 302 });
    expect(target.seen).toHaveLength(0);
  });

  test('of a refusal its redacted head is kept, of a success nothing', async () => {
    const { url } = await receiver((_, response) =>
      response.writeHead(400).end('no such\nkey: sk_live_0123456789abcdefghij for ada@example.com'),
    );
    const answer = await openClient({ policy: LOOPBACK_TOO })(url);
    expect(answer).toMatchObject({ status: 400, head: 'no such key: … for …' });
    const fine = await receiver((_, response) => response.end('welcome'));
    expect(await openClient({ policy: LOOPBACK_TOO })(fine.url)).toMatchObject({
      status: 200,
      head: undefined,
    });
  });

  test('no more than 64 kB of an answer is read', async () => {
    let sent = 0;
    const { url } = await receiver((_, response) => {
      const chunk = Buffer.alloc(16 * 1024);
      const more = (): void => {
        while (!response.destroyed && response.write(chunk)) sent += chunk.length;
      };
      response.on('drain', more);
      more();
    });
    expect(await openClient({ policy: LOOPBACK_TOO })(url)).toMatchObject({ status: 200 });
    await vi.waitFor(() => expect(sent).toBeLessThan(64 * 1024 * 1024));
  });

  test('an endpoint that does not answer in time has not answered', async () => {
    const { url } = await receiver(() => undefined);
    const answer = await openClient({ policy: LOOPBACK_TOO, deliveryMsMax: 50 })(url);
    expect(answer).toMatchObject({ kind: 'unanswered', code: 'timeout' });
  });

  test('Retry-After is read, and an end that is asked for heard', async () => {
    const { url } = await receiver((_, response) => response.writeHead(429, { 'retry-after': '7' }).end());
    const deliver = openClient({ policy: LOOPBACK_TOO });
    expect(await deliver(url)).toMatchObject({ status: 429, retryAfterMs: 7_000 });
    expect(await deliver(url, AbortSignal.abort())).toMatchObject({ kind: 'unanswered', code: 'aborted' });
  });
});
