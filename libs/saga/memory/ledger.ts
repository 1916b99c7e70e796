/** The ledger in memory: the same protocol as libs/store's, on the virtual clock. */
import type { Failure } from '../failure.js';
import type { StepProgress, Transaction } from '../implement.js';
import type {
  AttemptReport,
  Claim,
  ClaimAnswer,
  Completion,
  Ledger,
  OwnOutcome,
  Refusal,
  SettleAnswer,
  SettleClaim,
  SettleRef,
  UndoAnswer,
  UndoClaim,
} from '../ledger.js';
import type { DeadLetter, EffectRef, SagaEnd, Settlement } from '../protocol.js';
import { createRowLocks } from './row-locks.js';

export type EffectState = 'claimed' | 'done' | 'undoing' | 'undone' | 'kept';

/** A row of the ledger. */
export interface EffectRow {
  readonly step: string;
  readonly item: number | undefined;
  readonly generation: number;
  readonly seq: number;
  state: EffectState;
  args: unknown;
  attempt: number;
  undoAttempt: number;
  /** Of the present attempt; undefined once it has reported. */
  leaseUntil: number | undefined;
  /** Of earlier attempts that never reported. */
  quarantineUntil: number | undefined;
  doubt: boolean;
  outcome: unknown;
  lastError: Failure | undefined;
  progress: StepProgress | undefined;
}

/** A database transaction as a fake: its queries, and what becomes of them. */
export interface MemoryTransaction {
  readonly tx: Transaction;
  commit(): void | Promise<void>;
  rollback(): void | Promise<void>;
}

export interface MemoryLedger extends Ledger {
  readonly rows: ReadonlyMap<string, EffectRow>;
  readonly letters: readonly DeadLetter[];
  readonly end: SagaEnd | undefined;
  readonly committed: boolean;
}

export interface MemoryLedgerOptions {
  readonly now: () => number;
  /** For `own` effects; without it their `ctx.tx` refuses queries. */
  readonly openTransaction?: (() => MemoryTransaction) | undefined;
}

