/** What a kind brings to a chaos run: jobs to ask for, and its own look at what became of them. One file a kind. */
import type { Client } from '../../../libs/client/client.js';
import type { DeadLetter } from '../../../libs/client/dead-letter.types.js';
import type { Job } from '../../../libs/client/job.types.js';
import type { Violation } from '../violation.js';
import type { StackUnderChaos } from '../stack.js';

/** Seeded randomness, as plans draw it. */
export interface Draw {
  between(least: number, most: number): number;
  /** A whole number, both ends included. */
  whole(least: number, most: number): number;
  chance(share: number): boolean;
  oneOf<T>(values: readonly T[]): T;
  weighted<T extends { readonly weight: number }>(values: readonly T[]): T;
}

/** How a kind's jobs are planned. Pure. */
export interface KindPlan {
  readonly kind: string;
  /** How many of the jobs are of this kind, beside the other kinds' weights. */
  readonly weight: number;
  /** The input of the kind's `number`th job, from 1: its natural key must differ from that of the others. */
  input(number: number, draw: Draw): unknown;
}

/** A job that was accepted, and how it ended. */
export interface EndedJob {
  readonly input: unknown;
  readonly tenant: string;
  readonly client: Client;
  readonly job: Job;
}

/** What a kind found. */
export interface Findings {
  readonly violations: readonly Violation[];
  /** What there was to look at, for the report: `190 files, 31 of them different and read`. */
  readonly facts: string;
}

export interface ChaosKind extends KindPlan {
  /** Kinds its jobs start by themselves: nobody asked for those. */
  readonly children?: readonly string[];
  /** What the stack has to be told before it starts. */
  environment?(home: string): NodeJS.ProcessEnv;
  /** What its jobs need beside the stack, before the first is asked for. */
  prepare?(stack: StackUnderChaos): Promise<void>;
  /** What a person answers where a job of this kind waits for one by design. */
  answer?(letter: DeadLetter): unknown;
  /** Looks at what only this kind knows: files, money. Read only. */
  audit(jobs: readonly EndedJob[], stack: StackUnderChaos): Promise<Findings>;
  close?(): Promise<void>;
}
