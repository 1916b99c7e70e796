/** The API's representations as a client sees them (docs/api.md). Types only. */

export type JobStatus = 'PENDING' | 'STARTED' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';
export type JobPhase = 'queued' | 'forward' | 'compensating' | 'parked' | 'done';
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

export interface StepView {
  readonly name: string;
  readonly item?: number | null;
  readonly kind: string;
  readonly status: StepStatus;
  readonly attempt: number;
  readonly nextAttemptAt?: string | null;
  readonly startedAt?: string | null;
  readonly finishedAt?: string | null;
  readonly lastError?: { readonly code?: string; readonly message?: string } | null;
}

export interface Progress {
  /** 0 to 100; it never falls, and is 100 only at the end. */
  readonly percent: number;
  readonly message?: string | null;
  readonly done?: number | null;
  readonly total?: number | null;
  readonly unit?: string | null;
  readonly bytes?: number | null;
  readonly ratePerSecond?: number | null;
  readonly etaSeconds?: number | null;
}

export interface JobError {
  readonly code: string;
  readonly title?: string;
  readonly detail?: string | null;
  readonly step?: string | null;
  readonly failureClass?: string | null;
}

/** The jobs that a job started. */
export interface Children {
  readonly total: number;
  readonly open: number;
  /** Of those open: they wait for a person. */
  readonly parked: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  /** The first few. */
  readonly parkedJobs: readonly {
    readonly id: string;
    readonly kind: string;
    readonly key: string | null;
    readonly step: string;
    readonly links: { readonly self: string };
  }[];
}

export interface Job<Result = unknown> {
  /** A UUIDv7; also the id of the job's workflow. */
  readonly id: string;
  readonly kind: string;
  readonly key: string | null;
  readonly status: JobStatus;
  readonly phase: JobPhase;
  /** Rises with every change of what is shown; the `ETag` and the id of SSE events. */
  readonly revision: number;
  readonly progress: Progress;
  readonly steps: readonly StepView[];
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  readonly deadlineAt: string;
  /** It starts then, not before. */
  readonly delayUntil: string | null;
  /** True when the engine did not answer and this is the last known state, as of `asOf`. */
  readonly stale: boolean;
  readonly asOf: string;
  readonly attemptOf: string | null;
  /** The job that tells of the end, where that was asked for; there once this one has ended. */
  readonly callback: string | null;
  /** The schedule that this is a run of, and for when. */
  readonly schedule: string | null;
  readonly scheduledAt: string | null;
  /** The job that started this one as a step of its own. */
  readonly parent: string | null;
  /** The jobs that this one started, where it did. */
  readonly children?: Children;
  readonly compensated: 'none' | 'all' | 'partial' | null;
  readonly skipped: readonly unknown[];
  readonly leftovers: readonly Leftover[];
  readonly result: Result | null;
  readonly error: JobError | null;
  readonly links: {
    readonly self: string;
    readonly events: string;
    readonly result: string;
    readonly cancel: string;
    readonly children?: string;
    readonly callback?: string;
    readonly temporal?: string | null;
  };
  /** True when a submission found the job already there. */
  readonly duplicate?: boolean;
}

/** Where an artifact can be fetched, and what must arrive. */
export interface ArtifactLink {
  readonly url: string;
  readonly expiresAt: string;
  readonly bytes: number;
  /** Lower-case hex over the bytes served. */
  readonly sha256: string;
  readonly contentType: string;
  readonly filename: string;
  readonly rows?: number | null;
}

export interface KindSummary {
  readonly kind: string;
  readonly summary?: string;
  readonly [field: string]: unknown;
}

/** A kind as `GET /kinds/{kind}` describes it. */
export interface KindDescription extends KindSummary {
  readonly summary: string;
  readonly deadline: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly example: unknown;
  readonly steps: readonly KindStep[];
  /** A Mermaid flowchart. */
  readonly diagram: string;
}

export interface KindStep {
  readonly name: string;
  readonly kind: string;
  readonly summary: string | null;
  readonly effect: string;
  readonly taskQueue: string;
  readonly timeoutSeconds: number;
  readonly undo: string | null;
  readonly probe: string | null;
  /** What happens when it fails, for people. */
  readonly onFailure: readonly { readonly when: string; readonly then: string }[];
  readonly [field: string]: unknown;
}

/** An effect that stayed although the job ended otherwise. */
export interface Leftover {
  readonly step: string;
  readonly item?: number;
  /** Nothing touches it any more, and a successor of the job would not do it again. */
  readonly fenced?: boolean;
  /** What cannot be taken back any more, in a line; absent where a person gave it up. */
  readonly kept?: string;
}

/** What would be undone by a cancel now. */
export interface CancelPreview {
  readonly possible: boolean;
  readonly reason?: string | null;
  /** The pivot has begun: a cancel is honoured if it proves not done. `parked`: only a person can tell. */
  readonly waitsFor?: { readonly step: string; readonly parked: boolean };
  readonly wouldUndo: readonly { readonly step: string; readonly item?: number; readonly undo: string }[];
}

/** Whether a job has ended, in whatever way. */
export function isTerminal(job: { readonly status: JobStatus }): boolean {
  return job.status === 'SUCCEEDED' || job.status === 'FAILED' || job.status === 'CANCELLED';
}

export function isArtifactLink(value: unknown): value is ArtifactLink {
  if (typeof value !== 'object' || value === null) return false;
  const link = value as Partial<Record<keyof ArtifactLink, unknown>>;
  return typeof link.url === 'string' && typeof link.sha256 === 'string' && typeof link.bytes === 'number';
}
