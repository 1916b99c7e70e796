/** The ledger in memory: the same protocol as libs/store's, on the virtual clock. */
import { isElsewhere } from '../define.js';
import { Rejected, type Failure } from '../failure.js';
import type { OwnTransaction, StepProgress, Transaction, UndoOutcome } from '../implement.js';
import type {
  AttemptReport,
  Claim,
  ClaimAnswer,
  Completion,
  Ledger,
  OwnOutcome,
  Refusal,
  RulingClaim,
  SettleAnswer,
  SettleClaim,
  SettleRef,
  UndoAnswer,
  UndoClaim,
} from '../ledger.js';
import type { DeadLetter, EffectRef, RecalledStep, RulingAnswer, SagaEnd, Settlement } from '../protocol.js';
import { createRowLocks } from './row-locks.js';

export type EffectState = 'claimed' | 'done' | 'undoing' | 'undone' | 'kept';

/** Steps recalled at once. */
const PAGE_MAX = 1_000;

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
  /** What its undo left as it is. */
  kept: string | undefined;
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
  /** Parks that are over, by number. */
  readonly unparked: ReadonlySet<number>;
  /** Names of the locks the job holds (S15). */
  readonly locks: ReadonlySet<string>;
  readonly end: SagaEnd | undefined;
  readonly committed: boolean;
}

export interface MemoryLedgerOptions {
  readonly now: () => number;
  /** For `own` effects; without it their `ctx.tx` refuses queries. */
  readonly openTransaction?: (() => MemoryTransaction) | undefined;
  /** What is stored with a decision: corrected args, or an output. */
  readonly valueOf?: ((decisionId: string) => unknown) | undefined;
  /** Locks that other jobs hold. */
  readonly foreignLocks?: ReadonlySet<string> | undefined;
}

