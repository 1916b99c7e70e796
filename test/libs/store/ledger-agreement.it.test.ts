/**
 * The two ledgers are one protocol: whatever is called, in whatever order, PostgreSQL answers as memory does.
 * `LEDGER_RUNS=1000` looks deeper.
 */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EffectKind, StepKind } from '../../../libs/saga/define.js';
import type { Claim, Ledger, RulingClaim, SettleClaim, UndoClaim } from '../../../libs/saga/ledger.js';
import { createMemoryLedger, type MemoryLedger } from '../../../libs/saga/memory/ledger.js';
import type { JobRef, UndoOutcome } from '../../../libs/saga/implement.js';
import type { Ruling } from '../../../libs/saga/protocol.js';
import { openDatabase, type Database } from '../../../libs/store/database.js';
import { createLedgerStore } from '../../../libs/store/ledger.store.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';

const RUNS_PER_EFFECT = Number(process.env['LEDGER_RUNS'] ?? 40);
const CALLS_MAX = 14;
/** Leases are so long that the milliseconds between two calls to PostgreSQL do not matter. */
const LEASES_MS = [20_000, 60_000];
const ADVANCES_MS = [10_000, 45_000];
const START_MS = 1_000_000;

let server: TestDatabase;
let owner: pg.Pool;
let worker: Database;
let app: Database;
const tenantId = randomUUID();

beforeAll(async () => {
  server = await createTestDatabase();
  owner = new pg.Pool({ connectionString: server.url, max: 2 });
  worker = openDatabase(server.url, 'worker', { max: 2 });
  app = openDatabase(server.url, 'app', { max: 2 });
  await owner.query(`insert into longhaul.tenants (id, name) values ($1, 'agreement')`, [tenantId]);
});

afterAll(async () => {
  await Promise.all([owner.end(), worker.end(), app.end()]);
  await server.close();
});

interface Shape {
  readonly stepKind: StepKind;
  readonly effect: EffectKind | 'none';
}

type Call =
  | { readonly is: 'claim'; readonly attempt: number; readonly leaseMs: number }
  | { readonly is: 'complete'; readonly attempt: number; readonly outcome: unknown }
  | { readonly is: 'fail'; readonly attempt: number; readonly unknown: boolean }
  | { readonly is: 'transact'; readonly attempt: number; readonly leaseMs: number; readonly throws: boolean }
  | {
      readonly is: 'beginUndo';
      readonly attempt: number;
      readonly leaseMs: number;
      readonly awaitsLease: boolean;
      readonly insists: boolean;
    }
  | { readonly is: 'completeUndo'; readonly attempt: number; readonly outcome: UndoOutcome }
  | { readonly is: 'failUndo'; readonly attempt: number; readonly unknown: boolean }
  | {
      readonly is: 'transactUndo';
      readonly attempt: number;
      readonly throws: boolean;
      readonly outcome: UndoOutcome;
    }
  | { readonly is: 'beginSettle'; readonly canAsk: boolean }
  | { readonly is: 'completeSettle'; readonly happened: boolean }
  | { readonly is: 'rule'; readonly ruling: Ruling; readonly valued: boolean; readonly doubt: boolean }
  | { readonly is: 'advance'; readonly ms: number };

const attempt = fc.integer({ min: 1, max: 4 });
const leaseMs = fc.constantFrom(...LEASES_MS);
const yes = fc.boolean();
const undoOutcome = fc.constantFrom<UndoOutcome>('undone', 'noop', { kept: 'it is paid' });
const CRASH = 'crashed on purpose';

/** What the saga may ask of such a step (S8): only an undo, and what needs none, is ever given up. */
function rulingsOf({ stepKind, effect }: Shape): Ruling[] {
  return [
    ...(stepKind === 'pivot' ? [] : (['keep'] as const)),
    ...(stepKind === 'readOnly' ? [] : (['resolve'] as const)),
    ...(stepKind === 'pivot' || effect === 'blind' ? (['disown'] as const) : []),
    ...(stepKind === 'decision' ? [] : (['correct'] as const)),
  ];
}

