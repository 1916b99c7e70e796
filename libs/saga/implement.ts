/** What the implementation of a kind looks like: one function a step, an undo and a probe, typed by the definition. */
import type { z } from 'zod';
import type { CANCEL_CHILDREN } from './children.js';
import type { AnyJobDefinition, ArgsOf, Children, OutputOf, Step } from './define.js';

/** A connection inside the transaction that also records the effect (`own`). Structural, so that saga needs no pg. */
export interface Transaction {
  query<R extends object>(
    text: string,
    values?: readonly unknown[],
  ): Promise<{ rows: R[]; rowCount: number | null }>;
}

/** The transaction of an `own` step: locks taken in it are the job's once it commits, until the job's end (S15). */
export interface OwnTransaction extends Transaction {
  /**
   * Takes the tenant's lock of this name for the job, or finds it already the job's. Throws `Rejected` (`locked`)
   * where another job has it: parked jobs keep theirs.
   */
  lock(name: string): Promise<void>;
}

/** How far a step is. `done`, `total` and `bytes` are absolute for this attempt, not increments. */
export interface StepProgress {
  readonly done?: number;
  readonly total?: number;
  readonly unit?: string;
  readonly bytes?: number;
  readonly message?: string;
}

/** What a step, undo or probe is told about the job it works for. */
export interface JobRef {
  readonly id: string;
  readonly tenantId: string;
  readonly kind: string;
}

export interface CallContext<I> {
  readonly job: JobRef;
  /** The job's input, decrypted and parsed by the definition's schema. It never enters the workflow. */
  readonly input: I;
  /** The effect key, the same on every attempt (S11): `jobId/step[/item]/generation`. */
  readonly key: string;
  readonly item: number | undefined;
  readonly generation: number;
  /** From 1. */
  readonly attempt: number;
  /**
   * Aborted on cancel (not in a pivot, which is let finish), on time-out and before the claim's lease is over: whoever
   * calls out must obey it.
   */
  readonly signal: AbortSignal;
  /** Tells the engine the attempt is alive. Cheap; call it as often as work advances. */
  heartbeat(): void;
}

export interface StepContext<I, T extends Step> extends CallContext<I> {
  /** Reports progress; stored at most four times a second, the last report always. */
  progress(progress: StepProgress): void;
  /** Holder steps only: announces that it holds. The step goes on until `signal` is aborted. */
  ready(output: OutputOf<T>): Promise<void>;
  /** Steps with effect `own` only: the transaction in which claim, effect and outcome are one. Throws elsewhere. */
  readonly tx: OwnTransaction;
}

/**
 * Whether an undo found something to undo (S2); or what it left as it is because it cannot be taken back any more (money
 * that is paid), in a line for people without a client's data: the job ends with it among its leftovers.
 */
export type UndoOutcome = 'undone' | 'noop' | { readonly kept: string };
export type ProbeOutcome<O> = { readonly happened: true; readonly output: O } | { readonly happened: false };

export interface UndoContext<I> extends CallContext<I> {
  /** The undo's own idempotency key (S4): `…/undo`. `key` is still the step's, the one to burn. */
  readonly undoKey: string;
  /** For effect `own`: the transaction that holds the ledger row's lock. Throws elsewhere. */
  readonly tx: Transaction;
}

type StepsOf<D extends AnyJobDefinition> = D['steps'];
type InputOf<D extends AnyJobDefinition> = z.output<D['input']>;
/** The undo of children that need no more than their cancellation is the engine's. */
type UndoNames<D extends AnyJobDefinition> = Exclude<
  Extract<StepsOf<D>[keyof StepsOf<D>]['undo'], string>,
  typeof CANCEL_CHILDREN
>;
type ProbeNames<D extends AnyJobDefinition> = Extract<StepsOf<D>[keyof StepsOf<D>]['probe'], string>;
type StepsWith<D extends AnyJobDefinition, P extends 'undo' | 'probe', N extends string> = {
  [K in keyof StepsOf<D>]: N extends StepsOf<D>[K][P] ? StepsOf<D>[K] : never;
}[keyof StepsOf<D>];

type ChildInput<D extends AnyJobDefinition> = z.input<D['input']>;
/** What the implementation of a step answers: its output; of a holder nothing; of a step with children their inputs. */
type AnswerOf<S extends Step> = S extends { readonly children: Children<infer C, infer M> }
  ? M extends true
    ? readonly ChildInput<C>[]
    : ChildInput<C>
  : S['holds'] extends true
    ? void
    : OutputOf<S>;

/** What the undo of a step with children knows more: how they ended, as the step would have answered it. */
type UndoAlso<S> = S extends { readonly children: Children } ? { readonly ended: OutputOf<S> } : unknown;

/** Every step, undo and probe of a definition, implemented; a missing one, or a wrong argument, does not compile. */
export interface Implementation<D extends AnyJobDefinition> {
  readonly steps: {
    readonly [N in keyof StepsOf<D> as StepsOf<D>[N]['kind'] extends 'decision' ? never : N]: (
      args: ArgsOf<StepsOf<D>[N]>,
      context: StepContext<InputOf<D>, StepsOf<D>[N]>,
    ) => Promise<AnswerOf<StepsOf<D>[N]>>;
  };
  readonly undos: {
    readonly [U in UndoNames<D>]: (
      args: ArgsOf<StepsWith<D, 'undo', U>>,
      context: UndoContext<InputOf<D>> & UndoAlso<StepsWith<D, 'undo', U>>,
    ) => Promise<UndoOutcome>;
  };
  readonly probes: {
    readonly [P in ProbeNames<D>]: (
      args: ArgsOf<StepsWith<D, 'probe', P>>,
      context: CallContext<InputOf<D>>,
    ) => Promise<ProbeOutcome<OutputOf<StepsWith<D, 'probe', P>>>>;
  };
}
