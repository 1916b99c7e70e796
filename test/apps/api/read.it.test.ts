import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createChildJobs } from '../../../libs/store/child-jobs.store.js';
import { inTransaction } from '../../../libs/store/database.js';
import { eventually } from '../../support/stack.js';
import { notes } from './kinds.js';
import { FakeWorker, freshNote, openEvents, startTestApi, type TestApi } from './support.js';

let t: TestApi;
let worker: FakeWorker;
beforeAll(async () => {
  t = await startTestApi();
  worker = new FakeWorker(t, t.acme);
});
afterAll(async () => t.close());
beforeEach(() => {
  t.engine.state = forward();
});

const forward = (more: object = {}): object => ({
  phase: 'forward',
  committed: false,
  overdue: false,
  cancelRequested: false,
  steps: [{ name: 'look', kind: 'readOnly', status: 'running' }],
  ...more,
});

async function newJob(more: object = {}): Promise<string> {
  return (await t.call('POST', '/jobs', { json: freshNote(more) })).json.id;
}

async function startedJob(): Promise<string> {
  const id = await newJob();
  await worker.start(id);
  return id;
}

const get = (id: string, headers: Record<string, string> = {}, path = '') =>
  t.call('GET', `/jobs/${id}${path}`, { headers });

describe('GET /jobs/{id}', () => {
  test('of a job that does not begin names the queues nobody polls, as a new revision; the list does, too', async () => {
    const id = await newJob();
    t.engine.unpolled = ['workflows', 'notes-io', 'others-io'];
    expect((await get(id)).json).toMatchObject({
      status: 'PENDING',
      revision: 1,
      progress: { message: null },
    });
    await t.owner.query(`update longhaul.jobs set created_at = now() - interval '6 s' where id = $1`, [id]);
    const message = 'Waits for a worker: nobody polls workflows, notes-io';
    expect((await get(id)).json).toMatchObject({ status: 'PENDING', revision: 2, progress: { message } });
    const { items } = (await t.call('GET', '/jobs?limit=1')).json;
    expect(items[0]).toMatchObject({ id, revision: 2, progress: { message } });
    t.engine.unpolled = [];
  });

  test('joins the workflow’s state with progress and attempts of the ledger', async () => {
    const id = await startedJob();
    await worker.effect(id, { step: 'look', seq: 1, state: 'done', progress: { total: 100, unit: 'words' } });
    const next = new Date(Date.now() + 5_000);
    await worker.effect(id, {
      step: 'write',
      seq: 2,
      item: 0,
      kind: 'compensable',
      attempt: 2,
      progress: { done: 25, bytes: 1_000, message: 'writing' },
      lastError: { class: 'transient', certainty: 'no', code: 'no_ink', message: 'Out of ink.' },
      nextAttemptAt: next,
    });
    t.engine.state = forward({ message: 'from the saga' });
    const { json, headers } = await get(id);
    expect(json).toMatchObject({
      status: 'STARTED',
      phase: 'forward',
      stale: false,
      progress: { percent: 25, done: 25, total: 100, unit: 'words', bytes: 1_000, message: 'writing' },
    });
    expect(json.steps).toMatchObject([
      { name: 'look', kind: 'readOnly', status: 'done', attempt: 1 },
      {
        name: 'write',
        item: 0,
        kind: 'compensable',
        status: 'retrying',
        attempt: 2,
        nextAttemptAt: next.toISOString(),
        lastError: { code: 'no_ink', message: 'Out of ink.' },
      },
      { name: 'show', kind: 'pivot', status: 'waiting', attempt: 0 },
    ]);
    expect(headers.get('retry-after')).toMatch(/^\d+$/);
    expect(json.links.temporal).toBe(`http://127.0.0.1:8233/namespaces/default/workflows/${id}`);
  });

  test('has the revision as its ETag: 304 until something changes, and then a higher one', async () => {
    const id = await startedJob();
    const first = await get(id);
    const etag = first.headers.get('etag') ?? '';
    expect(etag).toBe(`"${first.json.revision}"`);
    for (const header of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const unchanged = await get(id, { 'if-none-match': header });
      expect([unchanged.status, unchanged.text, unchanged.headers.get('etag')]).toEqual([304, '', etag]);
    }
    await worker.effect(id, { step: 'look', seq: 1, progress: { done: 1, total: 10 } });
    const second = await get(id, { 'if-none-match': etag });
    expect(second.status).toBe(200);
    expect(second.json.revision).toBeGreaterThan(first.json.revision);
  });

  test('keeps the revision while only asOf, staleness and pace change, for all readers at once', async () => {
    const id = await startedJob();
    await worker.effect(id, { step: 'look', seq: 1, progress: { done: 1, total: 10 } });
    await get(id);
    const answers = await Promise.all(Array.from({ length: 10 }, () => get(id)));
    expect(new Set(answers.map((answer) => answer.json.revision)).size).toBe(1);
  });

  test('never lets the percentage fall, and says 100 only at the end', async () => {
    const id = await startedJob();
    await worker.effect(id, { step: 'look', seq: 1, progress: { done: 10, total: 10 } });
    expect((await get(id)).json.progress.percent).toBe(99.9);
    await worker.effect(id, { step: 'look', seq: 1, progress: { done: 4, total: 10 } });
    const lower = (await get(id)).json.progress;
    expect([lower.percent, lower.done]).toEqual([99.9, 4]);
    await worker.succeed(id, { words: 4 });
    const done = await get(id);
    expect(done.json).toMatchObject({
      status: 'SUCCEEDED',
      phase: 'done',
      result: { words: 4 },
      progress: { percent: 100 },
    });
    expect(done.headers.get('retry-after')).toBeNull();
  });

  test('answers 200 for failed jobs, with the error', async () => {
    const id = await startedJob();
    await worker.fail(id);
    const { status, json } = await get(id);
    expect(status).toBe(200);
    expect(json).toMatchObject({
      status: 'FAILED',
      compensated: 'all',
      error: { code: 'no_paper', step: 'write' },
    });
  });

  test('lets a stored end win over whatever the workflow says, and does not ask it', async () => {
    const id = await startedJob();
    await worker.succeed(id, { words: 1 });
    const before = t.engine.queries;
    expect((await get(id)).json).toMatchObject({ status: 'SUCCEEDED', stale: false });
    expect(t.engine.queries).toBe(before);
  });

  test('does not ask for a pending job', async () => {
    const id = await newJob();
    const before = t.engine.queries;
    expect((await get(id)).json).toMatchObject({ status: 'PENDING', phase: 'queued', stale: false });
    expect(t.engine.queries).toBe(before);
  });

  test.each(['nope', '00000000-0000-7000-8000-000000000000', 'a'.repeat(200), '%00', 'undefined'])(
    'of no job (%s) is 404 job_not_found',
    async (id) => {
      const answer = await get(id);
      expect(answer.status).toBe(404);
      expect(answer.json.code).toBe('job_not_found');
    },
  );
});

