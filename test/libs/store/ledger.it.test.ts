import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import type { Claim, UndoClaim } from '../../../libs/saga/ledger.js';
import { openDatabase, type Database } from '../../../libs/store/database.js';
import { listenToJobEnds } from '../../../libs/store/job-ends.js';
import { createLedgerStore } from '../../../libs/store/ledger.store.js';
import { createLogger } from '../../../libs/telemetry/logger.js';
import { eventually } from '../../support/stack.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';

let server: TestDatabase;
let owner: pg.Pool;
let worker: Database;
let app: Database;
const tenantId = randomUUID();
const ledgerOf = (database: Database) =>
  createLedgerStore(database, async (_job, _purpose, value) => Buffer.from(JSON.stringify(value)));

beforeAll(async () => {
  server = await createTestDatabase();
  owner = new pg.Pool({ connectionString: server.url, max: 2 });
  worker = openDatabase(server.url, 'worker', { max: 8 });
  app = openDatabase(server.url, 'app', { max: 2 });
  await owner.query(`insert into longhaul.tenants (id, name) values ($1, 'ledger')`, [tenantId]);
  await owner.query('create table public.account (id int primary key, cents bigint not null)');
  await owner.query('grant select, insert, update on public.account to longhaul_worker');
});

afterAll(async () => {
  await Promise.all([owner.end(), worker.end(), app.end()]);
  await server.close();
});

async function setup() {
  const job = { id: randomUUID(), tenantId, kind: 'test.ledger' };
  const jobs = [{ id: job.id, kind: job.kind, key: null, input: '', digest: '00', deadlineMs: 60_000 }];
  await app.query('select longhaul.accept($1, $2, null, null, $3)', [
    tenantId,
    '/jobs',
    JSON.stringify(jobs),
  ]);
  const claim = (overrides: Partial<Claim> = {}): Claim => ({
    job,
    step: 'pay',
    generation: 0,
    seq: 1,
    stepKind: 'compensable',
    effect: 'keyed',
    undo: 'unpay',
    args: { cents: 5 },
    attempt: 1,
    leaseMs: 60_000,
    ...overrides,
  });
  const undo = (overrides: Partial<UndoClaim> = {}): UndoClaim => ({
    job,
    step: 'pay',
    generation: 0,
    seq: 1,
    effect: 'keyed',
    undo: 'unpay',
    attempt: 1,
    leaseMs: 60_000,
    awaitsLease: true,
    compensating: true,
    insists: false,
    ...overrides,
  });
  const asTenant = async <R extends object>(sql: string): Promise<R> => {
    const client = await app.connect();
    try {
      await client.query('begin');
      await client.query(`select set_config('longhaul.tenant', $1, true)`, [tenantId]);
      const { rows } = await client.query<R>(sql, [job.id]);
      await client.query('commit');
      return rows[0] as R;
    } finally {
      client.release();
    }
  };
  return {
    job,
    claim,
    undo,
    ledger: ledgerOf(worker),
    jobRow: () =>
      asTenant<{ status: string; phase: string; committed: boolean; compensated: string | null }>(
        'select status, phase, committed_at is not null as committed, compensated from longhaul.jobs where id = $1',
      ),
    effect: () =>
      asTenant<{
        state: string;
        attempt: number;
        doubt: boolean;
        args: unknown;
        outcome: unknown;
        leased: boolean;
      }>(
        'select state, attempt, doubt, args, outcome, lease_until is not null as leased from longhaul.effects where job_id = $1',
      ),
  };
}

