import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { v7 as uuidv7 } from 'uuid';
import type { Claim, Ledger } from '../../../libs/saga/ledger.js';
import type { DeadLetter, Decision, SagaEnd } from '../../../libs/saga/protocol.js';
import {
  decideParked,
  listDeadLetters,
  noteAction,
  readDeadLetter,
  type DeadLetterRecord,
  type DecisionRequest,
} from '../../../libs/store/dead-letters.store.js';
import { createLedgerStore } from '../../../libs/store/ledger.store.js';
import { createTenantJobs, type TenantJobs } from '../../support/tenant-jobs.js';

let jobs: TenantJobs;
let ledger: Ledger;
const KIND = 'test.decided';

beforeAll(async () => {
  jobs = await createTenantJobs();
  ledger = createLedgerStore(jobs.worker, async (_job, _purpose, value) =>
    Buffer.from(JSON.stringify(value)),
  );
  await jobs.owner.query('create table public.touched (job uuid primary key)');
  await jobs.owner.query('grant select, insert on public.touched to longhaul_worker');
});
afterAll(() => jobs.close());

const FAILED: SagaEnd = {
  status: 'FAILED',
  compensated: 'all',
  leftovers: [],
  skipped: [],
  error: { code: 'refused', title: 'No', detail: 'No', failureClass: 'rejected' },
};
const failure = { class: 'bug', certainty: 'no', code: 'denied', message: '401' } as const;

async function setup(shape: Partial<Claim> = {}) {
  const [id] = (await jobs.accept(KIND)) as [string];
  const job = { id, tenantId: jobs.tenantId, kind: KIND };
  const claim: Claim = {
    ...{ job, step: 'pay', generation: 0, seq: 1, stepKind: 'pivot', effect: 'keyed', undo: undefined },
    ...{ args: { cents: 5 }, attempt: 1, leaseMs: 60_000, ...shape },
  };
  const park = async (more: Partial<DeadLetter> = {}): Promise<DeadLetterRecord> => {
    const letter: DeadLetter = {
      ...{
        number: 1,
        step: claim.step,
        undo: false,
        doubt: false,
        generation: 0,
        correctable: true,
        failure,
      },
      possible: ['retry', 'compensate', 'resolve'],
      ...more,
    };
    await ledger.park(job, letter);
    const letters = await listDeadLetters(jobs.app, { limit: 200 });
    return letters.find((one) => one.jobId === id && one.park === letter.number) as DeadLetterRecord;
  };
  const decide = (letter: { id: string }, decision: Decision, more: Partial<DecisionRequest> = {}) => {
    const request = { id: uuidv7(), park: 1, decision, reason: 'because', actor: 'key:ops', ...more };
    return decideParked(jobs.app, letter.id, request, claim.stepKind === 'pivot');
  };
  const rowOf = async <R extends object>(text: string): Promise<R | undefined> =>
    (await jobs.owner.query<R>(text, [id])).rows[0];
  return { job, claim, park, decide, rowOf };
}