/** A ledger for one job. */
export function createMemoryLedger({
  now,
  openTransaction = noDatabase,
  valueOf = () => undefined,
  foreignLocks = new Set(),
}: MemoryLedgerOptions): MemoryLedger {
  const rows = new Map<string, EffectRow>();
  const letters: DeadLetter[] = [];
  const unparked = new Set<number>();
  const held = new Set<string>();
  const locks = createRowLocks();

  const rowOf = (ref: EffectRef): EffectRow | undefined => rows.get(keyOf(ref));
  const insert = (claim: Claim | UndoClaim | SettleClaim | RulingClaim, state: EffectState): EffectRow => {
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
      kept: undefined,
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
    row.doubt ||= isElsewhere(claim.effect);
  }

  function claimRow(claim: Claim): ClaimAnswer {
    if (ledger.end) return refused('job_ended');
    const row = rowOf(claim) ?? insert(claim, 'claimed');
    if (row.state === 'done') return { kind: 'done', outcome: row.outcome };
    if (row.state !== 'claimed') return refused('fenced');
    if (claim.attempt < row.attempt) return refused('superseded');
    supersede(row, claim);
    if (row.doubt && claim.effect === 'blind') return refused('in_doubt');
    const mustAsk = row.doubt && claim.effect === 'probed';
    const waitMs = Math.max(0, (row.quarantineUntil ?? 0) - now());
    // The probe's word counts only when nobody can act any more who acted before (S6).
    if (mustAsk && waitMs > 0) return { kind: 'wait', waitMs };
    row.attempt = claim.attempt;
    row.leaseUntil = now() + claim.leaseMs;
    if (claim.stepKind === 'retriable') ledger.committed = true;
    return { kind: 'claimed', ...(mustAsk ? { doubt: true } : {}) };
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

  /** What of an undo's earlier attempts must be known before the next: a `blind` one is in doubt, others are waited for. */
  function overtakenUndo(row: EffectRow, claim: UndoClaim): void {
    if (row.state !== 'undoing' || row.leaseUntil === undefined || claim.attempt <= row.undoAttempt) return;
    if (claim.effect === 'blind') row.doubt = true;
    if (claim.effect !== 'keyed') quarantine(row);
  }

  function takeLocks(transaction: MemoryTransaction): { tx: OwnTransaction; taken: readonly string[] } {
    const taken: string[] = [];
    const lock = async (name: string): Promise<void> => {
      if (foreignLocks.has(name)) throw new Rejected('locked', `Another job holds the lock "${name}"`);
      taken.push(name);
    };
    return { tx: { query: (text, values) => transaction.tx.query(text, values), lock }, taken };
  }

  /** What is left of a row once nobody can act on it any more: at once, or when the last lease is over. */
  function whenQuiet(row: EffectRow, claim: RulingClaim, answer: RulingAnswer): RulingAnswer {
    quarantine(row);
    const waitMs = isElsewhere(claim.effect) ? leaseLeftMs(row) : 0;
    return waitMs > 0 ? { kind: 'wait', waitMs } : answer;
  }

  function ruleRow(claim: RulingClaim): RulingAnswer {
    const value = valueOf(claim.decisionId);
    const settled: RulingAnswer = { kind: 'settled', ...(value === undefined ? {} : { value }) };
    const row = rowOf(claim);
    if (row?.state === 'done' && !claim.undo) return { kind: 'done', outcome: row.outcome };
    switch (claim.ruling) {
      case 'keep': {
        if (row?.state === 'undone' && claim.undo) return { kind: 'undone' };
        const kept = row ?? insert(claim, 'kept');
        kept.state = 'kept';
        return whenQuiet(kept, claim, settled);
      }
      case 'resolve':
        if (row && !isResolvable(row, claim)) {
          return refusedRuling(claim.doubt && row.state === 'undone' ? 'not_happened' : 'fenced');
        }
        if (row && isBusy(row, claim)) return refusedRuling('in_flight');
        return resolveRow(row ?? insert(claim, 'claimed'), claim, value);
      case 'disown':
      case 'correct': {
        if (row?.state === 'undone' || row?.state === 'kept') return settled;
        const isTold = claim.ruling === 'disown';
        if (row && !isTold && (row.doubt || row.state === 'undoing')) return refusedRuling('in_doubt');
        if (row && isBusy(row, claim)) return refusedRuling('in_flight');
        const disowned = row ?? insert(claim, 'undone');
        disowned.state = 'undone';
        disowned.doubt = false;
        return settled;
      }
    }
  }

  /**
   * A pivot is never undone: such a row says that nobody acts any more, and a person did it outside all the same. One
   * that proved not done only after the person had spoken is another matter.
   */
  function isResolvable({ state }: EffectRow, { stepKind, doubt }: RulingClaim): boolean {
    return (
      state === 'claimed' || state === 'undoing' || (state === 'undone' && stepKind === 'pivot' && !doubt)
    );
  }

  function resolveRow(row: EffectRow, claim: RulingClaim, value: unknown): RulingAnswer {
    row.state = 'done';
    row.outcome = value;
    row.doubt = false;
    if (claim.stepKind === 'pivot' || claim.stepKind === 'retriable') ledger.committed = true;
    return { kind: 'settled', ...(value === undefined ? {} : { value }) };
  }

  const refusedRuling = (why: Extract<RulingAnswer, { kind: 'refused' }>['why']): RulingAnswer => ({
    kind: 'refused',
    why,
  });
  /** Whether an attempt may still act, so that what a person says of the effect may be overtaken. */
  const isBusy = (row: EffectRow, claim: RulingClaim): boolean =>
    isElsewhere(claim.effect) && leaseLeftMs(row) > 0;

  // Plain data: an accessor in a literal gives every ledger a hidden class of its own, which outlives it for long.
  const ledger: MemoryLedger & { end: SagaEnd | undefined; committed: boolean } = {
    rows,
    letters,
    unparked,
    locks: held,
    end: undefined,
    committed: false,

    claim: (claim) => locks.pass(keyOf(claim), () => claimRow(claim)),

    complete: (claim, outcome, progress) =>
      locks.pass(keyOf(claim), () => completeRow(claim, outcome, progress)),

    fail: (claim, report: AttemptReport) =>
      locks.pass(keyOf(claim), () => {
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

    transact: (claim, work: (tx: OwnTransaction) => Promise<OwnOutcome>) =>
      locks.hold(keyOf(claim), async () => {
        const before = rowOf(claim);
        const snapshot = before && { ...before };
        const answer = claimRow(claim);
        if (answer.kind !== 'claimed') return answer;
        const transaction = openTransaction();
        const { tx, taken } = takeLocks(transaction);
        try {
          const { outcome, progress } = await work(tx);
          await transaction.commit();
          for (const name of taken) held.add(name);
          return completeRow(claim, outcome, progress);
        } catch (error) {
          await transaction.rollback();
          if (snapshot) rows.set(keyOf(claim), snapshot);
          else rows.delete(keyOf(claim));
          throw error;
        }
      }),

    beginUndo: (claim) =>
      locks.pass(keyOf(claim), (): UndoAnswer => {
        const row = rowOf(claim);
        if (!row) {
          insert(claim, 'undone');
          return { kind: 'noop' };
        }
        if (row.state === 'undone' || row.state === 'kept') return nothingToUndo(row);
        // Its worker was taken for lost, and a later attempt acts in its place: nobody waits for this one's answer.
        if (row.state === 'undoing' && claim.attempt < row.undoAttempt) {
          return { kind: 'wait', waitMs: claim.leaseMs };
        }
        if (claim.effect === 'blind' && row.state === 'claimed') {
          row.doubt ||= row.leaseUntil !== undefined;
          // Certainly nothing happened, and undoing nothing is not safe here.
          if (!row.doubt) {
            row.state = 'undone';
            return { kind: 'noop' };
          }
        }
        overtakenUndo(row, claim);
        if (row.state !== 'undoing') quarantine(row);
        row.state = 'undoing';
        const waitMs = leaseLeftMs(row);
        if (claim.awaitsLease && waitMs > 0) return { kind: 'wait', waitMs };
        if (claim.effect === 'blind' && row.doubt && !claim.insists) return { kind: 'in_doubt' };
        if (claim.effect === 'blind') row.doubt = false;
        row.undoAttempt = claim.attempt;
        row.leaseUntil = now() + claim.leaseMs;
        return { kind: 'go', args: row.args };
      }),

    completeUndo: (claim, outcome) =>
      locks.pass(keyOf(claim), () => {
        const row = rowOf(claim);
        if (row?.state !== 'undoing') return;
        row.state = 'undone';
        row.doubt = false;
        row.leaseUntil = undefined;
        row.kept = keptOf(outcome);
      }),

    failUndo: (claim, report) =>
      locks.pass(keyOf(claim), () => {
        const row = rowOf(claim);
        if (!row || row.state === 'undone' || row.state === 'kept') return;
        if (claim.effect === 'blind') row.doubt ||= report.unknown;
        // The lease is a later attempt's.
        if (claim.attempt < row.undoAttempt) return;
        // Where its own beginning was not heard, the lease is of one before that never reported.
        overtakenUndo(row, claim);
        row.undoAttempt = claim.attempt;
        // Where its beginning was not heard, the lease is still the step's.
        if (row.state === 'undoing') row.leaseUntil = undefined;
        row.lastError = report.failure ?? row.lastError;
      }),

    transactUndo: (claim, work: (tx: Transaction, args: unknown) => Promise<UndoOutcome>) =>
      locks.hold(keyOf(claim), async (): Promise<UndoAnswer> => {
        const row = rowOf(claim);
        if (row?.state !== 'done') {
          // Nothing committed: the row itself is the fence.
          const fenced = row ?? insert(claim, 'undone');
          if (fenced.state !== 'kept') Object.assign(fenced, { state: 'undone', doubt: false });
          return nothingToUndo(fenced);
        }
        const transaction = openTransaction();
        try {
          row.kept = keptOf(await work(transaction.tx, row.args));
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
      locks.pass(keyOf(claim), (): SettleAnswer => {
        const row = rowOf(claim) ?? insert(claim, 'undone');
        if (row.state === 'done') {
          return { kind: 'settled', settlement: { verdict: 'happened', output: row.outcome } };
        }
        // Every attempt that claimed has reported that it did nothing.
        const isCertain = row.state === 'claimed' && !row.doubt && row.leaseUntil === undefined;
        if (row.state === 'undone' || isCertain || !isElsewhere(claim.effect)) {
          row.state = 'undone';
          row.doubt = false;
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
      locks.pass(keyOf(ref), () => {
        const row = rowOf(ref);
        if (row?.state !== 'undoing') return;
        row.state = settlement.verdict === 'happened' ? 'done' : 'undone';
        row.doubt = false;
        if (settlement.verdict !== 'happened') return;
        row.outcome = settlement.output;
        ledger.committed = true;
      }),

    async recall(_job, { after, outcomes }) {
      const later = [...rows.values()].filter(({ seq }) => seq > after).sort((a, b) => a.seq - b.seq);
      const page = later.slice(0, PAGE_MAX);
      return {
        steps: page.map((row) => recalledOf(row, outcomes)),
        ...(later.length > page.length ? { next: page.at(-1)!.seq } : {}),
      };
    },

    async park(_job, letter) {
      if (letters.some(({ number }) => number === letter.number)) return;
      // What a run before asked with, the saga may not know any more.
      const { args = rowOf(letter)?.args } = letter;
      letters.push(args === undefined ? letter : { ...letter, args });
    },

    async unpark(_job, { number }) {
      unparked.add(number);
    },

    rule: (claim) => locks.pass(keyOf(claim), () => ruleRow(claim)),

    async finish(_job, record) {
      const recorded = ledger.end === undefined;
      ledger.end ??= record;
      held.clear();
      return { recorded };
    },
  };
  return ledger;
}

function keptOf(outcome: UndoOutcome): string | undefined {
  return typeof outcome === 'object' ? outcome.kept : undefined;
}

function nothingToUndo({ kept }: EffectRow): UndoAnswer {
  return { kind: 'noop', ...(kept === undefined ? {} : { kept }) };
}

function keyOf(ref: EffectRef): string {
  return `${ref.step}/${ref.item ?? ''}/${ref.generation}`;
}

function recalledOf(row: EffectRow, outcomes: boolean): RecalledStep {
  const { step, item = null, generation, seq, state, outcome } = row;
  const isWanted = outcomes && state === 'done' && outcome !== undefined;
  return isWanted ? [step, item, generation, seq, state, outcome] : [step, item, generation, seq, state];
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
