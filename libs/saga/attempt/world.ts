/** What an attempt may touch, and who hosts it: the same code runs in a Temporal activity and in memory. */
import type { ChildJobs } from '../child-jobs.js';
import type { Certainty } from '../failure.js';
import type { AnyJobDefinition, Step } from '../define.js';
import type {
  CallContext,
  JobRef,
  ProbeOutcome,
  StepContext,
  UndoContext,
  UndoOutcome,
} from '../implement.js';
import type { Ledger } from '../ledger.js';
import type { EffectRef, HolderReady, Request } from '../protocol.js';

/** What one attempt did, for metrics, logs and the conformance suite's traces. */
export interface AttemptEvent extends EffectRef {
  readonly jobId: string;
  readonly kind: string;
  readonly role: Request['role'];
  /** Over all schedulings, from 1. */
  readonly attempt: number;
  /** `begin`, or how it ended: `done`, `noop`, `failed`, `deferred`, `cancelled`; `unreported` where the ledger was away. */
  readonly what: 'begin' | 'done' | 'noop' | 'failed' | 'deferred' | 'cancelled' | 'unreported';
  /** Of a failure. */
  readonly code?: string;
  readonly durationMs?: number;
}

/** Everything outside that attempts reach. */
export interface World {
  readonly ledger: Ledger;
  readonly children: ChildJobs;
  now(): number;
  /** 0 ≤ x < 1; seeded in tests. */
  random(): number;
  /** Calls `fire` once after `ms`; answers how to call it off. */
  timer(ms: number, fire: () => void): () => void;
  /** The job's input, decrypted and parsed. */
  loadInput(job: JobRef): Promise<unknown>;
  /** Gives drivers' errors their class (S12): a failure of the vocabulary, or the error as it was. */
  classify(error: unknown, whenUnknown: Certainty): unknown;
  observe(event: AttemptEvent): void;
}

/** What an attempt needs of an AbortSignal, to hear that it is to end. */
export interface StopSignal {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** The activity, or the in-memory loop, that an attempt runs in. */
export interface Host {
  /** Within this scheduling, from 1. */
  readonly attempt: number;
  /** Aborted when the saga cancels the attempt, or its process is to end. */
  readonly signal: StopSignal;
  /** Asked once `signal` is aborted. */
  isCancelled(): boolean;
  heartbeat(): void;
  ready(word: HolderReady): Promise<void>;
  /** Of the attempt's own signal. Default: a new AbortController. */
  openController?(): AbortController;
}

/** A kind with its implementation, as attempts need it: names were checked when it was bound. */
export interface Kind {
  readonly definition: AnyJobDefinition;
  readonly steps: Readonly<
    Record<string, (args: unknown, context: StepContext<unknown, Step>) => Promise<unknown>>
  >;
  readonly undos: Readonly<
    Record<string, (args: unknown, context: UndoContext<unknown>) => Promise<UndoOutcome>>
  >;
  readonly probes: Readonly<
    Record<string, (args: unknown, context: CallContext<unknown>) => Promise<ProbeOutcome<unknown>>>
  >;
}
