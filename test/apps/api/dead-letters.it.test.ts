import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeadLetter } from '../../../apps/api/operators/dead-letter.schema.js';
import type { Claim, Ledger } from '../../../libs/saga/ledger.js';
import type { DeadLetter as Letter, Decision } from '../../../libs/saga/protocol.js';
import { createLedgerStore } from '../../../libs/store/ledger.store.js';
import { approvedNote } from './kinds.js';
import { FakeWorker, startTestApi, type TestAnswer, type TestApi } from './support.js';

let t: TestApi;
let ledger: Ledger;
const KIND = approvedNote.kind;
const UNKNOWN_ID = '01890000-0000-7000-8000-000000000000';

beforeAll(async () => {
  t = await startTestApi({ definitions: [approvedNote] });
  ledger = createLedgerStore(t.worker, async (_job, _purpose, value) => Buffer.from(JSON.stringify(value)));
});
afterAll(() => t.close());

const failure = { class: 'bug', certainty: 'no', code: 'denied', message: 'The provider said 401.' } as const;

const ask = (method: string, path: string, json?: unknown, key = t.operatorKey): Promise<TestAnswer> =>
  t.call(method, path, { key, ...(json === undefined ? {} : { json }) });

/** A job parked at `step`, as its worker would have parked it. */
async function park(more: Partial<Letter> = {}, claim: Partial<Claim> = {}) {
  const answer = await t.call('POST', '/jobs', {
    json: { kind: KIND, input: { text: 'hi' } },
    headers: { traceparent: '00-11112222333344445555666677778888-0102030405060708-01' },
  });
  const job = { id: answer.json.id, tenantId: t.acme.id, kind: KIND };
  const step = more.step ?? 'send';
  if (step === 'send') {
    const base = {
      job,
      step,
      generation: 0,
      seq: 2,
      stepKind: 'pivot',
      effect: 'keyed',
      undo: undefined,
    } as const;
    const attempt: Claim = { ...base, args: { to: 'all' }, attempt: 3, leaseMs: 60_000, ...claim };
    await ledger.claim(attempt);
    if (claim.leaseMs === undefined)
      await ledger.fail(attempt, { failure, unknown: more.doubt === true, isLast: true });
  }
  const possible: readonly Decision[] = ['retry', 'compensate', 'resolve'];
  const letter = { step, undo: false, doubt: false, generation: 0, correctable: true, possible, failure };
  await ledger.park(job, { number: 1, ...letter, ...more });
  const { items } = (await ask('GET', '/dead-letters')).json as unknown as { items: DeadLetter[] };
  return { job, letter: items[0] as DeadLetter };
}

const decide = (letter: DeadLetter, body: object): Promise<TestAnswer> =>
  ask('POST', `/dead-letters/${letter.id}/decisions`, { park: 1, reason: 'because', ...body });
const read = async (letter: DeadLetter): Promise<DeadLetter> =>
  (await ask('GET', `/dead-letters/${letter.id}`)).json as unknown as DeadLetter;
const auditOf = async (letter: DeadLetter): Promise<{ actor: string; reason: string; after: object }[]> =>
  (
    await t.owner.query<{ actor: string; reason: string; after: object }>(
      'select actor, reason, after from longhaul.audit where subject = $1 order by id',
      [letter.id],
    )
  ).rows;

test('a dead letter tells who waits, where, why, and what can be decided', async () => {
  const { job, letter } = await park({ doubt: true });
  expect(await read(letter)).toMatchObject({
    status: 'open',
    tenant: { id: t.acme.id, name: 'acme' },
    jobId: job.id,
    kind: KIND,
    jobStatus: 'STARTED',
    step: 'send',
    stepKind: 'pivot',
    effect: 'keyed',
    park: 1,
    undo: false,
    doubt: true,
    attempts: 3,
    firstError: { code: 'denied' },
    lastError: { code: 'denied', message: 'The provider said 401.' },
    traceId: '11112222333344445555666677778888',
    possible: ['retry', 'compensate', 'resolve'],
    correctable: true,
    decision: null,
    links: {
      job: `${t.url}/jobs/${job.id}`,
      temporal: `http://127.0.0.1:8233/namespaces/default/workflows/${job.id}`,
    },
  });
  expect((await t.call('GET', `/jobs/${job.id}`)).json).toMatchObject({ status: 'STARTED', phase: 'parked' });
});

test('a wait by design says what is asked, and until when', async () => {
  const until = '2031-02-03T04:05:06.000Z';
  const { letter } = await park({
    step: 'approve',
    until,
    possible: ['resolve'],
    correctable: false,
    failure: undefined,
  } as never);
  expect(letter).toMatchObject({
    stepKind: 'decision',
    summary: 'May the note be sent?',
    until,
    lastError: null,
  });
});