describe('a decision', () => {
  it('is stored with its outbox row and its line in the audit log', async () => {
    const { park, decide, rowOf } = await setup();
    const letter = await park();
    expect(await decide(letter, 'resolve', { output: { id: 7 } })).toEqual({ kind: 'taken' });
    const stored = await readDeadLetter(jobs.app, letter.id);
    expect(stored?.decision).toMatchObject({
      decision: 'resolve',
      reason: 'because',
      output: { id: 7 },
      decidedBy: 'key:ops',
      outcome: 'pending',
    });
    expect(
      await rowOf(
        'select message, decision_id from longhaul.outbox where job_id = $1 and message = $$decide$$',
      ),
    ).toEqual({ message: 'decide', decision_id: stored?.decision?.id });
    const { rows } = await jobs.owner.query(
      'select actor, action, reason, before, after from longhaul.audit where subject = $1',
      [letter.id],
    );
    expect(rows).toMatchObject([
      {
        actor: 'key:ops',
        action: 'dead_letter.decide',
        reason: 'because',
        before: { park: 1, open: true, decision: null },
        after: { kind: 'taken', asked: { decision: 'resolve', output: { id: 7 } } },
      },
    ]);
  });

  it('twice is one: the same again changes nothing, and another one is refused', async () => {
    const { park, decide, rowOf } = await setup();
    const letter = await park();
    await decide(letter, 'retry', { input: { cents: 6 } });
    expect(await decide(letter, 'retry', { input: { cents: 6 } })).toEqual({ kind: 'same' });
    expect(await decide(letter, 'retry', { input: { cents: 7 } })).toEqual({
      kind: 'refused',
      why: 'decided',
    });
    expect(await decide(letter, 'compensate')).toEqual({ kind: 'refused', why: 'decided' });
    expect(
      await rowOf(
        'select count(*)::int as sent from longhaul.outbox where job_id = $1 and message = $$decide$$',
      ),
    ).toEqual({ sent: 1 });
  });

  it('by ten at once is one', async () => {
    const { park, decide } = await setup();
    const letter = await park();
    const answers = await Promise.all(Array.from({ length: 10 }, () => decide(letter, 'retry')));
    expect(answers.filter(({ kind }) => kind === 'taken')).toHaveLength(1);
    expect(answers.filter(({ kind }) => kind === 'same')).toHaveLength(9);
  });

  it('is refused where it is not possible, and the refusal is in the audit log', async () => {
    const { park, decide } = await setup();
    const letter = await park({ correctable: false });
    expect(await decide(letter, 'skip')).toEqual({ kind: 'refused', why: 'not_possible' });
    expect(await decide(letter, 'retry', { input: {} })).toEqual({ kind: 'refused', why: 'not_correctable' });
    expect(await decide(letter, 'retry', { park: 2 })).toEqual({ kind: 'refused', why: 'other_park' });
    expect(await decide({ id: uuidv7() }, 'retry')).toEqual({ kind: 'refused', why: 'unknown' });
    const { rows } = await jobs.owner.query<{ why: string }>(
      `select after ->> 'why' as why from longhaul.audit where subject = $1 order by id`,
      [letter.id],
    );
    expect(rows.map(({ why }) => why)).toEqual(['not_possible', 'not_correctable', 'other_park']);
  });

  it('on a park that is over is refused; the one that was taken is still answered as the same', async () => {
    const { job, park, decide } = await setup();
    const letter = await park();
    await decide(letter, 'retry');
    const { decision } = (await readDeadLetter(jobs.app, letter.id)) as DeadLetterRecord;
    await ledger.unpark(job, { number: 1, phase: 'forward', decisionId: decision?.id as string });
    expect(await decide(letter, 'retry')).toEqual({ kind: 'same' });
    expect((await readDeadLetter(jobs.app, letter.id))?.decision).toMatchObject({ outcome: 'taken' });
    const moot = await park({ number: 2 });
    await ledger.unpark(job, { number: 2, phase: 'compensating' });
    expect(await decide(moot, 'retry', { park: 2 })).toEqual({ kind: 'refused', why: 'park_over' });
  });

  it.each([
    ['resolve of a pivot', {}, 'resolve', {}, true],
    ['compensate of a pivot in doubt', {}, 'compensate', { doubt: true }, true],
    ['compensate of a pivot without doubt', {}, 'compensate', {}, false],
    ['a plain retry', {}, 'retry', {}, false],
    ['retry of a blind effect in doubt', { effect: 'blind' }, 'retry', { doubt: true }, true],
    ['resolve of an own effect', { effect: 'own' }, 'resolve', {}, false],
    ['resolve of a read-only step', { effect: 'none', stepKind: 'readOnly' }, 'resolve', {}, false],
  ] as const)('to %s while an attempt may still act', async (_, shape, decision, letter, isRefused) => {
    const { claim, park, decide } = await setup(shape);
    if (claim.effect !== 'own') await ledger.claim(claim);
    const answer = await decide(await park({ doubt: false, ...letter }), decision);
    if (!isRefused) return expect(answer).toEqual({ kind: 'taken' });
    expect(answer).toMatchObject({ kind: 'refused', why: 'in_flight' });
    const until = answer.kind === 'refused' && answer.why === 'in_flight' ? Date.parse(answer.until) : 0;
    expect(until).toBeGreaterThan(Date.now() + 30_000);
  });

  it('whose ruling the ledger refuses is on record as refused, and as taken when asked again it is granted', async () => {
    const { job, claim, park, decide } = await setup({ leaseMs: 400 });
    const letter = await park();
    await decide(letter, 'resolve', { output: { id: 7 } });
    const decisionId = (await readDeadLetter(jobs.app, letter.id))?.decision?.id as string;
    await ledger.claim(claim);
    const ruling = {
      ...claim,
      job,
      undoName: undefined,
      undo: false,
      doubt: false,
      ruling: 'resolve',
      decisionId,
    } as const;
    expect(await ledger.rule(ruling)).toEqual({ kind: 'refused', why: 'in_flight' });
    expect((await readDeadLetter(jobs.app, letter.id))?.decision).toMatchObject({
      outcome: 'refused',
      refusal: 'in_flight',
    });
    await expect
      .poll(() => ledger.rule(ruling), { interval: 50, timeout: 5_000 })
      .toEqual({ kind: 'settled', value: { id: 7 } });
    expect((await readDeadLetter(jobs.app, letter.id))?.decision).toMatchObject({
      outcome: 'taken',
      refusal: null,
    });
  });

  it('that is contradicted by what is known since is on record as refused', async () => {
    const { job, claim, park, decide } = await setup();
    const letter = await park({ doubt: true });
    await ledger.claim(claim);
    await ledger.fail(claim, { unknown: true, isLast: true });
    await decide(letter, 'resolve', { output: { id: 7 } });
    const decisionOf = async () => (await readDeadLetter(jobs.app, letter.id))?.decision;
    const ruling = {
      ...claim,
      ...{ job, undoName: undefined, undo: false, doubt: true },
      decisionId: (await decisionOf())?.id as string,
    };
    await ledger.beginSettle({ ...claim, effect: 'keyed' }, true);
    await ledger.completeSettle(claim, { verdict: 'not_happened' });
    expect(await ledger.rule({ ...ruling, ruling: 'resolve' })).toMatchObject({ why: 'not_happened' });
    expect(await decisionOf()).toMatchObject({ outcome: 'refused', refusal: 'not_happened' });
    await ledger.rule({ ...ruling, ruling: 'resolve', doubt: false });
    expect(await ledger.rule({ ...ruling, ruling: 'disown' })).toEqual({
      kind: 'done',
      outcome: { id: 7 },
    });
    expect(await decisionOf()).toMatchObject({ outcome: 'refused', refusal: 'happened' });
  });

  it('still pending when the job ends is refused', async () => {
    const { job, park, decide } = await setup();
    const letter = await park();
    await decide(letter, 'retry');
    await ledger.finish(job, FAILED);
    const ended = await readDeadLetter(jobs.app, letter.id);
    expect(ended?.decision).toMatchObject({ outcome: 'refused', refusal: 'job_ended' });
    expect(ended?.closedAt).not.toBeNull();
    expect(await decide(letter, 'retry')).toEqual({ kind: 'refused', why: 'park_over' });
  });
});

