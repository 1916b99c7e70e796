import { afterEach, beforeEach, describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { createClient, type Client, type KindOf } from '../../../libs/client/client.js';
import type { Job } from '../../../libs/client/job.types.js';
import { ProblemError } from '../../../libs/client/problem.error.js';
import { hangUp, jobAt, json, openFaultyApi, problem, type FaultyApi } from './faulty-api.js';

const retry = { attempts: 4, firstMs: 1, mostMs: 20 };
let api: FaultyApi;
let client: Client;

beforeEach(async () => {
  api = await openFaultyApi();
  client = createClient({ url: `${api.url}/`, key: 'lh_local_id_secret', retry });
});
afterEach(() => api.close());

const failureOf = async (promise: Promise<unknown>): Promise<ProblemError> => {
  const error: unknown = await promise.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ProblemError);
  return error as ProblemError;
};

describe('submit', () => {
  it('authenticates, sends what was asked for and an idempotency key', async () => {
    api.on('POST /jobs', json(202, jobAt(1)));
    const { job, outcome } = await client.submit(
      'report.export',
      { a: 1 },
      { onDuplicate: 'restart', waitSeconds: 3 },
    );
    expect([job.revision, outcome]).toEqual([1, 'accepted']);
    const [seen] = api.seen;
    expect(seen?.headers).toMatchObject({ authorization: 'Bearer lh_local_id_secret', prefer: 'wait=3' });
    expect(seen?.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
    expect(JSON.parse(seen?.body ?? '')).toEqual({
      kind: 'report.export',
      input: { a: 1 },
      onDuplicate: 'restart',
    });
  });

  it('repeats through hang-ups and 503 under one and the same key', async () => {
    api.on(
      'POST /jobs',
      hangUp,
      problem(503, 'database_unavailable', {}, { 'retry-after': '0' }),
      json(202, jobAt(1)),
    );
    await client.submit('report.export', {});
    const keys = api.seen.map((request) => request.headers['idempotency-key']);
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
  });

  it('uses another key for another call', async () => {
    api.on('POST /jobs', json(202, jobAt(1)));
    await client.submit('report.export', {});
    await client.submit('report.export', {});
    expect(new Set(api.seen.map((request) => request.headers['idempotency-key'])).size).toBe(2);
  });

  it('gives up after the attempts it was given', async () => {
    api.on('POST /jobs', problem(503, 'database_unavailable'));
    expect((await failureOf(client.submit('report.export', {}))).code).toBe('database_unavailable');
    expect(api.seen).toHaveLength(retry.attempts);
  });

  it('does not repeat a refusal, and says each field that is wrong', async () => {
    const errors = [
      { pointer: '/input/format', detail: 'unknown' },
      { pointer: '/input/version', detail: 'must be positive' },
    ];
    api.on('POST /jobs', problem(422, 'validation_failed', { detail: 'Two fields are wrong.', errors }));
    const error = await failureOf(client.submit('report.export', {}));
    expect(error).toMatchObject({ status: 422, code: 'validation_failed', errors, traceId: 'trace-1' });
    expect(error.message).toContain('/input/version: must be positive');
    expect(api.seen).toHaveLength(1);
  });

  it('waits for a rival with the same key to commit', async () => {
    api.on(
      'POST /jobs',
      problem(409, 'idempotency_in_flight', {}, { 'retry-after': '0' }),
      json(202, jobAt(1)),
    );
    await client.submit('report.export', {}, { idempotencyKey: 'mine' });
    expect(api.seen.map((request) => request.headers['idempotency-key'])).toEqual(['mine', 'mine']);
  });

  it.each([
    ['duplicate', json(200, { ...jobAt(1), duplicate: true })],
    ['replayed', json(202, jobAt(1), { 'idempotent-replayed': 'true' })],
  ] as const)('tells that the job is a %s', async (outcome, handler) => {
    api.on('POST /jobs', handler);
    expect((await client.submit('report.export', {})).outcome).toBe(outcome);
  });

  it('takes its types from the definitions', async () => {
    const sum = { input: z.strictObject({ n: z.int() }), result: z.strictObject({ sum: z.number() }) };
    const typed = createClient<{ 'math.sum': KindOf<typeof sum> }>({ url: api.url, key: 'k' });
    api.on('POST /jobs', json(202, jobAt(1, { result: { sum: 1 } })));
    const { job } = await typed.submit('math.sum', { n: 1 });
    expectTypeOf(job).toEqualTypeOf<Job<{ sum: number }>>();
    // @ts-expect-error -- not the kind's input
    await typed.submit('math.sum', { n: 'one' });
    // @ts-expect-error -- a kind nobody defined
    await typed.submit('math.difference', { n: 1 });
    expect(sum.result.parse(job.result)).toEqual({ sum: 1 });
  });
});

describe('answers', () => {
  it('makes a problem of what is no problem document', async () => {
    api.on(
      'GET /jobs/x',
      (_, response) => void response.writeHead(404, { 'content-type': 'text/html' }).end('<html>'),
    );
    expect(await failureOf(client.get('x'))).toMatchObject({ status: 404, code: 'http_404', errors: [] });
  });

  it('does not take the key to where a redirect points', async () => {
    api.on(
      'GET /jobs/x',
      (_, response) => void response.writeHead(302, { location: `${api.url}/elsewhere` }).end(),
    );
    expect((await failureOf(client.get('x'))).code).toBe('http_302');
    expect(api.seen).toHaveLength(1);
  });

  it('fails with the reason of the signal, in the middle of a wait too', async () => {
    api.on('GET /jobs/x', problem(503, 'later', {}, { 'retry-after': '60' }));
    const abort = new AbortController();
    const patient = createClient({
      url: api.url,
      key: 'k',
      retry: { attempts: 9, firstMs: 60_000, mostMs: 60_000 },
    });
    const pending = patient.get('x', { signal: abort.signal });
    const failed = expect(pending).rejects.toThrow('enough');
    while (api.seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
    abort.abort(new Error('enough'));
    await failed;
  });

  it('says what kept it from the API when nobody listens', async () => {
    await api.close();
    await expect(client.get('x')).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
    api = await openFaultyApi();
  });
});

describe('list', () => {
  it('goes through the pages as the loop reaches them, at its own address', async () => {
    api.on(
      'GET /jobs',
      json(
        200,
        { items: [jobAt(1), jobAt(2)] },
        { link: '<https://public.example/jobs?cursor=abc&limit=2>; rel="next"' },
      ),
      json(200, { items: [jobAt(3)] }),
    );
    const revisions: unknown[] = [];
    for await (const job of client.list({ status: 'STARTED', pageSize: 2 })) {
      revisions.push(job.revision);
      if (revisions.length === 2) expect(api.seen).toHaveLength(1);
    }
    expect(revisions).toEqual([1, 2, 3]);
    expect(api.seen.map((request) => request.url)).toEqual([
      '/jobs?status=STARTED&limit=2',
      '/jobs?cursor=abc&limit=2',
    ]);
  });
});

describe('cancel and kinds', () => {
  it('asks with the reason, and previews without asking', async () => {
    api.on('POST /jobs/x/cancel', json(202, jobAt(2)), json(200, { possible: true, wouldUndo: [] }));
    expect((await client.cancel('x', { reason: 'wrong month' })).revision).toBe(2);
    expect(await client.previewCancel('x')).toEqual({ possible: true, wouldUndo: [] });
    expect(api.seen.map(({ url, body }) => [url, body])).toEqual([
      ['/jobs/x/cancel', '{"reason":"wrong month"}'],
      ['/jobs/x/cancel?dryRun=true', '{}'],
    ]);
  });

  it('lists kinds and shows one', async () => {
    api.on('GET /kinds', json(200, { items: [{ kind: 'report.export' }] }));
    api.on('GET /kinds/report.export', json(200, { kind: 'report.export', diagram: 'graph' }));
    expect(await client.kinds()).toEqual([{ kind: 'report.export' }]);
    expect(await client.kind('report.export')).toHaveProperty('diagram', 'graph');
  });

  it('tells a result from an artifact', async () => {
    api.on('GET /jobs/x/result', json(200, { sum: 3 }));
    expect(await client.result('x')).toEqual({ sum: 3 });
    await expect(client.artifact('x')).rejects.toThrow('no artifact');
  });
});