describe('a claim', () => {
  it('registers the undo before anything acts, and starts the job', async () => {
    const { ledger, claim, effect, jobRow } = await setup();
    expect(await ledger.claim(claim())).toEqual({ kind: 'claimed' });
    expect(await effect()).toMatchObject({
      state: 'claimed',
      args: { cents: 5 },
      leased: true,
      doubt: false,
    });
    expect(await jobRow()).toMatchObject({ status: 'STARTED', phase: 'forward', committed: false });
  });

  it('races with another for the same effect: both may call under the key, and one outcome stands', async () => {
    const { ledger, claim, effect } = await setup();
    const [first, second] = [claim(), claim({ attempt: 2 })];
    await Promise.all([ledger.claim(first), ledger.claim(second)]);
    const completions = await Promise.all([
      ledger.complete(first, { by: 1 }),
      ledger.complete(second, { by: 2 }),
    ]);
    expect(completions.filter(({ kind }) => kind === 'recorded')).toHaveLength(1);
    const [replayed] = completions.filter((completion) => completion.kind === 'done');
    expect(replayed).toEqual({ kind: 'done', outcome: (await effect()).outcome });
  });

  it('of an older attempt than the present one is refused', async () => {
    const { ledger, claim } = await setup();
    await ledger.claim(claim({ attempt: 2 }));
    expect(await ledger.claim(claim({ attempt: 1 }))).toEqual({ kind: 'refused', why: 'superseded' });
  });

  it('replays the outcome of one that was done, an absent one as absent', async () => {
    const { ledger, claim } = await setup();
    await ledger.claim(claim());
    await ledger.complete(claim(), undefined);
    expect(await ledger.claim(claim({ attempt: 2 }))).toEqual({ kind: 'done' });
  });

  it('leaves a doubt when the attempt before never reported, and none when it did', async () => {
    const reported = await setup();
    await reported.ledger.claim(reported.claim());
    const failure = { class: 'transient', certainty: 'no', code: 'refused', message: '' } as const;
    await reported.ledger.fail(reported.claim(), { failure, unknown: false, isLast: false, retryInMs: 10 });
    await reported.ledger.claim(reported.claim({ attempt: 2 }));
    expect(await reported.effect()).toMatchObject({ doubt: false, attempt: 2 });

    const lost = await setup();
    await lost.ledger.claim(lost.claim());
    await lost.ledger.claim(lost.claim({ attempt: 2 }));
    expect(await lost.effect()).toMatchObject({ doubt: true });
    expect(
      await lost.ledger.fail(lost.claim({ attempt: 2 }), { failure, unknown: false, isLast: true }),
    ).toEqual({ doubt: true });
  });

  it('is refused once the job has ended', async () => {
    const { ledger, claim, job, jobRow } = await setup();
    const end = { status: 'SUCCEEDED', result: { ok: true }, skipped: [], leftovers: [] } as const;
    expect(await ledger.finish(job, end)).toEqual({ recorded: true });
    expect(await ledger.claim(claim())).toEqual({ kind: 'refused', why: 'job_ended' });
    expect(await ledger.finish(job, end)).toEqual({ recorded: false });
    expect(await jobRow()).toMatchObject({ status: 'SUCCEEDED', phase: 'done' });
  });

  it('is told to those who listen for ends', async () => {
    const heard: string[] = [];
    const listener = listenToJobEnds(server.url, (id) => heard.push(id), createLogger('test', 'silent'));
    const ended: string[] = [];
    try {
      await eventually('an end to be heard', async () => {
        const { ledger, job } = await setup();
        await ledger.finish(job, { status: 'SUCCEEDED', result: {}, skipped: [], leftovers: [] });
        ended.push(job.id);
        return heard.length > 0;
      });
    } finally {
      await listener.close();
    }
    expect(ended).toEqual(expect.arrayContaining(heard));
  });

  it('of another tenant’s job is refused', async () => {
    const { ledger, claim, job } = await setup();
    const stranger = { ...job, tenantId: randomUUID() };
    expect(await ledger.claim(claim({ job: stranger }))).toEqual({ kind: 'refused', why: 'job_unknown' });
  });

  it('of a retriable commits a saga without a pivot; done commits one with', async () => {
    const without = await setup();
    await without.ledger.claim(without.claim({ stepKind: 'retriable', undo: undefined }));
    expect((await without.jobRow()).committed).toBe(true);

    const withPivot = await setup();
    const pivot = withPivot.claim({ stepKind: 'pivot', undo: undefined });
    await withPivot.ledger.claim(pivot);
    expect((await withPivot.jobRow()).committed).toBe(false);
    await withPivot.ledger.complete(pivot, {});
    expect((await withPivot.jobRow()).committed).toBe(true);
  });
});

describe('a report', () => {
  const failure = { class: 'transient', certainty: 'no', code: 'refused', message: '' } as const;

  it('of failure leaves a doubt where the outcome is recorded: it has happened, though the answer was lost', async () => {
    const { ledger, claim, effect } = await setup();
    await ledger.claim(claim());
    await ledger.complete(claim(), { id: 1 });
    expect(await ledger.fail(claim(), { failure, unknown: true, isLast: true })).toEqual({ doubt: true });
    expect(await effect()).toMatchObject({ state: 'done', outcome: { id: 1 } });
  });

  it('of an attempt whose claim was not heard keeps the lease of the one before, and its doubt', async () => {
    const { ledger, claim, undo } = await setup();
    await ledger.claim(claim({ leaseMs: 40_000 }));
    const unheard = claim({ attempt: 2 });
    expect(await ledger.fail(unheard, { failure, unknown: false, isLast: true })).toEqual({ doubt: true });
    expect((await ledger.beginUndo(undo())).kind).toBe('wait');
  });
});

