import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { claimDue, measureOutbox } from '../../../libs/outbox/outbox.store.js';
import { createApi } from '../../../apps/api/create-api.js';
import type { Job } from '../../../apps/api/jobs/job.schema.js';
import { inTenant, inTransaction, openDatabase } from '../../../libs/store/database.js';
import { eventually } from '../../support/stack.js';
import { notes } from './kinds.js';
import { countRows, datasets, FakeWorker, freshNote, startTestApi, type TestApi } from './support.js';

let t: TestApi;
let worker: FakeWorker;
beforeAll(async () => {
  t = await startTestApi();
  worker = new FakeWorker(t, t.acme);
});
afterAll(async () => t.close());

const post = (json: unknown, headers: Record<string, string> = {}, path = '/jobs') =>
  t.call('POST', path, { json, headers });

describe('a new job', () => {
  test('is answered with 202, the job, Location and Retry-After, and is durable with its outbox row', async () => {
    const before = await countRows(t, 'outbox', t.acme);
    const answer = await post(freshNote());
    expect(answer.status).toBe(202);
    expect(answer.json).toMatchObject({
      kind: 'note.write',
      status: 'PENDING',
      phase: 'queued',
      revision: 1,
      stale: false,
      attemptOf: null,
      result: null,
      error: null,
    });
    expect(answer.json.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    expect(answer.headers.get('location')).toBe(`${t.settings.publicUrl}/jobs/${answer.json.id}`);
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(answer.json.steps.map((step: { status: string }) => step.status)).toEqual([
      'waiting',
      'waiting',
      'waiting',
    ]);
    expect(await countRows(t, 'outbox', t.acme)).toBe(before + 1);
  });

  test('reads back as it was answered, with the same revision', async () => {
    const { json: accepted } = await post(freshNote());
    const { json: read, headers } = await t.call('GET', `/jobs/${accepted.id}`);
    expect({ ...read, asOf: '' }).toEqual({ ...accepted, asOf: '' });
    expect(headers.get('etag')).toBe('"1"');
  });

  test('keeps the caller’s trace', async () => {
    const traceId = 'a'.repeat(32);
    const answer = await post(freshNote(), { traceparent: `00-${traceId}-${'b'.repeat(16)}-01` });
    expect(answer.headers.get('x-trace-id')).toBe(traceId);
    const { trace } = await storedRow(answer.json.id);
    expect(trace).toMatch(new RegExp(`^00-${traceId}-(?!b{16})[0-9a-f]{16}-01$`));
  });

  test('stores neither input nor result in plain', async () => {
    const { json } = await post(freshNote({ text: 'the secret of the sphinx' }));
    const { all } = await storedRow(json.id);
    expect(all).not.toContain('sphinx');
    expect(all).not.toContain(Buffer.from('sphinx').toString('hex'));
  });

  /** The whole row as text, as the worker's role sees it. */
  async function storedRow(id: string): Promise<{ all: string; trace: string }> {
    return inTenant(t.worker, t.acme.id, async (connection) => {
      const { rows } = await connection.query<{ all: string; trace: string }>(
        `select j::text as all, trace_parent as trace from longhaul.jobs j where id = $1`,
        [id],
      );
      const [row] = rows;
      if (!row) throw new Error(`no row of job ${id}`);
      return row;
    });
  }
});

describe('Idempotency-Key', () => {
  test('seen with the same body, in other key order and spacing: the first status, the present state, replayed', async () => {
    const key = { 'idempotency-key': 'order-1' };
    const first = await post({ kind: 'note.write', input: { topic: 'idem', text: 'x' } }, key);
    await worker.start(first.json.id);
    const again = await t.call('POST', '/jobs', {
      body: '{ "input" : {"text":"x","topic":"idem"}, "kind":"note.write" }',
      headers: { 'content-type': 'application/json', 'idempotency-key': '"order-1"' },
    });
    expect([first.status, again.status]).toEqual([202, 202]);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(first.headers.get('idempotent-replayed')).toBeNull();
    expect(again.json.id).toBe(first.json.id);
    expect(again.json.status).toBe('STARTED');
    expect(again.json.duplicate).toBeUndefined();
  });

  test('with another body is refused', async () => {
    const key = { 'idempotency-key': 'order-2' };
    await post(freshNote(), key);
    const answer = await post(freshNote(), key);
    expect(answer.status).toBe(422);
    expect(answer.json.code).toBe('idempotency_key_reused');
  });

  test('belongs to one tenant and one route', async () => {
    const key = { 'idempotency-key': 'order-3' };
    const note = freshNote();
    const mine = await post(note, key);
    const theirs = await t.call('POST', '/jobs', { json: note, headers: key, key: t.rival.key });
    const batch = await post({ jobs: [note] }, key, '/jobs/batch');
    expect(theirs.status).toBe(202);
    expect(theirs.json.id).not.toBe(mine.json.id);
    expect(batch.headers.get('idempotent-replayed')).toBeNull();
  });

  test('of a refused request may be used for the corrected one', async () => {
    const key = { 'idempotency-key': 'order-4' };
    expect((await post({ kind: 'note.write', input: {} }, key)).status).toBe(422);
    const note = freshNote({ text: 'one' });
    await post(note);
    const conflict = await post({ ...note, input: { ...note.input, text: 'two' } }, key);
    expect(conflict.status).toBe(409);
    expect((await post(freshNote(), key)).status).toBe(202);
  });

  test.each([
    ['empty', ''],
    ['a quote too many', '"a'],
    ['a space in a bare key', 'a b'],
    ['256 characters', 'k'.repeat(256)],
    ['beyond ASCII', 'kéy'],
  ])('malformed (%s) is answered with 400', async (_, key) => {
    const answer = await post(freshNote(), { 'idempotency-key': key });
    expect(answer.status).toBe(400);
    expect(answer.json.code).toBe('invalid_idempotency_key');
  });

  test('of 255 characters is fine, quoted and with escapes too', async () => {
    expect((await post(freshNote(), { 'idempotency-key': 'k'.repeat(255) })).status).toBe(202);
    expect((await post(freshNote(), { 'idempotency-key': '"a \\"quoted\\" key"' })).status).toBe(202);
  });

  test('while the first is not committed waits up to 1 s, then answers as for one that is', async () => {
    const rival = await t.worker.connect();
    await rival.query('begin');
    await rival.query('set local role longhaul_app');
    await rival.query(`select set_config('longhaul.tenant', $1, true)`, [t.acme.id]);
    await rival.query(
      `insert into longhaul.idempotency (tenant_id, route, key, fingerprint) values ($1, '/jobs', 'in-flight', '\\x00')`,
      [t.acme.id],
    );
    const began = performance.now();
    const blocked = await post(freshNote(), { 'idempotency-key': 'in-flight' });
    expect(performance.now() - began).toBeGreaterThan(900);
    expect(blocked.status).toBe(409);
    expect(blocked.json.code).toBe('idempotency_in_flight');
    expect(blocked.headers.get('retry-after')).toBe('1');
    const waiting = post(freshNote(), { 'idempotency-key': 'in-flight' });
    await new Promise((resolve) => setTimeout(resolve, 200));
    await rival.query('rollback');
    rival.release();
    expect((await waiting).status).toBe(202);
  });

  test('of twenty at once makes one job', async () => {
    const note = freshNote();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => post(note, { 'idempotency-key': 'storm' })),
    );
    expect(new Set(answers.map((answer) => answer.json.id)).size).toBe(1);
    expect(answers.filter((answer) => answer.headers.get('idempotent-replayed') === null)).toHaveLength(1);
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([202]));
  });
});