describe('the workflow’s query', () => {
  test('is in flight once a job, whoever reads meanwhile', async () => {
    const id = await startedJob();
    t.engine.inFlightMost = 0;
    const before = t.engine.queries;
    const { promise: answering, resolve: answer } = Promise.withResolvers<void>();
    t.engine.answering = answering;
    await Promise.all(Array.from({ length: 20 }, () => get(id)));
    expect([t.engine.queries - before, t.engine.inFlightMost]).toEqual([1, 1]);
    answer();
    await eventually('what the workflow says', async () => (await get(id)).json.stale === false);
    expect(t.engine.inFlightMost).toBe(1);
  });

  test('without an answer gives the stored state, stale, with its age, until there is one', async () => {
    const id = await startedJob();
    const fresh = await get(id);
    expect(fresh.json.stale).toBe(false);
    await worker.effect(id, { step: 'look', seq: 1, state: 'done', progress: { done: 5, total: 10 } });
    t.engine.state = undefined;
    const stale = await eventually('the answer to have served its time', async () => {
      const { json } = await get(id);
      return json.stale && json;
    });
    expect(stale).toMatchObject({ asOf: fresh.json.asOf, progress: { percent: 50 } });
    t.engine.state = forward();
    await eventually('fresh answers to come back', async () => (await get(id)).json.stale === false);
  });

  test('that answers nonsense is a miss, not an error', async () => {
    const id = await startedJob();
    t.engine.state = { hello: 'world' };
    expect((await get(id)).json).toMatchObject({ status: 'STARTED', stale: true });
  });
});

