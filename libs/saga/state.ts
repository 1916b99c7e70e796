/** What a saga says about itself (the query `state`): small, pure data, readable by API and people alike. */

/** `parked` is a phase, not an end (S8). */
export type SagaPhase = 'forward' | 'compensating' | 'parked' | 'done';

/** `retrying` is not seen by a saga: retries are the server's, the ledger tells of them. */
export type StepStatus =
  | 'waiting'
  | 'running'
  | 'retrying'
  | 'parked'
  | 'done'
  | 'failed'
  | 'skipped'
  | 'undoing'
  | 'undone'
  | 'leftover';

export interface StepState {
  readonly name: string;
  readonly item?: number;
  /** `readOnly`, `compensable`, `pivot`, `retriable` or `decision`. */
  readonly kind: string;
  readonly status: StepStatus;
}

/** Where a saga waits for a person. A decision names the number (S8). */
export interface ParkState {
  readonly number: number;
  readonly step: string;
  readonly item?: number;
  /** It is the step's undo that is parked. */
  readonly undo: boolean;
  /** Nobody can tell whether the effect happened. */
  readonly doubt: boolean;
  /** RFC 3339. Of a wait for a decision: when the declared default counts. */
  readonly until?: string;
  /** What the block around it held is lost meanwhile: the block can start over, and the step alone cannot go on. */
  readonly heldLost?: true;
}

export interface SagaState {
  readonly phase: SagaPhase;
  /** Past the commit point: only forward from here (S7). */
  readonly committed: boolean;
  /** The deadline passed when it could no longer be honoured (S10). */
  readonly overdue: boolean;
  readonly cancelRequested: boolean;
  readonly park?: ParkState | undefined;
  /** Every step started, in order of its first start; of a block that started over, the latest generation. */
  readonly steps: readonly StepState[];
  readonly message?: string | undefined;
}