describe('the natural key', () => {
  test('with the same input answers the job that is there, 200, also under a new Idempotency-Key', async () => {
    const note = freshNote();
    const first = await post(note);
    const second = await post(note);
    const third = await post(note, { 'idempotency-key': 'natural-1' });
    const replay = await post(note, { 'idempotency-key': 'natural-1' });
    for (const answer of [second, third, replay]) {
      expect(answer.status).toBe(200);
      expect(answer.json).toMatchObject({ id: first.json.id, duplicate: true });
      expect(answer.headers.get('location')).toBe(first.json.links.self);
    }
    expect(replay.headers.get('idempotent-replayed')).toBe('true');
  });

  test('sees through defaults: an input that says them is the same', async () => {
    const note = freshNote();
    const first = await post(note);
    const second = await post({ ...note, input: { ...note.input, version: 1, text: '' } });
    expect(second.json).toMatchObject({ id: first.json.id, duplicate: true });
  });

  test('of forty at once at two processes makes one job, whatever came in the same batch', async () => {
    const other = await createApi(
      { ...t.settings, port: 0 },
      { definitions: [notes], datasets, engine: t.engine },
    );
    const note = freshNote();
    const answers = await Promise.all(
      Array.from({ length: 40 }, async (_, place) => {
        // Beside it, one that no other has: a batch that is refused as a whole would lose it.
        const body = JSON.stringify(place % 2 === 0 ? note : freshNote());
        const headers = { authorization: `Bearer ${t.acme.key}`, 'content-type': 'application/json' };
        const answer = await fetch(`${place % 4 < 2 ? t.url : other.url}/jobs`, {
          method: 'POST',
          headers,
          body,
        });
        return { same: place % 2 === 0, status: answer.status, job: (await answer.json()) as Job };
      }),
    );
    await other.close();
    const [same = [], single = []] = [true, false].map((which) =>
      answers.filter((one) => one.same === which),
    );
    expect(new Set(same.map(({ job }) => job.id)).size).toBe(1);
    expect(same.map(({ status }) => status).toSorted()).toEqual([...Array<number>(19).fill(200), 202]);
    expect(new Set(single.map(({ status }) => status))).toEqual(new Set([202]));
    expect(new Set(single.map(({ job }) => job.id)).size).toBe(20);
  });

  test('with another input is a conflict that names the job', async () => {
    const note = freshNote({ text: 'one' });
    const first = await post(note);
    const answer = await post({ ...note, input: { ...note.input, text: 'two' } });
    expect(answer.status).toBe(409);
    expect(answer.json).toMatchObject({ code: 'natural_key_conflict', jobId: first.json.id });
  });

  test('of the client’s, for kinds that declare none; refused for kinds that do', async () => {
    const one = await post({ kind: 'note.plain', input: { text: 'a' }, key: 'mine' });
    const same = await post({ kind: 'note.plain', input: { text: 'a' }, key: 'mine' });
    const none = await post({ kind: 'note.plain', input: { text: 'a' } });
    expect(one.json.key).toBe('mine');
    expect(same.json).toMatchObject({ id: one.json.id, duplicate: true });
    expect(none.json.key).toBeNull();
    expect(none.status).toBe(202);
    const refused = await post({ ...freshNote(), key: 'mine' });
    expect(refused.status).toBe(422);
    expect(refused.json.errors[0]?.pointer).toBe('/key');
  });
});