function callsOf(shape: Shape): fc.Arbitrary<Call[]> {
  const { stepKind, effect } = shape;
  const hasEffect = stepKind !== 'decision';
  const mayUndo = stepKind === 'compensable';
  const forward: fc.Arbitrary<Call>[] =
    effect === 'own'
      ? [fc.record({ is: fc.constant('transact'), attempt, leaseMs, throws: yes })]
      : [
          fc.record({ is: fc.constant('claim'), attempt, leaseMs }),
          fc.record({
            is: fc.constant('complete'),
            attempt,
            outcome: fc.constantFrom({ id: 1 }, undefined, null),
          }),
        ];
  const back: fc.Arbitrary<Call>[] =
    effect === 'own'
      ? [fc.record({ is: fc.constant('transactUndo'), attempt, throws: yes, outcome: undoOutcome })]
      : [
          fc.record({ is: fc.constant('beginUndo'), attempt, leaseMs, awaitsLease: yes, insists: yes }),
          fc.record({ is: fc.constant('completeUndo'), attempt, outcome: undoOutcome }),
          fc.record({ is: fc.constant('failUndo'), attempt, unknown: yes }),
        ];
  const settle: fc.Arbitrary<Call>[] = [
    fc.record({ is: fc.constant('beginSettle'), canAsk: yes }),
    fc.record({ is: fc.constant('completeSettle'), happened: yes }),
  ];
  const call = fc.oneof(
    ...(hasEffect ? [...forward, fc.record({ is: fc.constant('fail'), attempt, unknown: yes })] : []),
    ...(mayUndo ? back : []),
    ...(stepKind === 'pivot' ? settle : []),
    fc.record({
      is: fc.constant('rule'),
      ruling: fc.constantFrom(...rulingsOf(shape)),
      valued: yes,
      doubt: yes,
    }),
    fc.record({ is: fc.constant('advance'), ms: fc.constantFrom(...ADVANCES_MS) }),
  );
  return fc.array(call, { minLength: 2, maxLength: CALLS_MAX });
}

/** One job with both its ledgers, and the time of both. */
async function setup(shape: Shape) {
  const job: JobRef = { id: randomUUID(), tenantId, kind: 'test.agreement' };
  const jobs = [{ id: job.id, kind: job.kind, key: null, input: '', digest: '00', deadlineMs: 3_600_000 }];
  await app.query(`select longhaul.accept($1, '/jobs', null, null, $2)`, [tenantId, JSON.stringify(jobs)]);
  let nowMs = START_MS;
  const values = new Map<string, unknown>();
  const memory = createMemoryLedger({ now: () => nowMs, openTransaction, valueOf: (id) => values.get(id) });
  const stored = createLedgerStore(worker, async () => Buffer.alloc(0));
  let parks = 0;
  return {
    memory,
    stored,
    job,
    async advance(ms: number): Promise<void> {
      nowMs += ms;
      const back = `- $2 * interval '1 millisecond'`;
      await owner.query(
        `update longhaul.effects set lease_until = lease_until ${back}, quarantine_until = quarantine_until ${back} where job_id = $1`,
        [job.id, ms],
      );
    },
    /** A decision as the API would store it, for a park of its own. */
    async decided(ruling: Ruling, value: unknown): Promise<string> {
      const id = randomUUID();
      if (value !== undefined) values.set(id, value);
      const column = ruling === 'resolve' ? 'output' : 'input';
      await owner.query(
        `insert into longhaul.decisions (id, job_id, tenant_id, park, decision, reason, ${column}, decided_by)
         values ($1, $2, $3, $4, $5, 'test', $6, 'test')`,
        [
          id,
          job.id,
          tenantId,
          (parks += 1),
          ruling === 'resolve' ? 'resolve' : 'retry',
          value === undefined ? null : JSON.stringify(value),
        ],
      );
      return id;
    },
    claim: (more: Partial<Claim>): Claim => ({
      job,
      step: 'pay',
      generation: 0,
      seq: 1,
      ...shape,
      undo: shape.stepKind === 'compensable' ? 'unpay' : undefined,
      args: { cents: 5 },
      attempt: 1,
      leaseMs: 20_000,
      ...more,
    }),
    undo: (more: Partial<UndoClaim>): UndoClaim => ({
      ...{ job, step: 'pay', generation: 0, seq: 1, effect: shape.effect, undo: 'unpay', attempt: 1 },
      ...{ leaseMs: 20_000, awaitsLease: true, compensating: true, insists: false, ...more },
    }),
    settle: (): SettleClaim => ({ job, step: 'pay', generation: 0, seq: 1, effect: shape.effect }),
    rule: (ruling: Ruling, decisionId: string, doubt: boolean): RulingClaim => ({
      ...{ job, step: 'pay', generation: 0, seq: 1, args: { cents: 5 }, ...shape, ruling, decisionId, doubt },
      undo: ruling === 'keep' && shape.stepKind === 'compensable',
      undoName: shape.stepKind === 'compensable' ? 'unpay' : undefined,
    }),
  };
}

function openTransaction() {
  const nothing = async () => ({ rows: [], rowCount: 0 });
  return { tx: { query: nothing }, commit: () => undefined, rollback: () => undefined };
}

type Both = Awaited<ReturnType<typeof setup>>;