describe('an undo', () => {
  it('whose beginning was not heard leaves the step its lease', async () => {
    const { ledger, claim, undo } = await setup();
    await ledger.claim(claim({ leaseMs: 40_000 }));
    await ledger.failUndo(undo(), { unknown: true, isLast: false, retryInMs: 1 });
    expect((await ledger.beginUndo(undo({ attempt: 2 }))).kind).toBe('wait');
  });

  it('of what never began succeeds, and fences it', async () => {
    const { ledger, claim, undo, effect, jobRow } = await setup();
    await ledger.claim(claim({ step: 'other', stepKind: 'readOnly', effect: 'none', undo: undefined }));
    expect(await ledger.beginUndo(undo())).toEqual({ kind: 'noop' });
    expect(await ledger.claim(claim())).toEqual({ kind: 'refused', why: 'fenced' });
    expect(await effect()).toBeDefined();
    expect((await jobRow()).phase).toBe('compensating');
  });

  it('refuses the late record of the step it undoes', async () => {
    const { ledger, claim, undo, effect } = await setup();
    await ledger.claim(claim());
    expect(await ledger.beginUndo(undo({ awaitsLease: false }))).toEqual({ kind: 'go', args: { cents: 5 } });
    expect(await ledger.complete(claim(), { late: true })).toEqual({ kind: 'refused', why: 'fenced' });
    await ledger.completeUndo(undo(), { kept: 'a fee' });
    expect(await effect()).toMatchObject({ state: 'undone' });
    expect(await ledger.beginUndo(undo({ attempt: 2 }))).toEqual({ kind: 'noop', kept: 'a fee' });
  });

  it('waits for the lease of an attempt that has not reported, also of one before the last', async () => {
    const { ledger, claim, undo } = await setup();
    await ledger.claim(claim({ leaseMs: 40_000 }));
    await ledger.claim(claim({ attempt: 2, leaseMs: 1_000 }));
    await ledger.complete(claim({ attempt: 2 }), {});
    const answer = await ledger.beginUndo(undo());
    expect(answer.kind).toBe('wait');
    if (answer.kind === 'wait') expect(answer.waitMs).toBeGreaterThan(30_000);
    // Waiting already fences.
    expect(await ledger.claim(claim({ attempt: 3 }))).toEqual({ kind: 'refused', why: 'fenced' });
  });

  it('goes at once where every attempt has reported', async () => {
    const { ledger, claim, undo } = await setup();
    await ledger.claim(claim());
    await ledger.complete(claim(), {});
    expect(await ledger.beginUndo(undo())).toMatchObject({ kind: 'go' });
  });
});

describe('an own effect', () => {
  const own = { effect: 'own' } as const;
  const pay = (id: number) => async (tx: { query: (sql: string, values: unknown[]) => Promise<unknown> }) => {
    await tx.query(
      'insert into public.account values ($1, 5) on conflict (id) do update set cents = account.cents + 5',
      [id],
    );
    return { outcome: { id } };
  };
  const centsOf = async (id: number) =>
    Number(
      (await owner.query<{ cents: string }>('select cents from public.account where id = $1', [id])).rows[0]
        ?.cents ?? 0,
    );

  it('happens exactly once, however many attempts race', async () => {
    const { ledger, claim } = await setup();
    const answers = await Promise.all(
      [1, 1, 1, 1].map((attempt) => ledger.transact(claim({ ...own, attempt }), pay(1))),
    );
    expect(answers.filter(({ kind }) => kind === 'recorded')).toHaveLength(1);
    expect(answers.filter(({ kind }) => kind === 'done')).toHaveLength(3);
    expect(await centsOf(1)).toBe(5);
  });

  it('leaves nothing when its work throws', async () => {
    const { ledger, claim, effect } = await setup();
    const failing = ledger.transact(claim(own), async (tx) => {
      await pay(2)(tx);
      throw new Error('crashed');
    });
    await expect(failing).rejects.toThrow('crashed');
    expect(await centsOf(2)).toBe(0);
    const failure = { class: 'bug', certainty: 'no', code: 'programming_error', message: 'crashed' } as const;
    expect(await ledger.fail(claim(own), { failure, unknown: false, isLast: true })).toEqual({
      doubt: false,
    });
    expect(await effect()).toMatchObject({ state: 'claimed', leased: false, attempt: 1 });
  });

  it('is fenced by its undo: one of the two wins, and nothing is left', async () => {
    const { ledger, claim, undo, effect } = await setup();
    let undone = false;
    const [forward, back] = await Promise.all([
      ledger.transact(claim(own), pay(3)),
      ledger.transactUndo(undo(own), async (tx) => {
        undone = true;
        await tx.query('update public.account set cents = cents - 5 where id = 3');
        return 'undone';
      }),
    ]);
    expect(await centsOf(3)).toBe(0);
    expect(undone).toBe(forward.kind === 'recorded');
    expect(back.kind).toBe(undone ? 'go' : 'noop');
    expect(await effect()).toMatchObject({ state: 'undone' });
  });

  it('commits a pivot together with its effect', async () => {
    const { ledger, claim, jobRow } = await setup();
    await ledger.transact(claim({ ...own, stepKind: 'pivot', undo: undefined }), pay(4));
    expect(await jobRow()).toMatchObject({ status: 'STARTED', committed: true });
  });
});

