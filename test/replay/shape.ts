/** What a shape of a history is: what happens to a job, and when it is recorded. */
import type { AnyJobDefinition } from '../../libs/saga/define.js';
import type { Decision } from '../../libs/saga/protocol.js';
import type { StepStatus } from '../../libs/saga/state.js';
import type { Scripts } from './faked-kind.js';

/** What a script can do to the job it works for. */
export interface Control {
  cancel(): Promise<void>;
  /** As a person does in the Temporal Web UI. */
  cancelNatively(): Promise<void>;
  /** The children that are open end, and wake their parent. */
  endChildren(): Promise<void>;
  /** Resolves when what was held around the park is known to be lost. */
  heldLost(): Promise<void>;
  /** What a person decides of a park; `value`: corrected args, or an output. */
  decide(park: number, decision: Decision, value?: unknown): Promise<void>;
}

/** What is done when a job has parked; `park` is the park's number. */
export type Answer = (control: Control, park: number) => Promise<void>;

/** A kind with short times, so that a shape need not be waited for. */
export interface Copy {
  readonly definition: AnyJobDefinition;
  /** As recorded.workflows.ts exports it; the history says the kind's own. */
  readonly workflow: string;
}

export interface Shape {
  /** The name of its file. */
  readonly name: string;
  /** What happens, for the index. */
  readonly what: string;
  /** How it ends; `OPEN`: it is recorded at its moment, `PARKED`: while it waits for a person. */
  readonly ends: 'SUCCEEDED' | 'FAILED' | 'CANCELLED' | 'OPEN' | 'PARKED';
  /** Where the job is when an `OPEN` one is recorded, or `whenThere` is done. */
  readonly moment?: { readonly step: string; readonly status: StepStatus };
  readonly whenThere?: (control: Control) => Promise<void>;
  /** Children stay open until they are ended or cancelled; else they end at once. */
  readonly hasOpenChildren?: true;
  /** Where it is not the kind's example. */
  readonly input?: object;
  /** From the start; the kind's own where it is left out. */
  readonly deadlineMs?: number;
  readonly scripts?: (control: Control) => Scripts;
  /** What is done of its parks, in their order; nothing of one that ends by itself. */
  readonly whenParked?: readonly Answer[];
  /** Of a job that goes on in new runs, the first of them; the last where it is left out. */
  readonly run?: 'first';
  /** Recorded in the kind's place. */
  readonly copy?: Copy;
}
