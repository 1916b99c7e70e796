/** Parked jobs and decisions as an operator's client sees them (docs/api.md). Types only. */
import type { JobError, JobPhase, JobStatus } from './job.types.js';

export type DecisionName = 'retry' | 'skip' | 'compensate' | 'resolve';

interface AttemptError {
  readonly code?: string;
  readonly message?: string;
}

export interface DecisionView {
  readonly id: string;
  readonly decision: DecisionName;
  readonly reason: string;
  readonly input?: unknown;
  readonly output?: unknown;
  readonly decidedBy: string;
  readonly decidedAt: string;
  /** `pending`: stored, and on its way to the saga. */
  readonly outcome: 'pending' | 'taken' | 'refused';
  readonly refusal?: string;
  readonly settledAt?: string;
}

export interface DeadLetter {
  readonly id: string;
  readonly status: 'open' | 'closed';
  readonly tenant: { readonly id: string; readonly name: string };
  readonly jobId: string;
  readonly kind: string;
  readonly key: string | null;
  readonly jobStatus: JobStatus;
  readonly jobPhase: JobPhase;
  /** Why the job failed, once it has ended. */
  readonly jobError: JobError | null;
  readonly step: string;
  readonly item?: number;
  readonly stepKind: string | null;
  /** What can be known of it: `none`, `own`, `keyed`, `probed` or `blind`. */
  readonly effect: string | null;
  readonly summary: string | null;
  /** A decision names it. */
  readonly park: number;
  /** It is the step's undo that is parked. */
  readonly undo: boolean;
  /** Nobody can tell whether the effect happened. */
  readonly doubt: boolean;
  readonly attempts: number;
  readonly firstError: AttemptError | null;
  readonly lastError: AttemptError | null;
  readonly traceId: string | null;
  /** Empty once it is decided, or over. */
  readonly possible: readonly DecisionName[];
  /** `retry` may come with an `input`. */
  readonly correctable: boolean;
  /** The step's arguments: what is to be decided about. */
  readonly args?: unknown;
  /** Under which the provider knows the effect. */
  readonly effectKey?: string;
  /** The JSON Schema of the `output` that `resolve` takes. */
  readonly answer?: Readonly<Record<string, unknown>>;
  readonly waitingSince: string;
  /** Of a wait by design: when the declared default counts. */
  readonly until?: string;
  /** Until when an attempt that has not reported may still act. */
  readonly actingUntil?: string;
  /** What the ledger says of the step now; null where it never began. */
  readonly ledgerState: 'claimed' | 'done' | 'undoing' | 'undone' | 'kept' | null;
  readonly closedAt?: string;
  /** The one that stands, or the last that came to nothing. */
  readonly decision: DecisionView | null;
  /** Those that came to nothing before, the oldest first. */
  readonly refused: readonly DecisionView[];
  readonly links: {
    readonly self: string;
    readonly decisions: string;
    readonly job: string;
    readonly temporal?: string;
  };
}

/** What an operator decides. */
export interface DecisionRequest {
  readonly park: number;
  readonly decision: DecisionName;
  readonly reason: string;
  /** With `retry`: corrected arguments of the step. */
  readonly input?: unknown;
  /** With `resolve`: what the step answered. */
  readonly output?: unknown;
}
