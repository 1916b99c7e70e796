/** What is known from outside after a run: plain facts, from which the audit judges. */
import type { Job } from '../../libs/client/job.types.js';
import type { Asked } from './submitting.js';

export interface JobRow {
  readonly id: string;
  /** Its name. */
  readonly tenant: string;
  readonly kind: string;
  readonly status: string;
  readonly phase: string;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly cancelRequestedAt: Date | null;
}

export interface EffectRow {
  readonly jobId: string;
  readonly step: string;
  readonly item: number;
  readonly generation: number;
  readonly stepKind: string;
  readonly effect: string;
  readonly state: 'claimed' | 'done' | 'undoing' | 'undone' | 'kept';
  /** The latest report of an attempt was that it failed. */
  readonly failed: boolean;
  /** Nobody knows whether it happened. */
  readonly doubt: boolean;
  /** Until then an attempt may act that has not reported. */
  readonly leaseUntil: Date | null;
  readonly attempt: number;
  readonly undoAttempt: number;
}

export interface DeadLetterRow {
  readonly id: string;
  readonly jobId: string;
  readonly park: number;
  readonly step: string;
  readonly item: number | null;
  readonly undo: boolean;
  readonly doubt: boolean;
  readonly attempts: number;
  readonly lastError: unknown;
}

export interface OutboxRow {
  readonly jobId: string;
  readonly message: string;
  readonly attempts: number;
  readonly lastError: string | null;
}

/** One execution in the engine; a job has one, under its own id. */
export interface WorkflowRun {
  readonly workflowId: string;
  readonly runId: string;
  readonly status:
    'running' | 'completed' | 'failed' | 'canceled' | 'terminated' | 'timed out' | 'continued' | 'other';
}

/** An end somebody saw while the run went on. */
export interface SeenEnd {
  readonly jobId: string;
  readonly status: string;
  readonly endedAt: string;
}

export interface StoreContents {
  readonly uploads: readonly string[];
  readonly published: readonly string[];
  readonly trash: readonly string[];
}

export interface Evidence {
  readonly asked: readonly Asked[];
  /** Kinds whose jobs other jobs start. */
  readonly children: readonly string[];
  readonly jobs: readonly JobRow[];
  /** As the API shows them, by id. */
  readonly shown: ReadonlyMap<string, Job>;
  readonly seenEnds: readonly SeenEnd[];
  readonly effects: readonly EffectRow[];
  /** Unsent. */
  readonly outbox: readonly OutboxRow[];
  /** Open. */
  readonly deadLetters: readonly DeadLetterRow[];
  readonly locks: readonly { readonly jobId: string; readonly name: string }[];
  readonly artifacts: readonly { readonly jobId: string; readonly location: string }[];
  readonly workflows: readonly WorkflowRun[];
  readonly store: StoreContents;
}
