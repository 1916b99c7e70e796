import { connect, createServer, type Server, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApi, type Api } from '../../../apps/api/create-api.js';
import { createLogger } from '../../../libs/telemetry/logger.js';
import { testTemporal } from '../../support/temporal.js';
import { eventually } from '../../support/stack.js';
import { datasets, FakeWorker, freshNote, openEvents, startTestApi, type TestApi } from './support.js';
import { notes } from './kinds.js';

/** A wire to a server that can be cut, and mended at the same address. */
class Wire {
  private server: Server | undefined;
  private readonly sockets = new Set<Socket>();
  port = 0;

  constructor(
    private readonly host: string,
    private readonly target: number,
  ) {}

  async mend(): Promise<void> {
    const server = createServer((near) => {
      const far = connect(this.target, this.host);
      for (const socket of [near, far]) {
        this.sockets.add(socket);
        socket.on('error', () => socket.destroy());
        socket.on('close', () => this.sockets.delete(socket));
      }
      near.pipe(far).pipe(near);
      near.on('close', () => far.destroy());
      far.on('close', () => near.destroy());
    });
    await new Promise<void>((resolve, reject) =>
      server.once('error', reject).listen(this.port, '127.0.0.1', resolve),
    );
    const address = server.address();
    if (address && typeof address === 'object') this.port = address.port;
    this.server = server;
  }