/** A ledger for one job. */
export function createMemoryLedger({ now, openTransaction = noDatabase }: MemoryLedgerOptions): MemoryLedger {
  const rows = new Map<string, EffectRow>();
  const letters: DeadLetter[] = [];
  const locks = createRowLocks();

  const rowOf = (ref: EffectRef): EffectRow | undefined => rows.get(keyOf(ref));
  const insert = (claim: Claim | UndoClaim | SettleClaim, state: EffectState): EffectRow => {
    const row: EffectRow = {
      step: claim.step,
      item: claim.item,
      generation: claim.generation,
      seq: claim.seq,
      state,
      args: 'args' in claim ? claim.args : undefined,
      attempt: 0,
      undoAttempt: 0,
      leaseUntil: undefined,
      quarantineUntil: undefined,
      doubt: false,
      outcome: undefined,
      lastError: undefined,
      progress: undefined,
    };
    rows.set(keyOf(claim), row);
    return row;
  };
  const refused = (why: Refusal) => ({ kind: 'refused', why }) as const;
  /** How long attempts that have not reported may still act, in milliseconds from now. */
  const leaseLeftMs = (row: EffectRow): number => {
    const present = row.state === 'undoing' ? 0 : (row.leaseUntil ?? 0);
    return Math.max(0, Math.max(present, row.quarantineUntil ?? 0) - now());
  };
  /** The lease of a step's attempt goes on counting when a later attempt, or the undo, takes the row over. */
  const quarantine = (row: EffectRow): void => {
    if (row.leaseUntil === undefined) return;
    row.quarantineUntil = Math.max(row.quarantineUntil ?? 0, row.leaseUntil);
    row.leaseUntil = undefined;
  };

  /** Where the attempt before never reported: it may still act, and nobody knows whether it did. */
  function supersede(row: EffectRow, claim: Claim): void {
    if (row.leaseUntil === undefined || claim.attempt <= row.attempt) return;
    quarantine(row);
    row.doubt ||= claim.effect === 'keyed';
  }

  function claimRow(claim: Claim): ClaimAnswer {
    if (ledger.end) return refused('job_ended');
    const row = rowOf(claim) ?? insert(claim, 'claimed');
    if (row.state === 'done') return { kind: 'done', outcome: row.outcome };
    if (row.state !== 'claimed') return refused('fenced');
    if (claim.attempt < row.attempt) return refused('superseded');
    supersede(row, claim);
    row.attempt = claim.attempt;
    row.leaseUntil = now() + claim.leaseMs;
    if (claim.stepKind === 'retriable') ledger.committed = true;
    return { kind: 'claimed' };
  }

  function completeRow(claim: Claim, outcome: unknown, progress: StepProgress | undefined): Completion {
    const row = rowOf(claim);
    if (row?.state === 'done') return { kind: 'done', outcome: row.outcome };
    if (row?.state !== 'claimed') return refused('fenced');
    row.state = 'done';
    row.outcome = outcome;
    row.doubt = false;
    row.progress = progress ?? row.progress;
    if (row.attempt === claim.attempt) row.leaseUntil = undefined;
    if (claim.stepKind === 'pivot') ledger.committed = true;
    return { kind: 'recorded' };
  }

  // Plain data: an accessor in a literal gives every ledger a hidden class of its own, which outlives it for long.
  const ledger: MemoryLedger & { end: SagaEnd | undefined; committed: boolean } = {
    rows,
    letters,
    end: undefined,
    committed: false,

    claim: (claim) => locks.hold(keyOf(claim), async () => claimRow(claim)),

    complete: (claim, outcome, progress) =>
      locks.hold(keyOf(claim), async () => completeRow(claim, outcome, progress)),

    fail: (claim, report: AttemptReport) =>
      locks.hold(keyOf(claim), async () => {
        const row = rowOf(claim) ?? insert(claim, 'claimed');
        // Done by a record whose answer was lost, or by an earlier attempt: it has happened, whatever this one knows.
        if (row.state !== 'claimed') return { doubt: row.doubt || row.state === 'done' };
        row.doubt ||= report.unknown && claim.effect !== 'none';
        supersede(row, claim);
        if (row.attempt <= claim.attempt) {
          row.attempt = claim.attempt;
          row.leaseUntil = undefined;
          row.lastError = report.failure ?? row.lastError;
          row.progress = report.progress ?? row.progress;
        }
        return { doubt: row.doubt };
      }),

    async progress(claim, progress) {
      const row = rowOf(claim);
      if (row?.state === 'claimed' && row.attempt === claim.attempt) row.progress = progress;
    },

    transact: (claim, work: (tx: Transaction) => Promise<OwnOutcome>) =>
      locks.hold(keyOf(claim), async () => {
        const before = rowOf(claim);
        const snapshot = before && { ...before };
        const answer = claimRow(claim);
        if (answer.kind !== 'claimed') return answer;
        const transaction = openTransaction();
        try {
          const { outcome, progress } = await work(transaction.tx);
          await transaction.commit();
          return completeRow(claim, outcome, progress);
        } catch (error) {
          await transaction.rollback();
          if (snapshot) rows.set(keyOf(claim), snapshot);
          else rows.delete(keyOf(claim));
          throw error;
        }
      }),

    beginUndo: (claim) =>
      locks.hold(keyOf(claim), async (): Promise<UndoAnswer> => {
        const row = rowOf(claim);
        if (!row) {
          insert(claim, 'undone');
          return { kind: 'noop' };
        }
        if (row.state === 'undone' || row.state === 'kept') return { kind: 'noop' };
        if (row.state !== 'undoing') quarantine(row);
        row.state = 'undoing';
        const waitMs = leaseLeftMs(row);
        if (claim.awaitsLease && waitMs > 0) return { kind: 'wait', waitMs };
        row.undoAttempt = claim.attempt;
        row.leaseUntil = now() + claim.leaseMs;
        return { kind: 'go', args: row.args };
      }),

    completeUndo: (claim) =>
      locks.hold(keyOf(claim), async () => {
        const row = rowOf(claim);
        if (row?.state !== 'undoing') return;
        row.state = 'undone';
        row.leaseUntil = undefined;
      }),

    failUndo: (claim, report) =>
      locks.hold(keyOf(claim), async () => {
        const row = rowOf(claim);
        if (!row || row.state === 'undone' || row.state === 'kept') return;
        row.undoAttempt = claim.attempt;
        // Where its beginning was not heard, the lease is still the step's.
        if (row.state === 'undoing') row.leaseUntil = undefined;
        row.lastError = report.failure ?? row.lastError;
      }),

    transactUndo: (claim, work: (tx: Transaction, args: unknown) => Promise<void>) =>
      locks.hold(keyOf(claim), async (): Promise<UndoAnswer> => {
        const row = rowOf(claim);
        if (row?.state !== 'done') {
          // Nothing committed: the row itself is the fence.
          if (!row) insert(claim, 'undone');
          else if (row.state !== 'kept') row.state = 'undone';
          return { kind: 'noop' };
        }
        const transaction = openTransaction();
        try {
          await work(transaction.tx, row.args);
          await transaction.commit();
        } catch (error) {
          await transaction.rollback();
          throw error;
        }
        row.undoAttempt = claim.attempt;
        row.state = 'undone';
        return { kind: 'go', args: row.args };
      }),

    beginSettle: (claim, canAsk) =>
      locks.hold(keyOf(claim), async (): Promise<SettleAnswer> => {
        const row = rowOf(claim) ?? insert(claim, 'undone');
        if (row.state === 'done') {
          return { kind: 'settled', settlement: { verdict: 'happened', output: row.outcome } };
        }
        if (row.state === 'undone' || claim.effect !== 'keyed') {
          row.state = 'undone';
          return { kind: 'settled', settlement: { verdict: 'not_happened' } };
        }
        // Until the lease is over a late record is still welcome: it settles the matter.
        const waitMs = leaseLeftMs(row);
        if (waitMs > 0) return { kind: 'wait', waitMs };
        if (!canAsk) return { kind: 'unknown' };
        row.state = 'undoing';
        return { kind: 'ask', args: row.args };
      }),

    completeSettle: (ref: SettleRef, settlement: Settlement) =>
      locks.hold(keyOf(ref), async () => {
        const row = rowOf(ref);
        if (row?.state !== 'undoing') return;
        row.state = settlement.verdict === 'happened' ? 'done' : 'undone';
        row.doubt = false;
        if (settlement.verdict !== 'happened') return;
        row.outcome = settlement.output;
        ledger.committed = true;
      }),

    async park(_job, letter) {
      if (!letters.some(({ number }) => number === letter.number)) letters.push(letter);
    },

    async finish(_job, record) {
      const recorded = ledger.end === undefined;
      ledger.end ??= record;
      return { recorded };
    },
  };
  return ledger;
}

function keyOf(ref: EffectRef): string {
  return `${ref.step}/${ref.item ?? ''}/${ref.generation}`;
}

function noDatabase(): MemoryTransaction {
  return {
    tx: {
      query: () =>
        Promise.reject(new TypeError('There is no database in memory; give the run an openTransaction')),
    },
    commit: () => undefined,
    rollback: () => undefined,
  };
}