describe('a pivot in doubt', () => {
  const pivot = { stepKind: 'pivot', undo: undefined } as const;

  it('is waited for while its lease lasts, and a late record still settles it', async () => {
    const { ledger, claim, job } = await setup();
    await ledger.claim(claim(pivot));
    const ref = { job, step: 'pay', generation: 0, seq: 1, effect: 'keyed' } as const;
    expect((await ledger.beginSettle(ref, true)).kind).toBe('wait');
    expect(await ledger.complete(claim(pivot), { id: 1 })).toEqual({ kind: 'recorded' });
    expect(await ledger.beginSettle(ref, true)).toEqual({
      kind: 'settled',
      settlement: { verdict: 'happened', output: { id: 1 } },
    });
  });

  it('is fenced before it is looked for; what is found stands', async () => {
    const { ledger, claim, job, jobRow } = await setup();
    await ledger.claim(claim({ ...pivot, leaseMs: 0 }));
    const ref = { job, step: 'pay', generation: 0, seq: 1, effect: 'keyed' } as const;
    expect(await ledger.beginSettle(ref, false)).toEqual({ kind: 'unknown' });
    expect(await ledger.beginSettle(ref, true)).toEqual({ kind: 'ask', args: { cents: 5 } });
    expect(await ledger.claim(claim({ ...pivot, attempt: 2 }))).toEqual({ kind: 'refused', why: 'fenced' });
    await ledger.completeSettle(ref, { verdict: 'happened', output: { id: 2 } });
    expect((await jobRow()).committed).toBe(true);
    expect(await ledger.claim(claim({ ...pivot, attempt: 2 }))).toEqual({ kind: 'done', outcome: { id: 2 } });
  });
});

describe('a park', () => {
  it('is stored once with its context, and closed with the job', async () => {
    const { ledger, claim, job, jobRow } = await setup();
    await ledger.claim(claim({ attempt: 3 }));
    const failure = { class: 'bug', certainty: 'no', code: 'denied', message: '401' } as const;
    const letter = {
      number: 1,
      step: 'pay',
      undo: false,
      doubt: false,
      generation: 0,
      possible: ['retry'],
      correctable: true,
      failure,
    } as const;
    await ledger.park(job, letter);
    await ledger.park(job, letter);
    expect(await jobRow()).toMatchObject({ status: 'STARTED', phase: 'parked' });
    const client = await worker.connect();
    try {
      await client.query('begin');
      await client.query(`select set_config('longhaul.tenant', $1, true)`, [tenantId]);
      const letters = () =>
        client.query(
          'select step, attempts, last_error, closed_at from longhaul.dead_letters where job_id = $1',
          [job.id],
        );
      expect((await letters()).rows).toMatchObject([
        { step: 'pay', attempts: 3, last_error: { code: 'denied' }, closed_at: null },
      ]);
      await client.query('commit');
    } finally {
      client.release();
    }
    const error = { code: 'cancelled', title: '', detail: '', failureClass: 'cancelled' };
    await ledger.finish(job, { status: 'CANCELLED', compensated: 'all', leftovers: [], skipped: [], error });
    expect(await jobRow()).toMatchObject({ status: 'CANCELLED', compensated: 'all' });
  });
});

describe('the terminal record', () => {
  it('is written whatever text a failure or a wish brings: NUL and halves of emojis are no reason to wait for ever', async () => {
    const { ledger, claim, job, jobRow } = await setup();
    const message = `NUL \u0000, and half of ${'🚚'.slice(0, 1)}`;
    const failure = { class: 'rejected', certainty: 'no', code: 'refused', message } as const;
    await ledger.claim(claim());
    await ledger.fail(claim(), { failure, unknown: false, isLast: true });
    const park = {
      number: 1,
      step: 'pay',
      undo: false,
      doubt: false,
      generation: 0,
      possible: [],
      correctable: false,
      failure,
    };
    await ledger.park(job, park);
    const error = { code: 'refused', title: 'No', detail: message, failureClass: 'rejected' };
    const end = { status: 'FAILED', compensated: 'none', leftovers: [], skipped: [], error } as const;
    expect(await ledger.finish(job, end)).toEqual({ recorded: true });
    expect(await jobRow()).toMatchObject({ status: 'FAILED' });
  });
});
