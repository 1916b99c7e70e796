import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { artifactSecretOf, signUrl } from '../../../libs/artifacts/signed-url.js';
import { openDatabase } from '../../../libs/store/database.js';
import { codecUiTokenOf } from '../../../libs/security/codec-token.js';
import { createPayloadSealer } from '../../../libs/temporal/payload.codec.js';
import { createJobTenants } from '../../../libs/temporal/job-tenants.store.js';
import { defaultPayloadConverter } from '@temporalio/common';
import { payloadToJSON } from '@temporalio/common/lib/proto-utils.js';
import { FakeWorker, freshNote, startTestApi, type TestApi } from './support.js';

const TOKEN = codecUiTokenOf(Buffer.alloc(32, 7));

let t: TestApi;
beforeAll(async () => {
  t = await startTestApi({}, { codecUiToken: TOKEN });
});
afterAll(async () => t.close());

describe('keys', () => {
  test.each([
    ['none', null],
    ['no key of ours', 'hello'],
    ['an unknown id', `lh_test_${'0'.repeat(16)}_${'A'.repeat(43)}`],
  ])('%s is 401 with WWW-Authenticate', async (_, key) => {
    const answer = await t.call('GET', '/jobs', { key });
    expect([answer.status, answer.json.code]).toEqual([401, 'unauthenticated']);
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer realm="longhaul"/);
  });

  test('a wrong secret, another environment and another scheme are 401', async () => {
    const wrong = t.acme.key.slice(0, -4) + (t.acme.key.endsWith('AAAA') ? 'BBBB' : 'AAAA');
    expect((await t.call('GET', '/jobs', { key: wrong })).status).toBe(401);
    expect((await t.call('GET', '/jobs', { key: t.acme.key.replace('lh_test_', 'lh_prod_') })).status).toBe(
      401,
    );
    const basic = await t.call('GET', '/jobs', {
      key: null,
      headers: { authorization: `Basic ${t.acme.key}` },
    });
    expect(basic.status).toBe(401);
  });

  test('a revoked key is refused within the time its look-up is kept', async () => {
    const { createApiKey, revokeApiKey } = await import('../../../libs/security/tenants.store.js');
    const key = await createApiKey(t.owner, {
      tenantId: t.acme.id,
      role: 'client',
      name: 'brief',
      env: 'test',
    });
    expect((await t.call('GET', '/jobs', { key })).status).toBe(200);
    await revokeApiKey(t.owner, key.split('_')[2] ?? '');
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    expect((await t.call('GET', '/jobs', { key })).status).toBe(401);
  });

  test('are asked for before a body is read', async () => {
    const answer = await t.call('POST', '/jobs', { key: null, body: '{"broken' });
    expect(answer.status).toBe(401);
  });

  test('of operators and admins belong to no tenant: jobs are not theirs', async () => {
    for (const key of [t.operatorKey, t.adminKey]) {
      const answer = await t.call('GET', '/jobs', { key });
      expect([answer.status, answer.json.code]).toEqual([403, 'client_key_required']);
    }
    expect((await t.call('GET', '/kinds', { key: t.operatorKey })).status).toBe(200);
  });

  const operator = [
    '/dead-letters/redrive',
    '/dead-letters/x/purge',
    '/queues',
    '/queues/a/pause',
    '/downstreams/x/resume',
  ];
  const admin = ['/tenants', '/tenants/x', '/keys', '/audit'];
  test.each([
    ...operator.map((path) => [path, 'operator'] as const),
    ...admin.map((path) => [path, 'admin'] as const),
    ['/tenants/x/pause', 'operator'] as const,
    ['/kinds/report.export/pause', 'operator'] as const,
  ])('%s is guarded for %s: 401, 403, then 404', async (path, role) => {
    for (const method of ['GET', 'POST', 'DELETE']) {
      expect((await t.call(method, path, { key: null })).status).toBe(401);
      const low = await t.call(method, path);
      expect([low.status, low.json.code]).toEqual([403, 'role_too_low']);
      expect((await t.call(method, path, { key: t.operatorKey })).status).toBe(role === 'admin' ? 403 : 404);
      const found = await t.call(method, path, { key: t.adminKey });
      expect([found.status, found.json.code]).toEqual([404, 'route_not_found']);
    }
  });
});