/** The same call, as a function of the ledger it is made to. */
async function toOperation(both: Both, call: Call): Promise<(ledger: Ledger) => Promise<unknown>> {
  const report = (unknown: boolean) => ({
    failure: {
      class: 'transient' as const,
      code: 'lost',
      message: '',
      certainty: unknown ? ('unknown' as const) : ('no' as const),
    },
    unknown,
    isLast: false,
    retryInMs: 10,
  });
  const crash = (throws: boolean): void => {
    if (throws) throw new Error(CRASH);
  };
  switch (call.is) {
    case 'claim':
      return (ledger) => ledger.claim(both.claim(call));
    case 'complete':
      return (ledger) => ledger.complete(both.claim(call), call.outcome);
    case 'fail':
      return (ledger) => ledger.fail(both.claim(call), report(call.unknown));
    case 'transact':
      return (ledger) =>
        ledger.transact(both.claim(call), async () => {
          crash(call.throws);
          return { outcome: { id: 2 } };
        });
    case 'beginUndo':
      return (ledger) => ledger.beginUndo(both.undo(call));
    case 'completeUndo':
      return (ledger) => ledger.completeUndo(both.undo(call), call.outcome);
    case 'failUndo':
      return (ledger) => ledger.failUndo(both.undo(call), report(call.unknown));
    case 'transactUndo':
      return (ledger) =>
        ledger.transactUndo(both.undo(call), async () => {
          crash(call.throws);
          return call.outcome;
        });
    case 'beginSettle':
      return (ledger) => ledger.beginSettle(both.settle(), call.canAsk);
    case 'completeSettle': {
      const verdict = call.happened
        ? ({ verdict: 'happened', output: { id: 3 } } as const)
        : ({ verdict: 'not_happened' } as const);
      return (ledger) => ledger.completeSettle(both.settle(), verdict);
    }
    case 'rule': {
      const takesValue = call.ruling === 'resolve' || call.ruling === 'correct';
      const value = call.valued && takesValue ? { cents: 7 } : undefined;
      const claim = both.rule(call.ruling, await both.decided(call.ruling, value), call.doubt);
      return (ledger) => ledger.rule(claim);
    }
    case 'advance':
      throw new Error('Time is not told to a ledger');
  }
}

const WAIT_TOLERANCE_MS = 5_000;

async function answerOf(operation: Promise<unknown>): Promise<unknown> {
  try {
    const answer = await operation;
    if (answer === null || answer === undefined || typeof answer !== 'object') return undefined;
    const { waitMs, ...rest } = answer as { waitMs?: number };
    const known = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
    return waitMs === undefined
      ? known
      : { ...known, waitMs: Math.round(waitMs / WAIT_TOLERANCE_MS) * WAIT_TOLERANCE_MS };
  } catch (error) {
    if (error instanceof Error && error.message === CRASH) return CRASH;
    throw error;
  }
}

interface Truth {
  readonly state: string | undefined;
  readonly doubt: boolean;
  readonly outcome: unknown;
  readonly committed: boolean;
}

function rememberedOf(memory: MemoryLedger): Truth {
  const [row] = memory.rows.values();
  const { state, doubt = false, outcome = null } = row ?? {};
  return { state, doubt, outcome, committed: memory.committed };
}

async function storedOf(job: JobRef): Promise<Truth> {
  const { rows } = await owner.query<Truth>(
    `select e.state, coalesce(e.doubt, false) as doubt, e.outcome, j.committed_at is not null as committed
     from longhaul.jobs j left join longhaul.effects e on e.job_id = j.id where j.id = $1`,
    [job.id],
  );
  const { state, ...rest } = rows[0] as Truth;
  return { state: state ?? undefined, ...rest };
}

const SHAPES: readonly Shape[] = [
  ...(['own', 'keyed', 'probed', 'blind'] as const).flatMap((effect) =>
    (['compensable', 'pivot', 'retriable'] as const).map((stepKind) => ({ stepKind, effect })),
  ),
  { stepKind: 'readOnly', effect: 'none' },
  { stepKind: 'decision', effect: 'none' },
];

test.for(SHAPES)(
  'PostgreSQL answers as memory does, of a $stepKind with effect $effect',
  { timeout: 600_000 },
  async (shape) => {
    await fc.assert(
      fc.asyncProperty(callsOf(shape), async (calls) => {
        const both = await setup(shape);
        for (const [index, call] of calls.entries()) {
          if (call.is === 'advance') {
            await both.advance(call.ms);
            continue;
          }
          const operation = await toOperation(both, call);
          const remembered = await answerOf(operation(both.memory));
          const stored = await answerOf(operation(both.stored));
          const at = `call ${index}: ${JSON.stringify(call)}`;
          expect({ at, answer: stored }).toEqual({ at, answer: remembered });
          const [truth, known] = [await storedOf(both.job), rememberedOf(both.memory)];
          // What a transaction rolled back is told to PostgreSQL by the report that follows.
          const isTold = shape.effect !== 'own' || truth.state === 'done';
          expect({ at, ...truth, committed: isTold && truth.committed }).toEqual({
            at,
            ...known,
            committed: isTold && known.committed,
          });
        }
      }),
      { numRuns: RUNS_PER_EFFECT },
    );
  },
);
