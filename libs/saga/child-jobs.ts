/**
 * Child jobs, as attempts use them. PostgreSQL keeps them in production (libs/store/child-jobs.store.ts), memory in eager
 * tests. They belong to the effect of the step that started them: that step alone waits for them, and cancels them.
 */
import type { ChildEnd } from './children.js';
import type { AnyJobDefinition, Children } from './define.js';
import type { JobRef, Transaction } from './implement.js';
import type { EffectRef } from './protocol.js';

/** How deep children may have children. A kind that starts itself would never end. */
export const CHILD_DEPTH_MAX = 8;
/** A wake-up tells of the end; whoever waits looks by itself as well, but seldom: each look is a page of history. */
export const CHILDREN_LOOK_MS = 300_000;

/** Whose children. */
export interface ChildrenRef extends EffectRef {
  readonly job: JobRef;
}

export interface ChildrenLook {
  /** Not ended yet. */
  readonly open: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  /** Of a step with one child: how it ended. */
  readonly end?: ChildEnd;
}

export interface ChildJobs {
  /**
   * Accepts a job of the kind for each input, in the step's transaction: they start once it is committed. Throws
   * `Rejected` (`children_too_deep`) past {@link CHILD_DEPTH_MAX}, and where an input does not fit the kind.
   */
  start(
    tx: Transaction,
    parent: ChildrenRef,
    of: AnyJobDefinition,
    inputs: readonly unknown[],
  ): Promise<void>;
  /** Inside a transaction where one is given. */
  look(parent: ChildrenRef, children: Children, tx?: Transaction): Promise<ChildrenLook>;
  /** Asks for the cancellation of those still open; repeats change nothing. */
  cancel(parent: ChildrenRef, reason: string): Promise<void>;
}

/** What the step answers once none is open. */
export function outputOf({ open: _none, end, ...counts }: ChildrenLook, { many }: Children): unknown {
  const { succeeded, failed, cancelled } = counts;
  return many ? { total: succeeded + failed + cancelled, ...counts } : end;
}
