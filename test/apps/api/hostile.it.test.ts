import fc from 'fast-check';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { countRows, freshNote, startTestApi, type TestApi } from './support.js';

let t: TestApi;
beforeAll(async () => {
  t = await startTestApi();
});
afterAll(async () => t.close());

const NOTE = '{"kind":"note.write","input":{"topic":"x"}}';
const note = (extra: string): string => `{"kind":"note.write","input":{"topic":"hostile","extra":${extra}}}`;

async function stored(): Promise<number[]> {
  return Promise.all(
    (['jobs', 'outbox', 'idempotency'] as const).map((table) => countRows(t, table, t.acme)),
  );
}

/** Sends a body to every door and expects a refusal that stores nothing. */
async function refused(
  body: string | Uint8Array,
  headers: Record<string, string> = {},
): Promise<Map<string, { status: number; code: string; errors?: { pointer: string }[] }>> {
  const before = await stored();
  const answers = new Map<string, { status: number; code: string; errors?: { pointer: string }[] }>();
  for (const path of [
    '/jobs',
    '/exports',
    '/jobs/batch',
    '/jobs/00000000-0000-7000-8000-000000000000/cancel',
  ]) {
    const answer = await t.call('POST', path, { body, headers });
    expect(answer.status, `${path}: ${answer.text.slice(0, 200)}`).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    answers.set(path, answer.json as { status: number; code: string });
  }
  expect(await stored()).toEqual(before);
  return answers;
}

describe('bodies', () => {
  test.each([
    ['broken', '{"kind":'],
    ['no JSON', 'hello'],
    ['two values', '{}{}'],
    ['a trailing comma', '{"kind":"note.write",}'],
    ['NaN', '{"kind":NaN}'],
    ['single quotes', "{'kind':'note.write'}"],
    ['invalid UTF-8', new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['UTF-16', new Uint8Array(Buffer.from('{"kind":"note.write"}', 'utf16le'))],
    ['binary', new Uint8Array(Array.from({ length: 1_000 }, (_, i) => (i * 7) % 256))],
  ])('that are %s: 400 invalid_json', async (_, body) => {
    const answers = await refused(body);
    expect(answers.get('/jobs')).toMatchObject({ status: 400, code: 'invalid_json' });
  });

  test('that are empty: 400 where one is needed', async () => {
    for (const path of ['/jobs', '/exports', '/jobs/batch']) {
      for (const body of ['', ' \n']) {
        expect((await t.call('POST', path, { body })).json.code).toBe('invalid_json');
      }
      expect((await t.call('POST', path)).json.code).toBe('invalid_json');
    }
  });

  test.each(['null', 'true', '17', '"text"', '[]', '[[]]', '{}'])('that are %s: 422', async (body) => {
    expect((await refused(body)).get('/jobs')).toMatchObject({ status: 422, code: 'validation_failed' });
  });

  test.each([65, 1_000, 100_000])('nested %i levels deep: 400', async (depth) => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      const body = note(`${open.repeat(depth)}1${close.repeat(depth)}`);
      if (body.length > 1_048_576) continue;
      expect((await refused(body)).get('/jobs')).toMatchObject({ status: 400, code: 'json_too_deep' });
    }
  });

  test('nested 64 levels deep are fine', async () => {
    const answer = await t.call('POST', '/jobs', {
      body: note(`${'['.repeat(62)}${']'.repeat(62)}`).replace('hostile', 'deep'),
    });
    expect(answer.status).toBe(202);
    const deeper = await t.call('POST', '/jobs', { body: note(`${'['.repeat(63)}${']'.repeat(63)}`) });
    expect(deeper.status).toBe(400);
  });

  test('over 1 MiB: 413, told by length or not', async () => {
    const body = `{"kind":"note.write","input":{"topic":"x","text":"${'a'.repeat(1_048_576)}"}}`;
    expect((await refused(body)).get('/jobs')).toMatchObject({ status: 413, code: 'body_too_large' });
    const chunk = new Uint8Array(65_536).fill(32);
    let sent = 0;
    const stream = new ReadableStream({
      pull(controller) {
        sent += 1;
        if (sent > 20) controller.close();
        else controller.enqueue(chunk);
      },
    });
    const response = await fetch(`${t.url}/jobs`, {
      method: 'POST',
      headers: { authorization: `Bearer ${t.acme.key}`, 'content-type': 'application/json' },
      body: stream,
      duplex: 'half',
    });
    expect(response.status).toBe(413);
    expect(response.headers.get('content-type')).toContain('application/problem+json');
  });

  test('of 1 MiB exactly are read', async () => {
    const empty = '{"kind":"note.write","input":{"topic":"x","text":""}}';
    const body = empty.replace('""', `"${'a'.repeat(1_048_576 - empty.length)}"`);
    const answer = await t.call('POST', '/jobs', { body });
    expect([answer.status, answer.json.errors[0]?.pointer]).toEqual([422, '/input/text']);
  });

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/xml',
    'application/jsonp',
    'application/json; charset=utf-16',
    'application/json; charset=latin1',
    'json',
    '*/*',
  ])('of the media type %s: 415', async (type) => {
    expect((await refused(NOTE, { 'content-type': type })).get('/jobs')).toMatchObject({
      status: 415,
      code: 'unsupported_media_type',
    });
  });

  test('under a Content-Encoding, or without a type: 415', async () => {
    expect((await refused(NOTE, { 'content-encoding': 'gzip' })).get('/jobs')?.status).toBe(415);
    const answer = await raw(
      `POST /jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${t.acme.key}\r\nContent-Length: ${NOTE.length}\r\nConnection: close\r\n\r\n${NOTE}`,
    );
    expect(answer.status).toBe(415);
  });

  test.each(['application/json', 'application/json; charset=utf-8', 'Application/JSON; charset="UTF-8"'])(
    'of the media type %s are read',
    async (type) => {
      const answer = await t.call('POST', '/jobs', { json: freshNote(), headers: { 'content-type': type } });
      expect(answer.status).toBe(202);
    },
  );
});

