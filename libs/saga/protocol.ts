/** What travels between the interpreter, the attempts it asks for, and the ledger: references and small facts (S14). */
import type { Failure } from './failure.js';
import type { JobRef } from './implement.js';
import type { ParkState, StepStatus } from './state.js';

/** The one argument of a saga's workflow. */
export interface SagaStart {
  readonly jobId: string;
  readonly tenantId: string;
  readonly kind: string;
  /** RFC 3339; absolute, from acceptance (S10). */
  readonly deadlineAt: string;
  /** Of a run that goes on where another left off: what that one knew. */
  readonly resume?: Resume;
}

/**
 * What a saga hands over to its next run. Steps that the ledger has as done or undone are not in it: they are read
 * back from there (S14).
 */
export interface Resume {
  readonly fate: FateState;
  /** The last number given to a step (S3), to a generation (S11), to a park (S8). */
  readonly last: { readonly seq: number; readonly generation: number; readonly park: number };
  readonly steps: readonly CarriedStep[];
  /** Members of each group, by the step's name. */
  readonly groups: Readonly<Record<string, number>>;
  /** Of blocks undone to start over: the first and the last `seq`. */
  readonly forgotten: readonly (readonly [first: number, last: number])[];
  /** How often each holder was lost whose block was undone to start over. */
  readonly losses: Readonly<Record<string, number>>;
  /** When the sleeps begun are over, in their order; milliseconds since 1970. */
  readonly sleeps: readonly number[];
  /** What `patched` answered. */
  readonly changes: Readonly<Record<string, boolean>>;
  readonly skipped: readonly Remainder[];
  readonly leftovers: readonly Remainder[];
  readonly message?: string;
}

/** Whether a saga still goes forward, as data. */
export interface FateState {
  readonly cause?: Cause;
  readonly latched?: Cause;
  readonly committed: boolean;
  readonly pivotOpen: boolean;
  readonly deadlinePassed: boolean;
  readonly cancelled: boolean;
}

/** A step of which the saga knows more than the ledger does; its arguments are there, too. */
export interface CarriedStep extends EffectRef {
  readonly seq: number;
  readonly of?: number;
  readonly status: StepStatus;
  readonly attempts: number;
  readonly undoAttempts: number;
  readonly deferrals: number;
  readonly fenced: boolean;
  /** A person's answer, or what a holder announced. */
  readonly output?: unknown;
  readonly putOff?: PutOff;
  readonly undoPutOff?: PutOff;
}

/** When what was put off is tried again, in milliseconds since 1970, and how often at most. */
export interface PutOff {
  readonly until: number;
  readonly attemptsLeft: number;
  /** Of a pivot: nobody can tell whether it happened. */
  readonly doubt?: boolean;
  /** Of an undo: a person says that there is something to undo. */
  readonly insists?: boolean;
}

export interface RecallRequest {
  /** The steps registered after this one, by `seq`. */
  readonly after: number;
  /** Only a saga that goes forward needs them. */
  readonly outcomes: boolean;
}

/** What the ledger has of a step; a tuple, because a group has thousands of them and each goes into history. */
export type RecalledStep = readonly [
  step: string,
  item: number | null,
  generation: number,
  seq: number,
  state: 'claimed' | 'done' | 'undoing' | 'undone' | 'kept',
  outcome?: unknown,
];

export interface RecalledPage {
  /** By `seq`. */
  readonly steps: readonly RecalledStep[];
  /** Where the next page begins; absent on the last. */
  readonly next?: number;
}

/** One effect of a job: a step, an item of it, under a generation. */
export interface EffectRef {
  readonly step: string;
  readonly item?: number | undefined;
  readonly generation: number;
}

/** The parts every request for an attempt has. Attempts are numbered through, over re-schedulings too. */
export interface AttemptRequest extends EffectRef {
  readonly job: JobRef;
  /** Order of registration (S3). */
  readonly seq: number;
  /** Attempts used up by earlier schedulings: the next one is `before + 1`. */
  readonly before: number;
  /** How many attempts this scheduling may make. */
  readonly attemptsMax: number;
}

export interface StepRequest extends AttemptRequest {
  readonly role: 'step';
  readonly args: unknown;
  /** Of a holder: what its `ready` must quote, so that a lost one's late word counts for nothing. */
  readonly token?: string;
}

export interface UndoRequest extends AttemptRequest {
  readonly role: 'undo';
  /** False when a block is undone to start over: the job as a whole still goes forward. */
  readonly compensating: boolean;
  /** A person says that there is something to undo, which nobody else can tell: for the first attempt (`blind`). */
  readonly insists?: true;
}

/** Fence a pivot in doubt and find out whether it happened (S5, S6). */
export interface SettleRequest extends AttemptRequest {
  readonly role: 'settle';
}

export type Request = StepRequest | UndoRequest | SettleRequest;

/** What the ledger and the probe say of a pivot in doubt. `unknown`: a person must decide. */
export type Settlement =
  | { readonly verdict: 'happened'; readonly output: unknown }
  | { readonly verdict: 'not_happened' }
  | { readonly verdict: 'unknown' };

/** How one attempt ended. */
export type Verdict =
  | { readonly kind: 'done'; readonly output: unknown }
  | {
      readonly kind: 'failed';
      readonly failure: Failure;
      readonly doubt: boolean;
      readonly attempt: number;
      /** Absent: this was the last attempt. */
      readonly retryInMs?: number;
    }
  | { readonly kind: 'deferred'; readonly deferMs: number; readonly doubt: boolean; readonly attempt: number }
  | { readonly kind: 'cancelled'; readonly doubt: boolean; readonly attempt: number };