describe('routes', () => {
  test.each([
    ['GET', '/'],
    ['GET', '/nothing'],
    ['POST', '/jobs/x/y/z'],
    ['GET', '/jobs/'],
    ['GET', '/Jobs'],
    ['GET', '//jobs'],
    ['PUT', '/upload'],
    ['GET', '/timetables'],
  ])('%s %s is 404', async (method, path) => {
    const answer = await t.call(method, path);
    expect([answer.status, answer.json.code]).toEqual([404, 'route_not_found']);
  });

  test.each([
    ['PUT', '/jobs', 'GET, HEAD, POST'],
    ['DELETE', '/jobs/00000000-0000-7000-8000-000000000000', 'GET, HEAD'],
    ['GET', '/exports', 'POST'],
    ['PATCH', '/kinds', 'GET, HEAD'],
    ['GET', '/jobs/00000000-0000-7000-8000-000000000000/cancel', 'POST'],
    ['OPTIONS', '/jobs', 'GET, HEAD, POST'],
    ['PROPFIND', '/kinds', 'GET, HEAD'],
    ['POST', '/healthz', 'GET, HEAD'],
  ])('%s %s is 405 with Allow', async (method, path, allow) => {
    const answer = await t.call(method, path);
    expect([answer.status, answer.json.code]).toEqual([405, 'method_not_allowed']);
    expect(answer.headers.get('allow')).toBe(allow);
  });

  test('HEAD answers like GET, without a body', async () => {
    const { json } = await t.call('POST', '/jobs', { json: freshNote() });
    const head = await t.call('HEAD', `/jobs/${json.id}`);
    expect([head.status, head.text, head.headers.get('etag')]).toEqual([200, '', '"1"']);
    const events = await t.call('HEAD', `/jobs/${json.id}/events`);
    expect(events.status).toBe(200);
  });

  test('what a problem’s type leads to explains it', async () => {
    const { json } = await t.call('GET', '/nothing');
    const answer = await t.call('GET', new URL(json.type).pathname, { key: null });
    expect(answer.json).toMatchObject({ code: 'route_not_found', status: 404 });
    expect((await t.call('GET', '/problems/nope', { key: null })).status).toBe(404);
    expect((await t.call('GET', '/problems/__proto__', { key: null })).status).toBe(404);
  });

  test('the host header never gets into a URL', async () => {
    const { json } = await t.call('POST', '/jobs', {
      json: freshNote(),
      headers: { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' },
    });
    expect(JSON.stringify(json.links)).not.toContain('evil');
  });
});

describe('the kinds', () => {
  test('are listed, and one is told whole', async () => {
    const list = await t.call('GET', '/kinds');
    expect(list.json.items.map((kind) => kind.kind)).toContain('report.export');
    const { json } = await t.call('GET', '/kinds/note.write');
    expect(json).toMatchObject({
      kind: 'note.write',
      workflowType: 'noteWrite',
      deadline: '1h',
      naturalKey: { declared: true, example: ['greeting', 1] },
      input: { type: 'object', additionalProperties: false, required: ['topic'] },
    });
    expect(json.steps.map((step) => [step.name, step.undo])).toEqual([
      ['look', null],
      ['write', 'erase'],
      ['show', null],
    ]);
    expect(json.diagram).toMatch(/^flowchart TD/);
  });

  test('an unknown one is 404', async () => {
    for (const kind of ['nope', '__proto__', 'constructor']) {
      expect((await t.call('GET', `/kinds/${kind}`)).json.code).toBe('kind_not_found');
    }
  });
});

describe('the document', () => {
  test('is OpenAPI 3.1, has every route, and its page loads nothing from elsewhere', async () => {
    const document = (await (await fetch(`${t.url}/openapi.json`)).json()) as {
      openapi: string;
      paths: Record<string, object>;
      components: { schemas: Record<string, { properties?: Record<string, object> }> };
    };
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths).sort()).toEqual([
      '/artifacts/{path}',
      '/callback-secret',
      '/callback-secret/rotate',
      '/codec/decode',
      '/codec/encode',
      '/codec/ui/{token}/decode',
      '/dead-letters',
      '/dead-letters/{id}',
      '/dead-letters/{id}/decisions',
      '/documents',
      '/documents/{template}/{object}',
      '/email-suppressions',
      '/email-suppressions/{id}',
      '/email-templates',
      '/email-templates/{name}',
      '/email-templates/{name}/preview',
      '/emails',
      '/exports',
      '/healthz',
      '/jobs',
      '/jobs/batch',
      '/jobs/{id}',
      '/jobs/{id}/callback/resend',
      '/jobs/{id}/cancel',
      '/jobs/{id}/deliveries',
      '/jobs/{id}/events',
      '/jobs/{id}/messages',
      '/jobs/{id}/renditions',
      '/jobs/{id}/renditions/{upload}/{name}',
      '/jobs/{id}/result',
      '/kinds',
      '/kinds/{kind}',
      '/problems/{code}',
      '/readyz',
      '/recipient-lists',
      '/recipient-lists/{id}',
      '/renditions',
      '/schedules',
      '/schedules/{id}',
      '/schedules/{id}/jobs',
      '/schedules/{id}/trigger',
      '/uploads',
      '/uploads/{id}',
      '/webhook-endpoints',
      '/webhook-endpoints/{id}',
      '/webhook-endpoints/{id}/deliveries',
      '/webhook-endpoints/{id}/resend',
      '/webhook-endpoints/{id}/rotate-secret',
      '/webhook-endpoints/{id}/test',
      '/webhook-events',
    ]);
    expect(Object.keys(document.components.schemas)).toContain('ReportExportInput');
    expect(JSON.stringify(document).includes('"$ref":"#/$defs')).toBe(false);
    const refs = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(
      ([, name]) => name,
    );
    for (const name of refs) expect(Object.keys(document.components.schemas)).toContain(name);
    const page = await (await fetch(`${t.url}/docs`)).text();
    const sources = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, source]) => source ?? '');
    expect(sources.length).toBeGreaterThan(2);
    for (const source of sources) {
      expect(source).not.toMatch(/^(?:https?:)?\/\//);
      const asset = await fetch(new URL(source, `${t.url}/docs`));
      expect(asset.status, source).toBe(200);
      expect(asset.headers.get('x-trace-id')).toMatch(/^[0-9a-f]{32}$/);
    }
    expect((await t.call('GET', '/docs/nope.js')).status).toBe(404);
  });
});