describe('GET /jobs', () => {
  test('pages newest first, by Link, without gaps or repeats', async () => {
    const topics = Array.from({ length: 5 }, () => newJob());
    const ids = new Set(await Promise.all(topics));
    const since = new Date(Date.now() - 60_000).toISOString();
    const seen: string[] = [];
    let path: string | undefined = `/jobs?limit=2&kind=note.write&since=${since}`;
    while (path !== undefined) {
      const answer = await t.call('GET', path);
      expect(answer.json.items.length).toBeLessThanOrEqual(2);
      seen.push(...answer.json.items.map((job) => job.id));
      const next = /^<([^>]+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1];
      expect(next?.startsWith(t.settings.publicUrl) ?? true).toBe(true);
      path = next?.slice(t.settings.publicUrl.length);
      if (path) expect(path).toContain('kind=note.write');
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toEqual([...seen].sort().reverse());
    for (const id of ids) expect(seen).toContain(id);
  });

  test('filters by kind, status, key and time', async () => {
    await t.call('POST', '/jobs', { json: { kind: 'note.plain', input: { text: 'a' }, key: 'the/key' } });
    const byKey = await t.call('GET', '/jobs?key=the%2Fkey');
    expect(byKey.json.items.map((job) => job.key)).toEqual(['the/key']);
    const none = await t.call('GET', `/jobs?since=${new Date(Date.now() + 60_000).toISOString()}`);
    expect(none.json.items).toEqual([]);
    expect(none.headers.get('link')).toBeNull();
    const failed = await t.call('GET', '/jobs?status=FAILED&limit=200');
    expect(new Set(failed.json.items.map((job) => job.status))).toEqual(new Set(['FAILED']));
  });

  test('shows a job’s children on it, and lists them by their parent', async () => {
    const id = await startedJob();
    const ref = { job: { id, tenantId: t.acme.id, kind: 'note.write' }, step: 'write', generation: 0 };
    const children = createChildJobs(t.worker, t.cipher);
    await inTransaction(t.worker, (tx) =>
      children.start(
        tx,
        ref,
        notes,
        [1, 2, 3].map((version) => ({ topic: 'child', version })),
      ),
    );
    const { items } = (await t.call('GET', `/jobs?parent=${id}&limit=2`)).json;
    expect(items.map((job) => (job as unknown as { parent: string }).parent)).toEqual([id, id]);
    await worker.succeed(items[0]?.id as string, { words: 1 });
    await worker.start(items[1]?.id as string);
    await worker.park(items[1]?.id as string, 'show');
    const { json } = await get(id);
    expect(json).toMatchObject({
      children: { total: 3, open: 2, parked: 1, succeeded: 1, failed: 0, cancelled: 0 },
      progress: { done: 1, total: 3, unit: 'jobs' },
      links: { children: `${t.settings.publicUrl}/jobs?parent=${id}` },
    });
    expect((json as unknown as { children: { parkedJobs: object[] } }).children.parkedJobs).toEqual([
      {
        id: items[1]?.id,
        kind: 'note.write',
        key: items[1]?.key,
        step: 'show',
        links: { self: `${t.settings.publicUrl}/jobs/${items[1]?.id}` },
      },
    ]);
    expect((await t.call('GET', `/jobs?parent=${id}`, { key: t.rival.key })).json.items).toEqual([]);
  });

  test.each([
    'parent=nobody',
    'limit=0',
    'limit=201',
    'limit=ten',
    'limit=1.5',
    'status=DONE',
    'since=yesterday',
    'cursor=nope',
    'cursor=',
    `cursor=${Buffer.from('j1:no-uuid').toString('base64url')}`,
    'color=red',
    'kind=a&kind=b',
    'key=%00',
    'limit=5&limit=6',
    'status=',
  ])('with ?%s is refused', async (query) => {
    const answer = await t.call('GET', `/jobs?${query}`);
    expect(answer.status).toBe(422);
    expect(answer.json.errors.length).toBeGreaterThan(0);
  });
});

describe('events', () => {
  test('send the present job at once, each newer one, and end after the last; then 204', async () => {
    const id = await startedJob();
    const stream = await openEvents(t, `/jobs/${id}/events`);
    expect(stream.response.status).toBe(200);
    expect(stream.response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    expect(stream.response.headers.get('x-trace-id')).toMatch(/^[0-9a-f]{32}$/);
    const first = await stream.next();
    expect(first).toMatchObject({ event: 'job', data: { id, status: 'STARTED' } });
    expect(first?.id).toBe(String(first?.data.revision));
    await worker.effect(id, { step: 'look', seq: 1, progress: { done: 1, total: 4 } });
    const second = await stream.next();
    expect(second?.data.progress.percent).toBe(25);
    expect(Number(second?.id)).toBeGreaterThan(Number(first?.id));
    await worker.succeed(id, { words: 2 });
    const last = await stream.next();
    expect(last?.data).toMatchObject({ status: 'SUCCEEDED', result: { words: 2 } });
    expect(await stream.next()).toBeUndefined();
    const again = await get(id, { 'last-event-id': last?.id ?? '' }, '/events');
    expect([again.status, again.text]).toEqual([204, '']);
    const behind = await openEvents(t, `/jobs/${id}/events`, { 'last-event-id': second?.id ?? '' });
    expect((await behind.next())?.id).toBe(last?.id);
    expect(await behind.next()).toBeUndefined();
  });

  test('with the present Last-Event-ID send nothing until something changes', async () => {
    const id = await startedJob();
    const { json } = await get(id);
    const stream = await openEvents(t, `/jobs/${id}/events`, { 'last-event-id': String(json.revision) });
    const next = stream.next();
    await worker.effect(id, { step: 'look', seq: 1, attempt: 3 });
    expect((await next)?.data.steps[0]).toMatchObject({ name: 'look', attempt: 3 });
    stream.end();
  });

  test('with a Last-Event-ID this job never had send the present state, and the end', async () => {
    const id = await startedJob();
    const stream = await openEvents(t, `/jobs/${id}/events`, { 'last-event-id': '999999' });
    expect((await stream.next())?.data.status).toBe('STARTED');
    await worker.succeed(id, { words: 1 });
    expect((await stream.next())?.data.status).toBe('SUCCEEDED');
    expect(await stream.next()).toBeUndefined();
  });

  test('come at least four times a second while progress advances', async () => {
    const id = await startedJob();
    const stream = await openEvents(t, `/jobs/${id}/events`);
    await stream.next();
    let advancing = true;
    const advance = (async () => {
      for (let done = 1; advancing; done += 1) {
        await worker.effect(id, { step: 'look', seq: 1, progress: { done, total: 1_000_000 } });
      }
    })();
    await stream.next();
    const began = performance.now();
    let events = 0;
    while (performance.now() - began < 2_000) {
      await stream.next();
      events += 1;
    }
    advancing = false;
    await advance;
    stream.end();
    expect(events).toBeGreaterThanOrEqual(8);
  });

  test('serve a hundred followers from one query and one watcher', async () => {
    const id = await startedJob();
    const streams = await Promise.all(Array.from({ length: 100 }, () => openEvents(t, `/jobs/${id}/events`)));
    await Promise.all(streams.map((stream) => stream.next()));
    t.engine.inFlightMost = 0;
    const before = t.engine.queries;
    const began = performance.now();
    await worker.effect(id, { step: 'look', seq: 1, progress: { done: 1, total: 2 } });
    const events = await Promise.all(streams.map((stream) => stream.next()));
    const queries = t.engine.queries - before;
    expect(new Set(events.map((event) => event?.id)).size).toBe(1);
    expect(t.engine.inFlightMost).toBeLessThanOrEqual(1);
    expect(queries).toBeLessThanOrEqual(Math.ceil((performance.now() - began) / 500) + 1);
    streams.forEach((stream) => stream.end());
  });

  test('are refused for a job that is not there', async () => {
    expect((await get('00000000-0000-7000-8000-000000000000', {}, '/events')).status).toBe(404);
  });
});

describe('the result', () => {
  test('is 409 until the job has ended, after a failure, and after a cancel', async () => {
    const pending = await newJob();
    const notReady = await get(pending, {}, '/result');
    expect([notReady.status, notReady.json.code]).toEqual([409, 'result_not_ready']);
    expect(notReady.headers.get('retry-after')).toMatch(/^\d+$/);
    await t.call('POST', `/jobs/${pending}/cancel`);
    expect((await get(pending, {}, '/result')).json.code).toBe('job_cancelled');
    const failed = await startedJob();
    await worker.fail(failed);
    const answer = await get(failed, {}, '/result');
    expect([answer.status, answer.json.code]).toEqual([409, 'job_failed']);
  });

  test('of a kind without artifact is the result itself', async () => {
    const id = await startedJob();
    await worker.succeed(id, { words: 12 });
    const answer = await get(id, {}, '/result');
    expect([answer.status, answer.json]).toEqual([200, { words: 12 }]);
  });

  test('with an artifact redirects to a signed URL, or tells it as JSON; 410 once expired', async () => {
    const id = await startedJob();
    await worker.succeed(id, { words: 12 });
    const file = { location: `${id}.0`, bytes: 5, sha256: 'a'.repeat(64) };
    await worker.artifact(id, { ...file, expiresAt: new Date(Date.now() + 3_600_000) });
    const redirect = await get(id, {}, '/result');
    expect(redirect.status).toBe(303);
    expect(redirect.headers.get('location')).toMatch(`${t.settings.publicUrl}/artifacts/`);
    const told = await get(id, { accept: 'application/json' }, '/result');
    expect(told.json).toMatchObject({ bytes: 5, rows: 3, sha256: 'a'.repeat(64), contentType: 'text/csv' });
    expect(Date.parse(told.json.expiresAt)).toBeLessThanOrEqual(Date.now() + 15 * 60_000);
    await worker.artifact(id, { ...file, expiresAt: new Date(Date.now() - 1) });
    const gone = await get(id, {}, '/result');
    expect([gone.status, gone.json.code]).toEqual([410, 'result_expired']);
  });
});

describe('cancel', () => {
  const cancel = (id: string, options: object = {}, query = '') =>
    t.call('POST', `/jobs/${id}/cancel${query}`, options);

  test('before dispatch ends the job; again it is 200; body and reason may be missing', async () => {
    const id = await newJob();
    const first = await cancel(id);
    expect([first.status, first.json.status]).toEqual([202, 'CANCELLED']);
    const again = await cancel(id, { json: {} });
    expect([again.status, again.json.status]).toEqual([200, 'CANCELLED']);
  });

  test('of a started job is asked for, and leaves a message in the outbox', async () => {
    const id = await startedJob();
    await dispatched(id);
    const answer = await cancel(id, { json: { reason: 'changed my mind' } });
    expect([answer.status, answer.json.status]).toEqual([202, 'STARTED']);
    expect(answer.headers.get('retry-after')).not.toBeNull();
    expect((await cancel(id)).status).toBe(202);
  });

  test('is too late past the commit point, and pointless at the end', async () => {
    const id = await startedJob();
    await dispatched(id);
    await worker.commit(id);
    expect((await cancel(id)).json).toMatchObject({ status: 409, code: 'too_late' });
    expect((await cancel(id, {}, '?dryRun=true')).json).toEqual({
      possible: false,
      reason: 'too_late',
      wouldUndo: [],
    });
    await worker.succeed(id, { words: 1 });
    expect((await cancel(id)).json).toMatchObject({ status: 409, code: 'job_finished' });
  });

  test('dry: says what would be undone, in that order, and changes nothing', async () => {
    const id = await startedJob();
    await worker.effect(id, { step: 'look', seq: 1, state: 'done' });
    await worker.effect(id, { step: 'write', seq: 2, item: 0, kind: 'compensable', state: 'done' });
    await worker.effect(id, { step: 'write', seq: 3, item: 1, kind: 'compensable', state: 'claimed' });
    await worker.effect(id, { step: 'write', seq: 4, item: 2, kind: 'compensable', state: 'undone' });
    const { json: before } = await get(id);
    const answer = await cancel(id, {}, '?dryRun=true');
    expect([answer.status, answer.json]).toEqual([
      200,
      {
        possible: true,
        wouldUndo: [
          { step: 'write', item: 1, undo: 'erase' },
          { step: 'write', item: 0, undo: 'erase' },
        ],
      },
    ]);
    expect((await get(id)).json.revision).toBe(before.revision);
    const bad = await cancel(id, {}, '?dryRun=maybe');
    expect(bad.status).toBe(422);
  });

  test('refuses a reason that is none', async () => {
    const id = await newJob();
    for (const json of [
      { reason: 'x'.repeat(201) },
      { reason: 5 },
      { why: 'x' },
      [],
      'stop',
      { reason: 'a\0' },
    ]) {
      expect((await cancel(id, { json })).status).toBe(422);
    }
    expect((await get(id)).json.status).toBe('PENDING');
  });

  /** As the relay marks what it has started. */
  async function dispatched(id: string): Promise<void> {
    const connection = await t.worker.connect();
    await connection.query('begin');
    await connection.query('set local role longhaul_relay');
    const { rowCount } = await connection.query(
      `update longhaul.outbox set dispatched_at = now() where job_id = $1`,
      [id],
    );
    expect(rowCount).toBe(1);
    await connection.query('commit');
    connection.release();
  }
});