  async cut(): Promise<void> {
    const closed = new Promise((resolve) => this.server?.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }
}

describe('with the database away', () => {
  let t: TestApi;
  let wire: Wire;
  let api: Api;
  const call = (method: string, path: string, json?: unknown): Promise<Response> =>
    fetch(api.url + path, {
      method,
      headers: {
        authorization: `Bearer ${t.acme.key}`,
        ...(json ? { 'content-type': 'application/json' } : {}),
      },
      ...(json ? { body: JSON.stringify(json) } : {}),
    });

  beforeAll(async () => {
    t = await startTestApi();
    const direct = new URL(t.settings.databaseUrl.app);
    wire = new Wire(direct.hostname, Number(direct.port));
    await wire.mend();
    direct.host = `127.0.0.1:${wire.port}`;
    const url = direct.toString();
    api = await createApi(
      { ...t.settings, port: 0, databaseUrl: { owner: url, app: url, worker: url, relay: url } },
      { definitions: [notes], datasets, engine: t.engine },
    );
  });
  afterAll(async () => {
    await api.close();
    await wire.cut();
    await t.close();
  });

  test('everything answers 503 with Retry-After, then works again; an event stream survives', async () => {
    const { id } = (await (await call('POST', '/jobs', freshNote())).json()) as { id: string };
    const stream = await openEvents({ ...t, url: api.url }, `/jobs/${id}/events`);
    expect((await stream.next())?.data.status).toBe('PENDING');
    await wire.cut();
    for (const [method, path, json] of [
      ['POST', '/jobs', freshNote()],
      ['POST', '/jobs/batch', { jobs: [freshNote()] }],
      ['GET', `/jobs/${id}`, undefined],
      ['GET', '/jobs', undefined],
      ['GET', `/jobs/${id}/events`, undefined],
      ['POST', `/jobs/${id}/cancel`, {}],
      ['GET', '/readyz', undefined],
    ] as const) {
      const answer = await call(method, path, json);
      expect([path, answer.status]).toEqual([path, 503]);
      expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
      expect(await answer.json()).toMatchObject({ code: 'database_unavailable' });
    }
    expect((await call('GET', '/healthz')).status).toBe(200);
    await wire.mend();
    await eventually(
      'the API to accept again',
      async () => (await call('POST', '/jobs', freshNote())).status === 202,
    );
    expect((await call('GET', '/readyz')).status).toBe(200);
    await new FakeWorker(t, t.acme).start(id);
    expect((await stream.next())?.data.status).toBe('STARTED');
    stream.end();
  });
});

describe('with the engine away', () => {
  test('jobs are accepted, and read as they were last known; readiness tells', async () => {
    const t = await startTestApi({ definitions: [notes] }, {});
    const real = await createApi({ ...t.settings, port: 0 }, { definitions: [notes], datasets });
    const headers = { authorization: `Bearer ${t.acme.key}`, 'content-type': 'application/json' };
    const accepted = await fetch(`${real.url}/jobs`, {
      method: 'POST',
      headers,
      body: JSON.stringify(freshNote()),
    });
    expect(accepted.status).toBe(202);
    const { id } = (await accepted.json()) as { id: string };
    await new FakeWorker(t, t.acme).start(id);
    const began = performance.now();
    const read = await fetch(`${real.url}/jobs/${id}`, { headers });
    expect(performance.now() - began).toBeLessThan(1_000);
    expect(await read.json()).toMatchObject({ status: 'STARTED', stale: true });
    expect(await (await fetch(`${real.url}/readyz`)).json()).toMatchObject({
      status: 'ready',
      engine: 'down',
    });
    await real.close();
    await t.close();
  });

  test('and there, but without a workflow of that job: stale, not an error; readiness says up', async () => {
    const { address, namespace } = testTemporal();
    const t = await startTestApi({ definitions: [notes] });
    const temporal = { ...t.settings.temporal, address, namespace };
    const real = await createApi({ ...t.settings, port: 0, temporal }, { definitions: [notes], datasets });
    const headers = { authorization: `Bearer ${t.acme.key}`, 'content-type': 'application/json' };
    const accepted = await fetch(`${real.url}/jobs`, {
      method: 'POST',
      headers,
      body: JSON.stringify(freshNote()),
    });
    const { id } = (await accepted.json()) as { id: string };
    const read = async () => (await fetch(`${real.url}/jobs/${id}`, { headers })).json();
    await t.owner.query(`update longhaul.jobs set created_at = now() - interval '6 s' where id = $1`, [id]);
    expect(await read()).toMatchObject({
      progress: { message: expect.stringMatching(/nobody polls .*notes-io$/) as string },
    });
    await new FakeWorker(t, t.acme).start(id);
    expect(await read()).toMatchObject({ stale: true });
    expect(await (await fetch(`${real.url}/readyz`)).json()).toMatchObject({ engine: 'up' });
    await real.close();
    await t.close();
  });
});

describe('shutdown', () => {
  test('ends event streams and waits at once, and leaves nothing open', async () => {
    const t = await startTestApi();
    const { json } = await t.call('POST', '/jobs', { json: freshNote() });
    const stream = await openEvents(t, `/jobs/${json.id}/events`);
    await stream.next();
    const waiting = t.call('POST', '/jobs', { json: freshNote(), headers: { prefer: 'wait=30' } });
    await eventually('the wait to be watched', async () => {
      const { rows } = await t.owner.query('select 1');
      const list = await t.call('GET', '/jobs?limit=2');
      return rows.length === 1 && list.json.items.length === 2;
    });
    const idle = connect(Number(new URL(t.url).port), '127.0.0.1');
    await new Promise((resolve) => idle.once('connect', resolve));
    idle.on('error', () => idle.destroy());
    const began = performance.now();
    const closing = t.close();
    expect((await waiting).status).toBe(202);
    expect(await stream.next()).toBeUndefined();
    await closing;
    expect(performance.now() - began).toBeLessThan(4_000);
    idle.destroy();
  });
});

describe('logs', () => {
  test('name no key, no input and no signature, whatever happens', async () => {
    const sink = new PassThrough();
    let written = '';
    sink.on('data', (chunk: Buffer) => (written += chunk.toString()));
    const t = await startTestApi({ log: createLogger('api', 'trace', sink) });
    const secret = 'the-secret-of-the-sphinx';
    await t.call('POST', '/jobs', {
      json: freshNote({ text: secret }),
      headers: { 'idempotency-key': secret },
    });
    await t.call('POST', '/jobs', { json: { kind: 'note.write', input: { topic: secret, [secret]: 1 } } });
    await t.call('POST', '/jobs', { body: `{"${secret}` });
    await t.call('GET', `/jobs?key=${secret}`);
    await t.call('GET', `/artifacts/x?signature=${secret}`, { key: null });
    await t.call('GET', '/jobs', { key: `lh_test_${'0'.repeat(16)}_${'S'.repeat(43)}` });
    await t.close();
    expect(written).toContain('answered');
    expect(written).not.toContain(secret);
    expect(written).not.toContain('S'.repeat(43));
    expect(written).not.toContain(t.acme.key.split('_').slice(3).join('_'));
  });
});