describe('values', () => {
  test.each([
    ['__proto__', '{"__proto__":{"x":1}}', '/input/extra/__proto__'],
    ['constructor', '{"constructor":{"prototype":{"x":1}}}', '/input/extra/constructor'],
    ['prototype', '[{"prototype":1}]', '/input/extra/0/prototype'],
    ['an escaped __proto__', '{"\\u005f_proto__":1}', '/input/extra/__proto__'],
    ['NUL in a text', '"a\\u0000b"', '/input/extra'],
    ['NUL in a name', '{"a\\u0000":1}', '/input/extra/a\ufffd'],
    ['a high surrogate alone', '"\\ud800"', '/input/extra'],
    ['a low surrogate alone', '["\\udc00x"]', '/input/extra/0'],
    ['a surrogate in a name', '{"\\ud800":1}', '/input/extra/\ufffd'],
    ['1e400', '1e400', '/input/extra'],
    ['-1e400', '[-1e400]', '/input/extra/0'],
    ['2^53', '9007199254740992', '/input/extra'],
    ['a huge integer', '123456789012345678901234567890', '/input/extra'],
  ])('%s is refused by its pointer', async (_, extra, pointer) => {
    const answers = await refused(note(extra));
    expect(answers.get('/jobs')).toMatchObject({ status: 422, code: 'validation_failed' });
    expect(answers.get('/jobs')?.errors?.map((error) => error.pointer)).toContain(pointer);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  test('dangerous names are refused at every level and door', async () => {
    for (const name of ['__proto__', 'constructor', 'prototype']) {
      const bodies = [
        `{"${name}":{"kind":"note.write","input":{}}}`,
        `{"kind":"note.write","input":{"topic":"x","${name}":1}}`,
        `{"kind":"note.write","${name}":1,"input":{"topic":"x"}}`,
        `{"jobs":[${NOTE}],"${name}":1}`,
        `{"dataset":"flights","version":1,"format":"csv","filter":{"${name}":{"eq":1}}}`,
        `{"dataset":"flights","version":1,"format":"csv","parameters":{"${name}":1}}`,
        `{"reason":"x","${name}":1}`,
      ];
      for (const body of bodies) await refused(body);
    }
    for (const kind of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      expect((await refused(`{"kind":"${kind}","input":{}}`)).get('/jobs')?.status).toBe(422);
    }
  });

  test('what is merely unusual is accepted and comes back as it is', async () => {
    for (const extra of [
      '-0',
      '1e-400',
      '0.1',
      '9007199254740991',
      '"😀 \\u2028"',
      '{"":{"~/":1}}',
      '1E2',
      '"\\u0001"',
    ]) {
      const answer = await t.call('POST', '/jobs', {
        json: undefined,
        body: note(extra).replace('hostile', `unusual ${extra.replaceAll(/[^a-z0-9]/gi, '')}`),
      });
      expect([answer.status, answer.text.slice(0, 200)]).toEqual([202, expect.anything()]);
    }
  });

  test('a natural key of any text is one line of text', async () => {
    const topics = [
      'a/b',
      'a%2fb',
      '',
      '1',
      ' ',
      'ü',
      "'; drop table longhaul.jobs; --",
      '😀'.repeat(50),
      '\u0007',
      '~1',
      '#',
    ];
    const ids = new Set<string>();
    for (const topic of topics) {
      const answer = await t.call('POST', '/jobs', { json: { kind: 'note.write', input: { topic } } });
      if (topic === '') expect(answer.status).toBe(422);
      else ids.add(answer.json.id);
    }
    expect(ids.size).toBe(topics.length - 1);
  });

  test('more than a hundred errors are told as a hundred and a count', async () => {
    const input = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`f${i}`, 1]));
    const { json } = await t.call('POST', '/jobs', { json: { kind: 'note.write', input } });
    expect(json.errors).toHaveLength(101);
  });

  test('any JSON at all is answered below 500, by a problem where it is refused, and stores nothing then', async () => {
    const anything = fc.oneof(
      fc.json(),
      fc.json().map((extra) => note(extra)),
      fc
        .string({ unit: 'binary' })
        .map((text) => JSON.stringify({ kind: 'note.write', input: { topic: text } })),
      fc
        .dictionary(fc.string(), fc.jsonValue())
        .map((input) => JSON.stringify({ kind: 'note.write', input })),
      fc
        .dictionary(
          fc.constantFrom('kind', 'input', 'key', 'onDuplicate', 'jobs', 'priority'),
          fc.jsonValue(),
        )
        .map((body) => JSON.stringify(body)),
      fc
        .record({ dataset: fc.string(), version: fc.double(), format: fc.string(), filter: fc.jsonValue() })
        .map((body) => JSON.stringify(body)),
      fc.array(fc.jsonValue(), { maxLength: 5 }).map((jobs) => JSON.stringify({ jobs })),
      fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    );
    const doors = fc.constantFrom('/jobs', '/exports', '/jobs/batch', '/jobs/x/cancel');
    await fc.assert(
      fc.asyncProperty(anything, doors, async (body, path) => {
        const before = await stored();
        const answer = await t.call('POST', path, { body });
        expect(answer.status).toBeLessThan(500);
        if (answer.status >= 400) expect(await stored()).toEqual(before);
      }),
      { numRuns: 300, seed: 20_261_123 },
    );
  }, 60_000);
});