describe('onDuplicate: restart', () => {
  test('after a failure makes one successor, however many race for it', async () => {
    const note = freshNote();
    const { json: first } = await post(note);
    await worker.start(first.id);
    await worker.fail(first.id);
    expect((await post(note)).json).toMatchObject({ id: first.id, duplicate: true, status: 'FAILED' });
    const race = await Promise.all(
      Array.from({ length: 8 }, () => post({ ...note, onDuplicate: 'restart' })),
    );
    const made = race.filter((answer) => answer.status === 202);
    expect(made).toHaveLength(1);
    expect(made[0]?.json.attemptOf).toBe(first.id);
    expect(new Set(race.map((answer) => answer.json.id))).toEqual(new Set([made[0]?.json.id]));
    expect((await post(note)).json.id).toBe(made[0]?.json.id);
  });

  test('after a cancel makes one, too; of a job that runs, none', async () => {
    const note = freshNote();
    const { json: first } = await post(note);
    expect((await post({ ...note, onDuplicate: 'restart' })).json).toMatchObject({
      id: first.id,
      duplicate: true,
    });
    await t.call('POST', `/jobs/${first.id}/cancel`);
    const next = await post({ ...note, onDuplicate: 'restart' });
    expect(next.status).toBe(202);
    expect(next.json.attemptOf).toBe(first.id);
  });

  test('after a failure with an unfenced leftover answers the job that is there', async () => {
    const note = freshNote();
    const { json: first } = await post(note);
    await worker.start(first.id);
    await worker.fail(first.id, [{ step: 'write', fenced: false }]);
    expect((await post({ ...note, onDuplicate: 'restart' })).json).toMatchObject({
      id: first.id,
      duplicate: true,
    });
  });

  test('after a success only once the result has expired', async () => {
    const note = freshNote();
    const { json: first } = await post(note);
    await worker.start(first.id);
    await worker.succeed(first.id, { words: 1 });
    const file = { location: 'a.0', bytes: 1, sha256: '0'.repeat(64) };
    await worker.artifact(first.id, { ...file, expiresAt: new Date(Date.now() + 60_000) });
    expect((await post({ ...note, onDuplicate: 'restart' })).json).toMatchObject({
      id: first.id,
      duplicate: true,
    });
    await worker.artifact(first.id, { ...file, expiresAt: new Date(Date.now() - 1_000) });
    expect((await post({ ...note, onDuplicate: 'restart' })).status).toBe(202);
  });
});

