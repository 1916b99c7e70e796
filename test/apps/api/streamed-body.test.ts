/** Bodies taken as they arrive, and those that are not, by a server of the API's adapter with two routes. */
import type { FastifyInstance } from 'fastify';
import { once } from 'node:events';
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ApiResources } from '../../../apps/api/api.resources.js';
import { createAdapter, installHooks } from '../../../apps/api/http/adapter.js';
import { receive } from '../../../apps/api/http/streamed-body.js';
import { Problem, type ProblemDocument } from '../../../apps/api/problems/problem.js';
import { sendProblem, toProblem } from '../../../apps/api/problems/problem.filter.js';

const BYTES_MAX = 1_000;
const SECOND = 1_000;

interface Setup {
  readonly port: number;
  /** What the handler has read so far, or what it threw. */
  readonly arrived: { bytes: number; problem?: Problem };
  send(path: string, headers?: Record<string, string>): ClientRequest;
}

let instance: FastifyInstance;
let t: Setup;
beforeEach(async () => {
  const publicUrl = 'http://localhost';
  const log = { isLevelEnabled: () => false };
  const resources = { settings: { publicUrl, temporal: {} }, log } as unknown as ApiResources;
  const adapter = createAdapter(resources);
  instance = adapter.getInstance<FastifyInstance>();
  installHooks(adapter, resources, () => {
    throw new Error('nobody is asked for a key here');
  });
  const arrived: Setup['arrived'] = { bytes: 0 };
  const bounds = {
    bytesMax: BYTES_MAX,
    tooLarge: (bytesMax: number) => new Problem('upload_too_large', `${bytesMax} at most`),
  };
  instance.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error, request);
    arrived.problem = problem;
    sendProblem(reply, request, problem, publicUrl);
  });
  const streams = ['text/csv', 'image/*'];
  instance.post('/bytes', { config: { role: 'public', streams } }, (request) =>
    receive(request, bounds, async ({ mediaType, bytes }) => {
      for await (const chunk of bytes) arrived.bytes += chunk.length;
      return { mediaType, bytes: arrived.bytes };
    }),
  );
  instance.post('/json', { config: { role: 'public' } }, () => Promise.resolve({}));
  await instance.listen({ host: '127.0.0.1', port: 0 });
  const { port } = instance.server.address() as AddressInfo;
  const send: Setup['send'] = (path, headers = { 'content-type': 'text/csv' }) => {
    const request = httpRequest({ host: '127.0.0.1', port, path, method: 'POST', headers });
    request.on('error', () => undefined);
    return request;
  };
  t = { port, arrived, send };
});
afterEach(async () => {
  vi.useRealTimers();
  instance.server.closeAllConnections();
  await instance.close();
});

async function answerTo(request: ClientRequest): Promise<{ status?: number | undefined } & object> {
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return { ...(JSON.parse(await text(response)) as ProblemDocument), status: response.statusCode };
}

/** Lets the servers' events come, however many turns of the loop they take. */
async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
}

describe('a body that a route takes as it arrives', () => {
  test('may take its time for as long as bytes come', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const request = t.send('/bytes');
    for (let sent = 1; sent <= 5; sent += 1) {
      request.write('a');
      await until(() => t.arrived.bytes === sent);
      vi.advanceTimersByTime(29 * SECOND);
    }
    request.end();
    expect(await answerTo(request)).toEqual({ status: 200, mediaType: 'text/csv', bytes: 5 });
  });

  test('is given up once none come', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const request = t.send('/bytes');
    request.write('a');
    await until(() => t.arrived.bytes === 1);
    vi.advanceTimersByTime(30 * SECOND);
    expect(await answerTo(request)).toMatchObject({ status: 408, code: 'request_timeout' });
  });

  test('that breaks off is not taken for whole', async () => {
    const request = t.send('/bytes');
    request.write('a');
    await until(() => t.arrived.bytes === 1);
    request.destroy();
    await until(() => t.arrived.problem !== undefined);
    expect(t.arrived.problem).toMatchObject({ code: 'upload_interrupted' });
  });

  test.each([
    ['told', (bytes: number) => ({ 'content-length': String(bytes) })],
    ['not told', () => ({})],
  ])('has a limit in bytes, %s beforehand', async (_, headers) => {
    for (const [bytes, status] of [
      [BYTES_MAX, 200],
      [BYTES_MAX + 1, 413],
    ] as const) {
      t.arrived.bytes = 0;
      const request = t.send('/bytes', { 'content-type': 'image/png', ...headers(bytes) });
      request.end('a'.repeat(bytes));
      expect(await answerTo(request)).toMatchObject({ status });
    }
  });

  test('is heard out where it is refused, however much of it connections cannot hold', async () => {
    const socket = connect(t.port, '127.0.0.1');
    const part = Buffer.alloc(1 << 20);
    const chunk = Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')]);
    socket.write(
      `POST /bytes HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    // As most clients do, it reads no answer before it has sent all.
    for (let sent = 0; sent < 32; sent += 1) {
      if (!socket.write(chunk)) await once(socket, 'drain');
    }
    socket.write('0\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 413 /);
    socket.destroy();
  });

  test('is of the types its route names', async () => {
    const request = t.send('/bytes', { 'content-type': 'text/html' });
    request.end('a');
    expect(await answerTo(request)).toMatchObject({
      status: 415,
      detail: 'Expected Content-Type text/csv or image/*, got "text/html".',
    });
  });
});

test.each(['/json', '/bytes'])('JSON that trickles in at %s is cut off', async (path) => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const request = t.send(path, { 'content-type': 'application/json' });
  request.write('{');
  await until(() => vi.getTimerCount() === 1);
  vi.advanceTimersByTime(30 * SECOND);
  expect(await answerTo(request)).toMatchObject({ status: 408, code: 'request_timeout' });
});