describe('requests', () => {
  test('any path and query is answered below 500', async () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'jobs',
        'kinds',
        'artifacts',
        'exports',
        '..',
        '.',
        '%2e%2e',
        '%00',
        '%',
        '%zz',
        '%ff',
        '*',
        ':id',
        ';a',
        'events',
      ),
      fc.webSegment(),
      fc.string({ unit: 'binary', maxLength: 8 }).map((text) => encodeURIComponent(text.toWellFormed())),
    );
    const query = fc.option(
      fc.oneof(
        fc.webQueryParameters(),
        fc.constantFrom('a[b]=1', '__proto__=1', 'limit=%', 'limit=1&limit=2', '&&&', '='),
      ),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 4 }),
        query,
        fc.constantFrom('GET', 'POST', 'PUT', 'HEAD'),
        async (parts, search, method) => {
          const path = `/${parts.join('/')}${search === null ? '' : `?${search}`}`;
          const answer = await raw(
            `${method} ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${t.acme.key}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
          );
          expect(answer.status, path).toBeGreaterThanOrEqual(200);
          expect(answer.status, path).toBeLessThan(500);
          expect(answer.head).toMatch(/x-trace-id: [0-9a-f]{32}/i);
          if (answer.status >= 400) expect(answer.head).toMatch(/content-type: application\/problem\+json/i);
        },
      ),
      { numRuns: 300, seed: 20_261_123 },
    );
  }, 60_000);

  test.each([
    ['no HTTP', 'HELLO\r\n\r\n', 400, 'invalid_request'],
    ['an unknown method', 'BREW /jobs HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'invalid_request'],
    ['an unknown version', 'GET /jobs HTTP/9.9\r\nHost: x\r\n\r\n', 400, 'invalid_request'],
    ['a broken header', 'GET /jobs HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n', 400, 'invalid_request'],
    ['NUL in a header', 'GET /jobs HTTP/1.1\r\nHost: x\r\na: \0\r\n\r\n', 400, 'invalid_request'],
    [
      'two lengths',
      'POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}',
      400,
      'invalid_request',
    ],
    [
      'length and chunks',
      'POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      400,
      'invalid_request',
    ],
    [
      'broken percent-encoding',
      'GET /jobs/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
      400,
      'invalid_request',
    ],
    [
      'headers over 16 KiB',
      `GET /jobs HTTP/1.1\r\nHost: x\r\na: ${'a'.repeat(20_000)}\r\n\r\n`,
      431,
      'headers_too_large',
    ],
    ['a URL over 16 KiB', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431, 'headers_too_large'],
    [
      'a path part over 1,024 characters',
      `GET /jobs/${'a'.repeat(2_000)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      414,
      'uri_too_long',
    ],
    [
      'an expectation nobody knows',
      'GET /nothing HTTP/1.1\r\nHost: x\r\nExpect: brew\r\nConnection: close\r\n\r\n',
      404,
      'route_not_found',
    ],
    ['no Host', 'GET /nothing HTTP/1.1\r\nConnection: close\r\n\r\n', 404, 'route_not_found'],
  ])('with %s are answered by a problem', async (_, text, status, code) => {
    const answer = await raw(text);
    expect(answer.status).toBe(status);
    expect(answer.head).toMatch(/x-trace-id: [0-9a-f]{32}/i);
    expect(answer.head).toMatch(/content-type: application\/problem\+json/i);
    expect(JSON.parse(answer.body)).toMatchObject({ code, status });
  });

  test('a malformed traceparent begins a new trace', async () => {
    for (const traceparent of [
      'nope',
      `00-${'0'.repeat(32)}-${'1'.repeat(16)}-01`,
      `ff-${'a'.repeat(32)}-${'1'.repeat(16)}-01`,
      `00-${'A'.repeat(32)}-${'1'.repeat(16)}-01`,
    ]) {
      const { headers } = await t.call('GET', '/kinds', { headers: { traceparent } });
      expect(headers.get('x-trace-id')).toMatch(/^[0-9a-f]{32}$/);
      expect(headers.get('x-trace-id')).not.toMatch(/^(.)\1+$/);
    }
  });

  test('after all that the API still accepts', async () => {
    expect((await t.call('POST', '/jobs', { json: freshNote() })).status).toBe(202);
  });
});

/** What fetch would never send. */
async function raw(text: string): Promise<{ status: number; head: string; body: string }> {
  const socket = connect(Number(new URL(t.url).port), '127.0.0.1');
  let received = '';
  await new Promise<void>((resolve, reject) => {
    socket.setTimeout(10_000, () => socket.destroy(new Error('no answer')));
    socket.on('data', (chunk) => (received += chunk.toString('utf8')));
    socket.on('close', () => resolve());
    socket.on('error', reject);
    socket.write(text);
  });
  const [head = '', body = ''] = received.split('\r\n\r\n');
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]), head, body };
}
