/**
 * The effect ledger, as attempts use it: absent → claimed → done → undoing → undone. PostgreSQL keeps it in
 * production (libs/store/ledger.store.ts), memory in eager tests; the protocol is in SAGA_RULES. Each method is one
 * round trip and one transaction.
 */
import type { EffectKind, StepKind } from './define.js';
import type { Failure } from './failure.js';
import type { JobRef, OwnTransaction, StepProgress, Transaction, UndoOutcome } from './implement.js';
import type {
  DeadLetter,
  EffectRef,
  RulingAnswer,
  RulingRequest,
  SagaEnd,
  Settlement,
  Unparking,
} from './protocol.js';

/** What a step's attempt says when it claims its effect. */
export interface Claim extends EffectRef {
  readonly job: JobRef;
  readonly seq: number;
  readonly stepKind: StepKind;
  readonly effect: EffectKind | 'none';
  readonly undo: string | undefined;
  /** What the undo will work from (S1). */
  readonly args: unknown;
  readonly attempt: number;
  /** Covers start-to-close. */
  readonly leaseMs: number;
}

/** Why a claim or a late record is refused. */
export type Refusal =
  /** The terminal record is written. */
  | 'job_ended'
  /** No such job for this tenant. */
  | 'job_unknown'
  /** A later attempt has claimed. */
  | 'superseded'
  /** The step is being undone, undone, or kept by a decision. */
  | 'fenced'
  /** A `blind` effect may have happened, and nobody can tell: only a person may have it tried again. */
  | 'in_doubt';

export type ClaimAnswer =
  /** `doubt`, of a `probed` effect: an earlier attempt, certainly over, may have done it; ask before acting. */
  | { readonly kind: 'claimed'; readonly doubt?: boolean }
  /** A `probed` effect is in doubt, and the attempt that left it so may still act. */
  | { readonly kind: 'wait'; readonly waitMs: number }
  /** An earlier attempt was done; its outcome is replayed (S11). */
  | { readonly kind: 'done'; readonly outcome: unknown }
  | { readonly kind: 'refused'; readonly why: Refusal };

export interface AttemptReport {
  /** Absent for a deferral and a cancel that certainly did nothing. */
  readonly failure?: Failure;
  /** Whether the effect may have happened. */
  readonly unknown: boolean;
  readonly isLast: boolean;
  readonly retryInMs?: number;
  readonly progress?: StepProgress;
}

/** What an undo's attempt says when it begins. */
export interface UndoClaim extends EffectRef {
  readonly job: JobRef;
  readonly seq: number;
  readonly effect: EffectKind | 'none';
  readonly undo: string;
  readonly attempt: number;
  readonly leaseMs: number;
  /** Whether the leases of attempts that have not reported must be over first (S5). */
  readonly awaitsLease: boolean;
  readonly compensating: boolean;
  /** A person says that a `blind` effect in doubt has happened. */
  readonly insists: boolean;
}

export type UndoAnswer =
  /** Run the undo with these args. */
  | { readonly kind: 'go'; readonly args: unknown }
  /** Nothing to undo any more, and fenced (S2). `kept`: what the undo, when it ran, left as it is. */
  | { readonly kind: 'noop'; readonly kept?: string }
  /** An attempt may still act: come back when its lease is over. */
  | { readonly kind: 'wait'; readonly waitMs: number }
  /** Of a `blind` effect nobody can tell whether there is anything to undo: a person decides. */
  | { readonly kind: 'in_doubt' };

/** What the ledger alone knows of a pivot in doubt. */
export type SettleAnswer =
  | { readonly kind: 'settled'; readonly settlement: Exclude<Settlement, { verdict: 'unknown' }> }
  /** Fenced; the probe decides, with these args. */
  | { readonly kind: 'ask'; readonly args: unknown }
  /** Nobody can be asked. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'wait'; readonly waitMs: number };

export interface SettleRef extends EffectRef {
  readonly job: JobRef;
}

export interface SettleClaim extends SettleRef {
  readonly seq: number;
  readonly effect: EffectKind | 'none';
}

/** What a decision is about. */
export interface RulingClaim extends RulingRequest {
  readonly job: JobRef;
  readonly stepKind: StepKind;
  readonly effect: EffectKind | 'none';
  /** The undo's name, where the step has one. */
  readonly undoName: string | undefined;
}

export interface Ledger {
  claim(claim: Claim): Promise<ClaimAnswer>;
  /** Records the outcome, compare-and-set from `claimed`; an outcome already there is answered instead. */
  complete(claim: Claim, outcome: unknown, progress?: StepProgress): Promise<Completion>;
  /** Records how an attempt failed and frees its lease; answers whether the step is in doubt. */
  fail(claim: Claim, report: AttemptReport): Promise<{ readonly doubt: boolean }>;
  progress(claim: Claim, progress: StepProgress): Promise<void>;
  /** `own`: claim, effect and done in one transaction. `work` runs only when claimed. */
  transact(
    claim: Claim,
    work: (tx: OwnTransaction) => Promise<OwnOutcome>,
  ): Promise<ClaimAnswer | Completion>;

  beginUndo(claim: UndoClaim): Promise<UndoAnswer>;
  /** Records that it is undone, and what was left as it is. */
  completeUndo(claim: UndoClaim, outcome: UndoOutcome): Promise<void>;
  failUndo(claim: UndoClaim, report: AttemptReport): Promise<void>;
  /** `own`: lock, reverse and `undone` in one transaction. `work` runs only where there is something to undo. */
  transactUndo(
    claim: UndoClaim,
    work: (tx: Transaction, args: unknown) => Promise<UndoOutcome>,
  ): Promise<UndoAnswer>;

  /** A pivot in doubt. `canAsk`: a probe is declared; without one a keyed effect stays unfenced and unknown. */
  beginSettle(claim: SettleClaim, canAsk: boolean): Promise<SettleAnswer>;
  completeSettle(ref: SettleRef, settlement: Settlement): Promise<void>;

  park(job: JobRef, letter: DeadLetter): Promise<void>;
  unpark(job: JobRef, unparking: Unparking): Promise<void>;
  /** Makes of an effect what a person decided; idempotent. */
  rule(claim: RulingClaim): Promise<RulingAnswer>;
  /** Writes the terminal record and releases the job's locks (S9, S15). */
  finish(job: JobRef, end: SagaEnd): Promise<{ readonly recorded: boolean }>;
}

export interface OwnOutcome {
  readonly outcome: unknown;
  readonly progress?: StepProgress;
}

export type Completion =
  | { readonly kind: 'recorded' }
  | { readonly kind: 'done'; readonly outcome: unknown }
  | { readonly kind: 'refused'; readonly why: Refusal };
