/**
 * What the interpreter needs of the world. Two runtimes implement it: Temporal's, inside the workflow sandbox, and
 * the in-memory one. It is all that differs between them, so the conformance suite can hold them to one trace.
 */
import type { AnyStep } from './define.js';
import type {
  DeadLetter,
  Request,
  RulingAnswer,
  RulingRequest,
  SagaEnd,
  Settled,
  Unparking,
} from './protocol.js';
import type { SagaState } from './state.js';

/** A request together with what its scheduling needs to know. */
export interface Call {
  readonly request: Request;
  readonly step: AnyStep;
  /** Its activity: the step's, the undo's or the probe's name; undefined for a pivot settled by the ledger alone. */
  readonly activity: string | undefined;
  /** For people: `render 3/12`. */
  readonly summary: string;
}

/** A scheduled series of attempts. */
export interface Running {
  /** Never rejects. */
  readonly settled: Promise<Settled>;
  /** Of a holder: what it announced. Never rejects; may stay pending for ever. */
  readonly ready: Promise<unknown>;
  /** Asks the attempt in flight to end; `settled` still waits until it has. A second call does nothing. */
  cancel(): void;
}

/** A timer. `elapsed` resolves when time is up, or at once when it is cancelled. */
export interface Timer {
  readonly elapsed: Promise<void>;
  cancel(): void;
}

export interface Runtime {
  /** Milliseconds since 1970, deterministic. */
  now(): number;
  /** 0 ≤ x < 1, deterministic. */
  random(): number;
  /** A wait that nothing cuts short. */
  sleep(ms: number): Promise<void>;
  timer(ms: number): Timer;
  /** Whether this run goes the way of a change to its definition; one answer a change. */
  patched(change: string): boolean;
  start(call: Call): Running;
  /** Stores a park's context; retried until it is stored. */
  park(letter: DeadLetter): Promise<void>;
  /** Stores that a park is over; retried until it is stored. */
  unpark(unparking: Unparking): Promise<void>;
  /** Has the ledger make of an effect what was decided; retried until it answers. */
  rule(request: RulingRequest): Promise<RulingAnswer>;
  /** Writes the terminal record, guarded; retried until it is written. */
  finish(end: SagaEnd): Promise<void>;
  /** The state changed; for those who show it. */
  changed(state: SagaState): void;
}