describe('a park', () => {
  it('by design starts the job, has an end of its own, and needs no failure', async () => {
    const { park, rowOf } = await setup();
    const until = '2030-01-02T03:04:05.000Z';
    const letter = await park({ step: 'approve', until, failure: undefined, possible: ['resolve'] } as never);
    expect(letter).toMatchObject({ step: 'approve', until: new Date(until), lastError: null, attempts: 0 });
    expect(await rowOf('select status, phase from longhaul.jobs where id = $1')).toEqual({
      status: 'STARTED',
      phase: 'parked',
    });
  });

  it('that is over changes the phase once: a late word of it does not open the next one', async () => {
    const { job, park, rowOf } = await setup();
    await park();
    await ledger.unpark(job, { number: 1, phase: 'forward' });
    const phaseOf = () =>
      rowOf<{ phase: string; revision: string }>('select phase, revision from longhaul.jobs where id = $1');
    expect(await phaseOf()).toMatchObject({ phase: 'forward' });
    await park({ number: 2 });
    const parked = await phaseOf();
    await ledger.unpark(job, { number: 1, phase: 'forward' });
    expect(await phaseOf()).toEqual(parked);
    await ledger.unpark(job, { number: 2, phase: 'compensating' });
    expect(await phaseOf()).toMatchObject({ phase: 'compensating' });
  });

  it('of a job that has ended is none', async () => {
    const { job, park } = await setup();
    await ledger.finish(job, FAILED);
    expect(await park()).toBeUndefined();
  });
});

