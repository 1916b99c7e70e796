/** Child jobs for the explorer: those of one step end together, and what their step answers is the schedule's subject's. */
import { type ChildrenLook, type ChildrenRef, type ChildJobs } from '../child-jobs.js';
import type { ChildCounts, ChildEnd } from '../children.js';
import type { AnyJobDefinition, Children } from '../define.js';
import type { Transaction } from '../implement.js';
import type { VirtualClock } from '../memory/clock.js';
import type { EffectRef } from '../protocol.js';
import type { Choices } from './choices.js';
import type { FakeOutput } from './fake-kind.js';
import * as F from './faults.js';
import { factNameOf } from './truth.js';

export interface FakeChildrenOptions {
  readonly clock: VirtualClock;
  readonly choices: Choices;
  readonly outputs: Readonly<Record<string, FakeOutput>>;
  readonly interfere: (where: () => string) => void;
  readonly onEnded: () => void;
}

const WORK_MS = 10;
const NONE = { succeeded: 0, failed: 0, cancelled: 0 };

export class FakeChildren implements ChildJobs {
  /** By the effects whose children they are. */
  private readonly open = new Set<string>();
  /** Effects whose children were open when the end was recorded. */
  orphaned: readonly string[] = [];

  constructor(private readonly around: FakeChildrenOptions) {}

  async start(
    tx: Transaction,
    parent: ChildrenRef,
    _of: AnyJobDefinition,
    _inputs: readonly unknown[],
  ): Promise<void> {
    await tx.query('start', [parent]);
  }

  /** The transaction that starts them is committed. */
  begin(ref: EffectRef): void {
    this.open.add(factNameOf(ref));
    this.endSoon(ref);
  }

  /** The end of the job whose children they are is recorded. */
  parentEnds(): void {
    this.orphaned = [...this.open];
  }

  async look(parent: ChildrenRef, { many }: Children): Promise<ChildrenLook> {
    this.mayFail(parent, 'the look at');
    const { step, item, generation } = parent;
    const open = this.open.has(factNameOf(parent)) ? 1 : 0;
    const answer = this.around.outputs[step]?.(undefined, { item, generation });
    if (!many) return { ...NONE, open, end: answer as ChildEnd };
    const { succeeded, failed, cancelled } = (answer ?? NONE) as Omit<ChildCounts, 'total'>;
    return { open, succeeded, failed, cancelled };
  }

  async cancel(parent: ChildrenRef): Promise<void> {
    this.mayFail(parent, 'the cancellation of');
    this.endSoon(parent);
  }

  private endSoon(ref: EffectRef): void {
    this.around.clock.timer(WORK_MS, () => {
      if (!this.open.delete(factNameOf(ref))) return;
      this.around.interfere(() => `the children of ${factNameOf(ref)} have ended`);
      this.around.onEnded();
    });
  }

  private mayFail(ref: EffectRef, what: string): void {
    const where = (): string => `${what} the children of ${factNameOf(ref)}`;
    if (this.around.choices.choose(where, F.REPORT_FAULTS) === F.AWAY) throw new Error('The ledger is away');
  }
}