/** How a scheduling (a series of attempts) ended, as the interpreter sees it. */
export type Settled =
  | { readonly kind: 'done'; readonly output: unknown }
  | {
      readonly kind: 'failed';
      readonly failure: Failure;
      readonly doubt: boolean;
      /** Attempts used so far, over all schedulings; absent when the last one never reported. */
      readonly attempts?: number;
    }
  | {
      readonly kind: 'deferred';
      readonly deferMs: number;
      readonly doubt: boolean;
      readonly attempts: number;
    }
  | { readonly kind: 'cancelled'; readonly doubt: boolean; readonly attempts?: number };

/** Why a saga ends other than well. The first cause wins (S9). */
export type Cause =
  | { readonly kind: 'failed'; readonly failure: Failure }
  | { readonly kind: 'cancelled'; readonly reason?: string }
  | { readonly kind: 'deadline' };

export interface EndError {
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly step?: string;
  readonly item?: number;
  readonly failureClass: string;
}

/** An effect that was left, by a person's decision or because it cannot be taken back; or a step that was skipped. */
export interface Remainder {
  readonly step: string;
  readonly item?: number;
  /** Of a leftover: no later attempt can touch it, nor would a successor do it again. */
  readonly fenced?: boolean;
  /** Of a leftover: what its undo left as it is, in a line for people. */
  readonly kept?: string;
}

/** The terminal record (S9). */
export type SagaEnd =
  | {
      readonly status: 'SUCCEEDED';
      readonly result: unknown;
      readonly skipped: readonly Remainder[];
      readonly leftovers: readonly Remainder[];
    }
  | {
      readonly status: 'FAILED' | 'CANCELLED';
      readonly compensated: 'none' | 'all' | 'partial';
      readonly leftovers: readonly Remainder[];
      readonly skipped: readonly Remainder[];
      readonly error: EndError;
    };

export type Decision = 'retry' | 'skip' | 'compensate' | 'resolve';

/** A park's context, stored as a dead letter. */
export interface DeadLetter extends ParkState {
  readonly generation: number;
  readonly possible: readonly Decision[];
  /** `retry` may come with corrected args: the old generation certainly has not happened, or can be undone. */
  readonly correctable: boolean;
  /** The step's: what is to be decided about. */
  readonly args?: unknown;
  /** Absent where the saga waits for a decision by design. */
  readonly failure?: Failure;
}

/** An operator's decision, as it reaches the saga: what it carries is stored first, and fetched by its id (S14). */
export interface DecisionWish {
  /** Of the decision; the update's id too, so that the same one twice is one. */
  readonly id: string;
  readonly park: number;
  readonly decision: Decision;
  /** With `retry`: corrected args are stored with it. */
  readonly corrects?: boolean;
}

/** What a decision makes of an effect (S8). */
export type Ruling =
  /** Skipped: neither forward nor back any more. */
  | 'keep'
  /** Done outside, says a person; with the output stored with the decision. */
  | 'resolve'
  /** Not done, says a person. */
  | 'disown'
  /** Certainly not done, says the ledger; args of a new generation are stored with the decision. */
  | 'correct';

export interface RulingRequest extends EffectRef {
  readonly seq: number;
  /** The step's, for an undo to work from where no claim was ever heard. */
  readonly args: unknown;
  readonly ruling: Ruling;
  /** It is the step's undo that is decided about. */
  readonly undo: boolean;
  /** The park said that nobody can tell whether it happened: what is known since counts more than a person's word. */
  readonly doubt: boolean;
  readonly decisionId: string;
}

export type RulingAnswer =
  /** `value`: the output or the args stored with the decision. */
  | { readonly kind: 'settled'; readonly value?: unknown }
  /** The effect is on record as done: there was nothing to decide. */
  | { readonly kind: 'done'; readonly outcome?: unknown }
  /** It is taken back already. */
  | { readonly kind: 'undone' }
  /** Fenced, and an attempt that began before may still act: ask again then. */
  | { readonly kind: 'wait'; readonly waitMs: number }
  /** What the person says may be overtaken by an attempt that still acts, or contradicts what is on record. */
  | { readonly kind: 'refused'; readonly why: 'in_flight' | 'in_doubt' | 'fenced' | 'not_happened' };

/** A park is over. */
export interface Unparking {
  readonly number: number;
  /** The phase the saga goes on in. */
  readonly phase: 'forward' | 'compensating';
  /** Absent: the park became moot, or its time was over. */
  readonly decisionId?: string;
}

/** Payload of the signal `cancel`. */
export interface CancelWish {
  readonly reason?: string;
}

/** Payload of the signal `ready`, sent by a holder's attempt to its own saga. */
export interface HolderReady {
  readonly token: string;
  readonly output: unknown;
}

/** The update by which a decision reaches the saga: its argument a {@link DecisionWish}, refused by its validator. */
export const DECIDE_UPDATE = 'decide';
/** The type of the failure a refused decision is answered with. */
export const DECISION_REFUSED = 'decision_not_possible';
export const CANCEL_SIGNAL = 'cancel';
export const READY_SIGNAL = 'ready';
/** The last open child of a step has ended: steps that were put off look again. */
export const WAKE_SIGNAL = 'wake';
export const STATE_QUERY = 'state';

/** The effect key (S11), shown to the provider and to the ledger, the same on every attempt. */
export function effectKeyOf(jobId: string, ref: EffectRef): string {
  const item = ref.item === undefined ? '' : `/${ref.item}`;
  return `${jobId}/${ref.step}${item}/${ref.generation}`;
}

/** `{ item }` where there is one: for objects whose optional properties must be absent, not undefined. */
export function itemOf(ref: { readonly item?: number | undefined }): { readonly item?: number } {
  return ref.item === undefined ? {} : { item: ref.item };
}