describe('health', () => {
  test('readiness needs the database and tells of the engine', async () => {
    expect((await t.call('GET', '/healthz', { key: null })).json).toEqual({ status: 'ok' });
    expect((await t.call('GET', '/readyz', { key: null })).json).toEqual({
      status: 'ready',
      database: 'up',
      engine: 'up',
    });
    t.engine.up = false;
    expect((await t.call('GET', '/readyz', { key: null })).json.engine).toBe('down');
    t.engine.up = true;
  });
});

describe('artifacts', () => {
  const content = 'id,delay\n1,5\n2,7\n';
  const name = { filename: 'flüge "1".csv', contentType: 'text/csv' };
  let path: string;
  let location: string;
  beforeAll(async () => {
    const { artifacts } = t.api.resources;
    await artifacts.openUpload('some-job/0');
    await artifacts.writePart(
      'some-job/0',
      0,
      Readable.from([content.slice(0, 8)]),
      AbortSignal.timeout(5_000),
    );
    await artifacts.writePart('some-job/0', 1, Readable.from([content.slice(8)]), AbortSignal.timeout(5_000));
    ({ location } = await artifacts.publish('some-job/0', { parts: 2, ...name }));
    path = pathOf(await artifacts.signedUrl({ location, ...name }, new Date(Date.now() + 60_000)));
  });
  const pathOf = (url: string): string => url.slice(t.settings.publicUrl.length);
  const get = (headers: Record<string, string> = {}, at = path) => t.call('GET', at, { key: null, headers });
  const sha256 = createHash('sha256').update(content);
  const digest = sha256.digest();

  test('are served whole, as attachments that nobody sniffs or encodes', async () => {
    const answer = await get({ 'accept-encoding': 'gzip, br' });
    expect([answer.status, answer.text]).toEqual([200, content]);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'text/csv',
      'content-length': String(content.length),
      'content-disposition': `attachment; filename="fl_ge _1_.csv"; filename*=UTF-8''fl%C3%BCge%20%221%22.csv`,
      'x-content-type-options': 'nosniff',
      'repr-digest': `sha-256=:${digest.toString('base64')}:`,
      'accept-ranges': 'bytes',
      etag: `"${digest.toString('hex')}"`,
    });
    expect(answer.headers.get('content-encoding')).toBeNull();
  });

  test.each([
    ['bytes=0-3', content.slice(0, 4), 'bytes 0-3/17'],
    ['bytes=5-10', content.slice(5, 11), 'bytes 5-10/17'],
    ['bytes=10-', content.slice(10), 'bytes 10-16/17'],
    ['bytes=-4', content.slice(-4), 'bytes 13-16/17'],
    ['bytes=3-999', content.slice(3), 'bytes 3-16/17'],
  ])('serve the range %s', async (range, expected, contentRange) => {
    const answer = await get({ range });
    expect([answer.status, answer.text, answer.headers.get('content-range')]).toEqual([
      206,
      expected,
      contentRange,
    ]);
    expect(answer.headers.get('content-length')).toBe(String(expected.length));
  });

  test('answer 416 beyond the end, the whole for what is no range, and If-Range, If-None-Match, HEAD', async () => {
    const beyond = await get({ range: 'bytes=99-' });
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, 'bytes */17']);
    expect((await get({ range: 'bytes=0-1,4-5' })).status).toBe(200);
    expect((await get({ range: 'lines=1' })).status).toBe(200);
    expect((await get({ range: 'bytes=0-1', 'if-range': '"other"' })).status).toBe(200);
    const etag = `"${digest.toString('hex')}"`;
    expect((await get({ range: 'bytes=0-1', 'if-range': etag })).status).toBe(206);
    expect((await get({ 'if-none-match': etag })).status).toBe(304);
    const head = await t.call('HEAD', path, { key: null });
    expect([head.status, head.headers.get('content-length'), head.text]).toEqual([200, '17', '']);
  });

  test('are 403 under any other URL, 410 under an expired one and when the file is gone', async () => {
    const tampered = [
      path.replace(/expires=\d+/, 'expires=9999999999'),
      path.replace('filename=', 'filename=x'),
      path.replace('csv', 'html'),
      path.replace(/signature=.*/, 'signature='),
      `${path}&more=1`,
      path.split('?')[0] ?? '',
      '/artifacts/../../etc/passwd',
      '/artifacts/%2e%2e%2f%2e%2e%2fetc%2fpasswd?x=1',
      '/artifacts/',
    ];
    for (const url of tampered) {
      const answer = await get({}, url);
      expect([403, 404], url).toContain(answer.status);
      expect(answer.text).not.toContain('root:');
    }
    const secret = artifactSecretOf(t.settings.masterKey);
    const foreign = signUrl(
      '',
      artifactSecretOf(Buffer.alloc(32, 1)),
      { location, ...name },
      new Date(Date.now() + 60_000),
    );
    expect((await get({}, foreign)).json.code).toBe('invalid_signature');
    const late = await get({}, signUrl('', secret, { location, ...name }, new Date(Date.now() - 1_000)));
    expect([late.status, late.json.code]).toEqual([410, 'link_expired']);
    const gone = await get(
      {},
      signUrl('', secret, { location: 'gone.0', ...name }, new Date(Date.now() + 60_000)),
    );
    expect([gone.status, gone.json.code]).toEqual([410, 'result_expired']);
  });
});