describe('the list', () => {
  test('is the operators’ alone', async () => {
    for (const path of ['/dead-letters', `/dead-letters/${UNKNOWN_ID}`]) {
      expect((await t.call('GET', path, { key: null })).status).toBe(401);
      expect((await t.call('GET', path)).json.code).toBe('role_too_low');
      expect((await ask('GET', path, undefined, t.adminKey)).status).not.toBe(403);
    }
    const low = await t.call('POST', `/dead-letters/${UNKNOWN_ID}/decisions`, { json: {} });
    expect(low.json.code).toBe('role_too_low');
  });

  test('is narrowed and paged', async () => {
    const { job, letter: closed } = await park();
    await ledger.unpark(job, { number: 1, phase: 'forward' });
    const { letter: open } = await park();
    const idsOf = async (query: string): Promise<string[]> =>
      (await ask('GET', `/dead-letters?${query}`)).json.items.map(({ id }) => id);
    expect((await idsOf(`kind=${KIND}&step=send&status=open`)).slice(0, 1)).toEqual([open.id]);
    expect(await idsOf('status=open')).not.toContain(closed.id);
    expect((await idsOf('status=closed'))[0]).toBe(closed.id);
    expect(await idsOf('kind=note.other')).toEqual([]);
    expect(await idsOf(`job=${closed.jobId}`)).toEqual([closed.id]);
    expect((await idsOf('code=denied&status=open'))[0]).toBe(open.id);
    expect(await idsOf('code=timeout')).toEqual([]);
    const first = await ask('GET', '/dead-letters?limit=1&status=open');
    const next = /<([^>]+)>; rel="next"/.exec(first.headers.get('link') ?? '')?.[1] as string;
    const second = await ask('GET', next.slice(t.url.length));
    expect((second.json.items[0]?.id ?? '~') < (first.json.items[0]?.id ?? '')).toBe(true);
    for (const bad of ['cursor=x', 'status=parked', 'limit=0', 'job=x', 'nope=1'])
      expect((await ask('GET', `/dead-letters?${bad}`)).json.code).toBe('validation_failed');
  });
});