describe('Prefer: wait', () => {
  test('answers 200 as soon as the job has ended', async () => {
    const waiting = post(
      { kind: 'note.plain', input: { text: 'x' }, key: 'awaited' },
      { prefer: 'respond-async, wait=20' },
    );
    const job = await eventually('the job to be there', async () => {
      const { json } = await t.call('GET', '/jobs?kind=note.plain&key=awaited');
      return json.items[0];
    });
    await worker.start(job.id);
    await worker.succeed(job.id, { words: 3 });
    const answer = await waiting;
    expect(answer.status).toBe(200);
    expect(answer.headers.get('preference-applied')).toBe('wait=20');
    expect(answer.headers.get('retry-after')).toBeNull();
    expect(answer.json).toMatchObject({ id: job.id, status: 'SUCCEEDED', result: { words: 3 } });
    expect(answer.json.progress.percent).toBe(100);
  });

  test('answers 202 when time is up; waits 30 s at most; ignores nonsense', async () => {
    const answer = await post(freshNote(), { prefer: 'wait=1' });
    expect(answer.status).toBe(202);
    expect(answer.headers.get('preference-applied')).toBe('wait=1');
    const nonsense = await post(freshNote(), { prefer: 'wait=soon' });
    expect(nonsense.status).toBe(202);
    expect(nonsense.headers.get('preference-applied')).toBeNull();
  });
});

