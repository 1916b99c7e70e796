import { once } from 'node:events';
import { request as nodeRequest } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { Client, request } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import { networkFailure } from '../../../libs/http/network-failure.js';
import { toFailure, Transient, type Failure } from '../../../libs/saga/failure.js';
import { freePort } from '../../support/ports.js';
import { KEY, CERTIFICATE } from './self-signed.js';

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n';
const open: (Server | Client)[] = [];
const sockets = new Set<Socket>();

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  for (const each of open.splice(0)) {
    if (each instanceof Client) await each.destroy();
    else await new Promise<void>((resolve) => each.close(() => resolve()));
  }
});

/** A server of bytes: `answer` has the socket once a whole request head has arrived. */
async function listen(
  answer: (socket: Socket) => void,
  server = createServer(),
  event = 'connection',
): Promise<string> {
  server.on(event, (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    let head = '';
    socket.on('data', (bytes) => {
      head += bytes.toString('latin1');
      if (head.includes('\r\n\r\n')) answer(socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push(server);
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

type Caller = (url: string, signal?: AbortSignal) => Promise<unknown>;
const callers: readonly (readonly [string, Caller])[] = [
  [
    'undici',
    async (url, signal) => {
      const answer = await request(url, { method: 'POST', body: '{}', ...(signal ? { signal } : {}) });
      return answer.body.text();
    },
  ],
  [
    'fetch',
    async (url, signal) => {
      const answer = await fetch(url, { method: 'POST', body: '{}', ...(signal ? { signal } : {}) });
      return answer.text();
    },
  ],
  [
    'node:http',
    (url, signal) =>
      new Promise((resolve, reject) => {
        const sent = nodeRequest(
          url,
          { method: 'POST', agent: false, ...(signal ? { signal } : {}) },
          (answer) => {
            answer.on('error', reject);
            answer.on('end', resolve);
            answer.resume();
          },
        );
        sent.on('error', reject);
        sent.end('{}');
      }),
  ],
];

/** What the call's error is to a saga; fails the test if the call succeeds or its error is nobody's. */
async function failureOf(call: Promise<unknown>): Promise<Failure> {
  const error = await call.then(
    () => Promise.reject(new Error('The call succeeded')),
    (reason: unknown) => reason,
  );
  const failure = networkFailure(error, 'The call');
  expect(failure, String(error)).toBeInstanceOf(Transient);
  return toFailure(failure, 'no');
}

describe.each(callers)('with %s', (_name, call) => {
  it('a refused connection certainly did nothing', async () => {
    const failure = await failureOf(call(`http://127.0.0.1:${await freePort()}/`));
    expect(failure).toMatchObject({ class: 'transient', certainty: 'no', code: 'econnrefused' });
  });

  it('a name that refuses at each of its addresses certainly did nothing', async () => {
    const failure = await failureOf(call(`http://localhost:${await freePort()}/`));
    expect(failure).toMatchObject({ certainty: 'no', code: 'econnrefused' });
  });

  it('a name nobody knows certainly did nothing', async () => {
    expect(await failureOf(call('http://nowhere.invalid/'))).toMatchObject({ certainty: 'no' });
  });

  it('a reset before the answer leaves it in doubt', async () => {
    const address = await listen((socket) => socket.resetAndDestroy());
    expect(await failureOf(call(`http://${address}/`))).toMatchObject({ certainty: 'unknown' });
  });

  it('a connection closed before the answer leaves it in doubt', async () => {
    const address = await listen((socket) => socket.end());
    expect(await failureOf(call(`http://${address}/`))).toMatchObject({ certainty: 'unknown' });
  });

  it('a reset within the answer leaves it in doubt', async () => {
    const address = await listen((socket) => {
      socket.write(`${HEAD}{"id":`, () => setImmediate(() => socket.resetAndDestroy()));
    });
    expect(await failureOf(call(`http://${address}/`))).toMatchObject({ certainty: 'unknown' });
  });

  it('an answer cut short leaves it in doubt', async () => {
    const address = await listen((socket) => socket.end(`${HEAD}{"id":`));
    expect(await failureOf(call(`http://${address}/`))).toMatchObject({ certainty: 'unknown' });
  });

  it('an answer that is no HTTP leaves it in doubt', async () => {
    const address = await listen((socket) => socket.end('+OK ready\r\n\r\n'));
    const failure = await failureOf(call(`http://${address}/`));
    expect(failure).toMatchObject({ certainty: 'unknown', code: 'no_http' });
  });

  it('our own abort leaves it in doubt', async () => {
    const stop = new AbortController();
    const address = await listen(() => stop.abort());
    const failure = await failureOf(call(`http://${address}/`, stop.signal));
    expect(failure).toMatchObject({ certainty: 'unknown', code: 'aborted' });
  });

  it('our time-out leaves it in doubt', async () => {
    const address = await listen(() => undefined);
    const failure = await failureOf(call(`http://${address}/`, AbortSignal.timeout(50)));
    expect(failure.class).toBe('transient');
    expect(failure.certainty).toBe('unknown');
  });
});

describe('with undici’s own limits', () => {
  async function through(options: Client.Options, answer: (socket: Socket) => void): Promise<Failure> {
    const client = new Client(`http://${await listen(answer)}`, options);
    open.push(client);
    const call = async (): Promise<string> =>
      (await client.request({ path: '/', method: 'POST', body: '{}' })).body.text();
    return failureOf(call());
  }

  it('headers that do not come leave it in doubt', async () => {
    const failure = await through({ headersTimeout: 50 }, () => undefined);
    expect(failure).toMatchObject({ certainty: 'unknown', code: 'http_headers_timeout' });
  });

  it('a body that does not come leaves it in doubt', async () => {
    const failure = await through({ bodyTimeout: 50 }, (socket) => void socket.write(HEAD));
    expect(failure).toMatchObject({ certainty: 'unknown', code: 'http_body_timeout' });
  });

  it('an answer that is too long leaves it in doubt', async () => {
    const failure = await through({ maxResponseSize: 10 }, (socket) => {
      socket.write(HEAD + 'x'.repeat(100));
    });
    expect(failure).toMatchObject({ certainty: 'unknown', code: 'http_res_exceeded_max_size' });
  });
});

describe('what no network did', () => {
  it.each([
    new TypeError('x is not a function'),
    Object.assign(new Error('no such file'), { code: 'ENOENT', syscall: 'open' }),
    Object.assign(new TypeError('wrong argument'), { code: 'ERR_INVALID_ARG_TYPE' }),
    'a string',
  ])('%s stays what it was', (error) => {
    expect(networkFailure(error, 'The call')).toBe(error);
  });

  it('a wrong argument to undici stays a bug', async () => {
    const error = await request('http://127.0.0.1:1/', { method: 'PO ST' }).catch((e: unknown) => e);
    expect(networkFailure(error, 'The call')).toBe(error);
  });
});

it.each(callers.filter(([name]) => name !== 'node:http'))(
  'a certificate nobody vouches for was sent nothing, by %s',
  async (_name, call) => {
    const server = createTlsServer({ key: KEY, cert: CERTIFICATE });
    let heard = 0;
    const address = await listen(() => (heard += 1), server, 'secureConnection');
    expect(await failureOf(call(`https://${address}/`))).toMatchObject({ certainty: 'no' });
    expect(heard).toBe(0);
  },
);

it('an unreachable host is certain only while connecting', () => {
  const at = (syscall: string) => Object.assign(new Error('no route'), { code: 'EHOSTUNREACH', syscall });
  expect(networkFailure(at('connect'), 'The call')).toMatchObject({ certainty: 'no' });
  expect(networkFailure(at('read'), 'The call')).toMatchObject({ certainty: 'unknown' });
});

it('a broken connection leaves no doubt where the request only reads', () => {
  const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET', syscall: 'read' });
  expect(networkFailure(reset, 'The probe', 'no')).toMatchObject({ certainty: 'no' });
});

it('several addresses are certain only together', () => {
  const at = (code: string, syscall: string) => Object.assign(new Error(code), { code, syscall });
  const mixed = new AggregateError([at('ECONNREFUSED', 'connect'), at('ECONNRESET', 'read')]);
  expect(networkFailure(mixed, 'The call')).toMatchObject({ certainty: 'unknown' });
});