describe('a list of dead letters', () => {
  it('is narrowed by kind, step and whether the park is open, and paged from the latest on', async () => {
    const [first, second] = [await setup({ step: 'listed' }), await setup({ step: 'listed' })];
    const [a, b] = [await first.park(), await second.park()];
    await ledger.unpark(first.job, { number: 1, phase: 'forward' });
    const idsOf = async (filter: object): Promise<string[]> =>
      (await listDeadLetters(jobs.app, { step: 'listed', limit: 10, ...filter })).map(({ id }) => id);
    expect(await idsOf({})).toEqual([b.id, a.id]);
    expect(await idsOf({ kind: KIND, limit: 1 })).toEqual([b.id]);
    expect(await idsOf({ before: b.id })).toEqual([a.id]);
    expect(await idsOf({ isOpen: true })).toEqual([b.id]);
    expect(await idsOf({ isOpen: false })).toEqual([a.id]);
    expect(await idsOf({ kind: 'test.other' })).toEqual([]);
  });
});

describe('a lock', () => {
  const own = { effect: 'own', stepKind: 'retriable' } as const;

  it('is the job’s until its end, however often it is taken, and nobody else’s meanwhile', async () => {
    const [holder, rival] = [await setup(own), await setup(own)];
    const take = (one: typeof holder, step: string) =>
      ledger.transact({ ...one.claim, step }, async (tx) => {
        await tx.lock('account 1');
        return { outcome: null };
      });
    expect(await take(holder, 'a')).toEqual({ kind: 'recorded' });
    expect(await take(holder, 'b')).toEqual({ kind: 'recorded' });
    await expect(take(rival, 'a')).rejects.toMatchObject({ name: 'Rejected', code: 'locked' });
    await ledger.park(holder.job, {
      ...{ number: 1, step: 'b', undo: false, doubt: false, generation: 0, possible: [], correctable: false },
      failure,
    });
    await expect(take(rival, 'a')).rejects.toMatchObject({ code: 'locked' });
    await ledger.finish(holder.job, FAILED);
    expect(await take(rival, 'a')).toEqual({ kind: 'recorded' });
  });

  it('goes with the transaction it was taken in', async () => {
    const [failing, next] = [await setup(own), await setup(own)];
    await expect(
      ledger.transact(failing.claim, async (tx) => {
        await tx.lock('account 2');
        throw new Error('crashed');
      }),
    ).rejects.toThrow('crashed');
    const taken = ledger.transact(next.claim, async (tx) => {
      await tx.lock('account 2');
      return { outcome: null };
    });
    expect(await taken).toEqual({ kind: 'recorded' });
  });
});

describe('the audit log', () => {
  it('is append-only, even by its owner', async () => {
    await noteAction(jobs.app, { actor: 'key:ops', action: 'test', subject: 'x', after: { y: 1 } });
    for (const change of [
      'update longhaul.audit set actor = $$me$$',
      'delete from longhaul.audit',
      'truncate longhaul.audit',
    ])
      await expect(jobs.owner.query(change)).rejects.toThrow('append-only');
    await expect(jobs.app.query('select * from longhaul.audit')).rejects.toThrow('permission denied');
    await expect(jobs.worker.query('select longhaul.read_dead_letter($1)', [uuidv7()])).rejects.toThrow(
      'permission denied',
    );
  });
});