describe('a batch', () => {
  test('answers each in order, and accepts the valid ones together', async () => {
    const there = freshNote({ text: 'there' });
    const { json: duplicate } = await post(there);
    const before = await countRows(t, 'jobs', t.acme);
    const answer = await post(
      {
        jobs: [
          freshNote(),
          { kind: 'note.write', input: { topic: 7 } },
          there,
          { ...there, input: { ...there.input, text: 'other' } },
          { kind: 'nope', input: {} },
          { ...freshNote(), priority: 3 },
          freshNote({ text: 'nul \0' }),
          17,
        ],
      },
      {},
      '/jobs/batch',
    );
    expect(answer.status).toBe(202);
    const { items } = answer.json;
    expect(items.map((item) => item.status)).toEqual([202, 422, 200, 409, 422, 422, 422, 422]);
    expect(items[1]?.problem?.errors?.map((error) => error.pointer)).toEqual(['/input/topic']);
    expect(items[2]?.job).toMatchObject({ id: duplicate.id, duplicate: true });
    expect(items[3]?.problem?.code).toBe('natural_key_conflict');
    expect(items[5]?.problem?.code).toBe('not_available');
    expect(items[6]?.problem?.errors?.map((error) => error.pointer)).toEqual(['/input/text']);
    expect(await countRows(t, 'jobs', t.acme)).toBe(before + 1);
  });

  test('is replayed whole by its Idempotency-Key, problems included', async () => {
    const batch = { jobs: [freshNote(), { kind: 'note.write', input: { topic: '', 'we\0ird': 1 } }] };
    const key = { 'idempotency-key': 'batch-1' };
    const first = await post(batch, key, '/jobs/batch');
    const again = await post(batch, key, '/jobs/batch');
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    const plain = (answer: typeof first) =>
      answer.json.items.map((item) => [item.status, item.job?.id, item.problem?.code, item.problem?.errors]);
    expect(plain(again)).toEqual(plain(first));
  });

  test('with the same natural key twice makes one job', async () => {
    const note = freshNote();
    const { json } = await post({ jobs: [note, note] }, {}, '/jobs/batch');
    expect(json.items.map((item) => item.status)).toEqual([202, 200]);
    expect(json.items[1]?.job?.id).toBe(json.items[0]?.job?.id);
  });

  test.each([
    ['no jobs', { jobs: [] }],
    ['more than 1,000', { jobs: Array.from({ length: 1_001 }, () => 1) }],
    ['no list', { jobs: 'all' }],
    ['something else', { items: [] }],
    ['a list', []],
  ])('of %s is refused as a whole', async (_, batch) => {
    expect((await post(batch, {}, '/jobs/batch')).status).toBe(422);
  });

  test('of 1,000 is accepted in one go', async () => {
    const answer = await post({ jobs: Array.from({ length: 1_000 }, () => freshNote()) }, {}, '/jobs/batch');
    expect(answer.json.items.filter((item) => item.status === 202)).toHaveLength(1_000);
  });
});

describe('validation', () => {
  test('names all errors at once, by JSON pointer', async () => {
    const answer = await post({
      kind: 'note.write',
      input: { topic: '', version: 0, 'a/b~c': 1 },
      onDuplicate: 'replace',
      nonsense: true,
      key: 'k',
    });
    expect(answer.status).toBe(422);
    expect(answer.json.code).toBe('validation_failed');
    expect(answer.json.errors.map((error) => error.pointer).sort()).toEqual([
      '/input/a~1b~0c',
      '/input/topic',
      '/input/version',
      '/key',
      '/nonsense',
      '/onDuplicate',
    ]);
  });

  test('priority is not available yet', async () => {
    const answer = await post({ ...freshNote(), priority: 1, oops: 1 });
    expect(answer.status).toBe(422);
    expect(answer.json.code).toBe('not_available');
    expect(answer.json.errors.map((error) => error.pointer)).toEqual(['/priority', '/oops']);
  });

  test('knows the kinds, and the datasets of this tenant', async () => {
    const unknown = await post({ kind: 'note.burn', input: {} });
    expect(unknown.json.errors).toEqual([
      { pointer: '/kind', detail: expect.stringContaining('note.write') as string },
    ]);
    const input = { dataset: 'flights', version: 1, format: 'csv', filter: { delay: { gte: 5 } } };
    expect((await post({ kind: 'report.export', input })).status).toBe(202);
    const theirs = await t.call('POST', '/jobs', {
      json: { kind: 'report.export', input },
      key: t.rival.key,
    });
    expect(theirs.status).toBe(422);
    expect(theirs.json.errors[0]?.pointer).toBe('/input/dataset');
  });
});