describe('the codec server', () => {
  const ui = { origin: 'http://127.0.0.1:8233' };

  async function sealed(): Promise<object> {
    const { json } = await t.call('POST', '/jobs', { json: freshNote() });
    await new FakeWorker(t, t.acme).start(json.id);
    const app = openDatabase(t.settings.databaseUrl.app, 'app', { max: 1 });
    const sealer = createPayloadSealer(t.cipher, createJobTenants(app));
    const payload = await sealer.seal(defaultPayloadConverter.toPayload({ flight: 'LH 400' }), json.id);
    await app.end();
    return payloadToJSON(payload);
  }

  test('opens payloads for operators alone', async () => {
    const payload = await sealed();
    expect(JSON.stringify(payload)).not.toContain(Buffer.from('LH 400').toString('base64').slice(0, 6));
    for (const [key, status] of [
      [null, 401],
      [t.acme.key, 403],
    ] as const) {
      expect((await t.call('POST', '/codec/decode', { key, json: { payloads: [payload] } })).status).toBe(
        status,
      );
    }
    const answer = await t.call('POST', '/codec/decode', {
      key: t.operatorKey,
      json: { payloads: [payload] },
    });
    expect(answer.status).toBe(200);
    const data = Buffer.from(answer.json.payloads[0]?.data ?? '', 'base64').toString();
    expect(JSON.parse(data)).toEqual({ flight: 'LH 400' });
  });

  test('opens them for the Web UI by the token in its endpoint, and for no other token', async () => {
    const json = { payloads: [await sealed()] };
    const answer = await t.call('POST', `/codec/ui/${TOKEN}/decode`, { key: null, json, headers: ui });
    expect(Buffer.from(answer.json.payloads[0]?.data ?? '', 'base64').toString()).toContain('LH 400');
    expect(answer.headers.get('access-control-allow-origin')).toBe(ui.origin);
    expect((await t.call('POST', `/codec/ui/${'x'.repeat(43)}/decode`, { key: null, json })).status).toBe(
      401,
    );
    expect((await t.call('POST', `/codec/ui/${TOKEN}/encode`, { key: null, json })).status).toBe(404);
  });

  test('answers the preflight of the Web UI’s origin, under each name of this machine, and of nobody else', async () => {
    const preflight = (origin: string) =>
      t.call('OPTIONS', '/codec/decode', {
        key: null,
        headers: {
          origin,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'x-namespace',
        },
      });
    for (const origin of ['http://127.0.0.1:8233', 'http://localhost:8233']) {
      const { status, headers } = await preflight(origin);
      expect([status, headers.get('access-control-allow-origin')]).toEqual([204, origin]);
      expect(headers.get('access-control-allow-headers')).toContain('x-namespace');
    }
    for (const origin of ['http://evil.example', 'http://127.0.0.1:9999', 'null']) {
      expect((await preflight(origin)).headers.get('access-control-allow-origin')).toBeNull();
    }
    const elsewhere = await t.call('GET', '/kinds', { headers: ui });
    expect(elsewhere.headers.get('access-control-allow-origin')).toBeNull();
  });

  test.each([
    [{}],
    [{ payloads: 'x' }],
    [{ payloads: [1] }],
    [{ payloads: [{ metadata: { a: 1 } }] }],
    [{ payloads: [{ metadata: { encoding: 'x' }, data: '!!' }] }],
    [[]],
  ])('refuses %j', async (json) => {
    for (const route of ['encode', 'decode']) {
      const answer = await t.call('POST', `/codec/${route}`, { key: t.operatorKey, json });
      expect(answer.status).toBe(422);
    }
  });
});