describe('a decision', () => {
  test('is stored and on its way, and answered with the job', async () => {
    const { job, letter } = await park();
    const answer = await decide(letter, { decision: 'resolve', output: { messageId: 'm1' } });
    expect(answer.status).toBe(202);
    expect(answer.json).toMatchObject({ id: job.id, phase: 'parked' });
    expect(answer.headers.get('location')).toBe(`${t.url}/jobs/${job.id}`);
    const stored = await read(letter);
    expect(stored).toMatchObject({ status: 'open', possible: [], correctable: false });
    // As the step's own schema makes it of what was given.
    expect(stored.decision).toMatchObject({
      decision: 'resolve',
      output: { messageId: 'm1', copies: 1 },
      outcome: 'pending',
      reason: 'because',
    });
    expect(stored.decision?.decidedBy).toMatch(/^operator key [a-z0-9]+$/);
    expect(await auditOf(letter)).toMatchObject([
      { actor: stored.decision?.decidedBy, reason: 'because', after: { kind: 'taken' } },
    ]);
  });

  test('again is answered as the first was; another one is refused, and both are audited', async () => {
    const { letter } = await park();
    const first = await decide(letter, { decision: 'retry', input: { to: 'some' } });
    const again = await decide(letter, { decision: 'retry', input: { to: 'some' }, reason: 'impatience' });
    expect([first.status, again.status]).toEqual([202, 202]);
    expect(again.json.id).toBe(first.json.id);
    const other = await decide(letter, { decision: 'compensate' });
    expect([other.status, other.json.code]).toEqual([409, 'decision_not_possible']);
    expect(other.json.detail).toMatch(
      /^Decided already: retry by operator key \w+ at [\d-]+T[\d:]+\.\d{3}Z, which is pending\.$/,
    );
    expect((await auditOf(letter)).map(({ after }) => after)).toMatchObject([
      { kind: 'taken' },
      { kind: 'same' },
      { kind: 'refused', why: 'decided' },
    ]);
  });

  test('that came to nothing stays visible beside the one that stands: what, who, why', async () => {
    const { letter } = await park();
    await decide(letter, { decision: 'retry' });
    await t.owner.query(
      `update longhaul.decisions set outcome = 'refused', refusal = 'fenced', settled_at = now() where job_id = $1`,
      [letter.jobId],
    );
    expect(await read(letter)).toMatchObject({
      decision: {
        decision: 'retry',
        outcome: 'refused',
        refusal: expect.stringContaining('The ledger refused it') as string,
      },
      refused: [],
    });
    await decide(letter, { decision: 'compensate', reason: 'then not' });
    const { decision, refused } = await read(letter);
    expect(decision).toMatchObject({ decision: 'compensate', outcome: 'pending', reason: 'then not' });
    expect(refused).toMatchObject([
      { decision: 'retry', outcome: 'refused', decidedBy: decision?.decidedBy },
    ]);
  });

  test.each([
    ['another park', { decision: 'retry', park: 2 }, /This is park 1 .* names park 2/],
    [
      'what is not possible',
      { decision: 'skip' },
      /skip is not possible here; possible: retry, compensate, resolve/,
    ],
  ])('about %s is refused with what is possible', async (_, body, detail) => {
    const { letter } = await park();
    const answer = await decide(letter, body);
    expect([answer.status, answer.json.code]).toEqual([409, 'decision_not_possible']);
    expect(answer.json.detail).toMatch(detail);
    expect(answer.json).toMatchObject({ possible: ['retry', 'compensate', 'resolve'] });
    expect(await auditOf(letter)).toMatchObject([{ after: { kind: 'refused' } }]);
  });

  test('about an input that cannot be corrected, or a park that is over, is refused', async () => {
    const { job, letter } = await park({ correctable: false });
    const corrected = await decide(letter, { decision: 'retry', input: { to: 'some' } });
    expect([corrected.status, corrected.json.detail]).toEqual([
      409,
      expect.stringContaining('cannot be corrected'),
    ]);
    await ledger.unpark(job, { number: 1, phase: 'forward' });
    const late = await decide(letter, { decision: 'retry' });
    expect([late.status, late.json.detail]).toEqual([409, expect.stringContaining('The park is over')]);
    expect(late.json).toMatchObject({ possible: [] });
  });

  test('that an attempt may overtake is refused until its lease is over', async () => {
    const { letter } = await park({ doubt: true }, { leaseMs: 50_000 });
    expect(Date.parse((await read(letter)).actingUntil as string)).toBeGreaterThan(Date.now() + 30_000);
    for (const body of [{ decision: 'resolve', output: { messageId: 'm' } }, { decision: 'compensate' }]) {
      const answer = await decide(letter, body);
      expect([answer.status, answer.json.code]).toEqual([409, 'decision_not_possible']);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(30);
    }
    expect((await decide(letter, { decision: 'retry' })).status).toBe(202);
  });

  test.each([
    ['no output of a step that has one', { decision: 'resolve' }, '/output'],
    ['an output of another type', { decision: 'resolve', output: { messageId: 7 } }, '/output/messageId'],
    ['an input of another type', { decision: 'retry', input: { to: '' } }, '/input/to'],
    ['an input that is too large', { decision: 'retry', input: { to: 'x'.repeat(5_000) } }, '/input'],
    ['an input beside compensate', { decision: 'compensate', input: { to: 'a' } }, '/input'],
    ['an output beside retry', { decision: 'retry', output: { messageId: 'a' } }, '/output'],
  ])('with %s is 422, and audited', async (_, body, pointer) => {
    const { letter } = await park();
    const answer = await decide(letter, body);
    expect(answer.status).toBe(422);
    expect(answer.json.errors.map((error) => error.pointer)).toEqual([pointer]);
    expect(await auditOf(letter)).toMatchObject([{ reason: 'because', after: { kind: 'invalid' } }]);
    expect((await read(letter)).decision).toBeNull();
  });

  test('that is none names every mistake', async () => {
    const { letter } = await park();
    const answer = await ask('POST', `/dead-letters/${letter.id}/decisions`, {
      decision: 'hope',
      park: 0,
      why: 1,
    });
    expect(answer.json.errors.map(({ pointer }) => pointer).sort()).toEqual([
      '/decision',
      '/park',
      '/reason',
      '/why',
    ]);
    expect((await ask('POST', `/dead-letters/${letter.id}/decisions`)).json.code).toBe('invalid_json');
  });

  test('needs no output where the step has none', async () => {
    const { letter } = await park({ step: 'tidy', possible: ['retry', 'skip', 'resolve'] });
    expect((await decide(letter, { decision: 'resolve' })).status).toBe(202);
  });

  test.each([UNKNOWN_ID, 'x'])('on %s is 404', async (id) => {
    const answer = await ask('POST', `/dead-letters/${id}/decisions`, {
      park: 1,
      decision: 'retry',
      reason: 'r',
    });
    expect([answer.status, answer.json.code]).toEqual([404, 'dead_letter_not_found']);
    expect((await ask('GET', `/dead-letters/${id}`)).status).toBe(404);
  });

  test('asked for again when the job has ended is answered without its result, which is the client’s', async () => {
    const { job, letter } = await park();
    await decide(letter, { decision: 'retry' });
    const { decision } = await read(letter);
    await ledger.unpark(job, { number: 1, phase: 'forward', decisionId: decision?.id as string });
    await new FakeWorker(t, t.acme).succeed(job.id, { messageId: 'private' });
    expect((await t.call('GET', `/jobs/${job.id}`)).json.result).toEqual({ messageId: 'private' });
    const again = await decide(letter, { decision: 'retry' });
    expect(again.status).toBe(202);
    expect(again.json).toMatchObject({ id: job.id, status: 'SUCCEEDED', result: null });
    expect(await read(letter)).toMatchObject({
      status: 'closed',
      jobStatus: 'SUCCEEDED',
      jobPhase: 'done',
      jobError: null,
      ledgerState: 'claimed',
      decision: { outcome: 'taken' },
    });
  });

  test('by twenty operators at once is one', async () => {
    const { letter } = await park();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        decide(letter, { decision: index % 2 ? 'retry' : 'compensate' }),
      ),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 202)).toHaveLength(10);
    expect(statuses.filter((status) => status === 409)).toHaveLength(10);
    const { rows } = await t.owner.query('select 1 from longhaul.outbox where job_id = $1 and message = $2', [
      letter.jobId,
      'decide',
    ]);
    expect(rows).toHaveLength(1);
  });
});