describe('delayUntil', () => {
  const inDays = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString();

  test('holds a job back until then, its deadline and its start with it, and nobody is missed meanwhile', async () => {
    const delayUntil = inDays(3);
    const { json: job, headers } = await post({ ...freshNote(), delayUntil });
    expect(job).toMatchObject({ status: 'PENDING', phase: 'queued', delayUntil });
    expect(Date.parse(job.deadlineAt)).toBeGreaterThan(Date.parse(delayUntil));
    expect(headers.get('retry-after')).toBe('3600');
    const relay = openDatabase(t.settings.databaseUrl.relay, 'relay', { max: 2 });
    try {
      const due = (): Promise<string[]> =>
        inTransaction(relay, async (connection) =>
          (await claimDue(connection, 10_000)).map(({ jobId }) => jobId),
        );
      const { unsent } = await measureOutbox(relay);
      expect(await due()).not.toContain(job.id);
      // As when the time has come.
      await relay.query(
        `update longhaul.outbox set due_at = due_at - interval '3 days', created_at = created_at - interval '3 days'
          where job_id = $1`,
        [job.id],
      );
      expect(await due()).toContain(job.id);
      expect((await measureOutbox(relay)).unsent).toBe(unsent + 1);
    } finally {
      await relay.end();
    }
  });

  test('shows no worker as missing, and a cancel before it starts ends the job at once', async () => {
    t.engine.unpolled = ['notes-io', 'workflows'];
    try {
      const { json: job } = await post({ ...freshNote(), delayUntil: inDays(1) });
      const path = `/jobs/${job.id}`;
      const read = await t.call('GET', path);
      expect(read.json.progress.message).toBeNull();
      expect((await t.call('POST', `${path}/cancel`)).status).toBe(202);
      expect((await t.call('GET', path)).json).toMatchObject({ status: 'CANCELLED', compensated: 'none' });
    } finally {
      t.engine.unpolled = [];
    }
  });

  test('that is over delays nothing; one too far ahead, or no time at all, is refused', async () => {
    expect(
      (await post({ ...freshNote(), delayUntil: '2020-01-01T00:00:00+02:00' })).json.delayUntil,
    ).toBeNull();
    for (const delayUntil of [inDays(91), '2026-13-01T00:00:00Z', 'tomorrow', 5]) {
      const answer = await post({ ...freshNote(), delayUntil });
      expect(answer.json.errors.map(({ pointer }) => pointer)).toEqual(['/delayUntil']);
    }
  });
});

describe('POST /exports', () => {
  test('is the same thing with the input as the body', async () => {
    const input = { dataset: 'flights', version: 99, format: 'csv' };
    const door = await post(input, {}, '/exports');
    const plain = await post({ kind: 'report.export', input });
    expect(door.status).toBe(202);
    expect(plain.json).toMatchObject({ id: door.json.id, duplicate: true });
    expect((await post({ ...input, onDuplicate: 'restart' }, {}, '/exports')).status).toBe(200);
    const beside = { delayUntil: '2020-01-01T00:00:00Z', callback: { url: 'https://example.com/done' } };
    const told = await post({ ...input, version: 98, ...beside }, {}, '/exports');
    expect(told.json.callback).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('names errors in the terms of its own body', async () => {
    const answer = await post({ dataset: 'nope', version: 1, format: 'csv', priority: 1 }, {}, '/exports');
    expect(answer.json.code).toBe('not_available');
    expect(answer.json.errors.map((error) => error.pointer)).toEqual(['/priority', '/dataset']);
    const nul = await post({ dataset: 'fl\0', version: 1, format: 'csv' }, {}, '/exports');
    expect(nul.json.errors.map((error) => error.pointer)).toContain('/dataset');
  });
});
