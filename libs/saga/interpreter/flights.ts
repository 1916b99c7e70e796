/** What a saga has in the air: steps being driven, and whatever of them may be interrupted. */
import type { Block } from './block.js';
import type { Entry } from './journal.js';

/** Where in a saga something goes on. */
export interface Place {
  /** It is the saga's pivot that goes on. */
  readonly isPivot: boolean;
  isWithin(block: Block): boolean;
}

export type WaitKind = 'sleep' | 'nap' | 'undoNap';

interface Interruptible {
  readonly place: Place;
  /**
   * An attempt acts; a park waits for a person, and a question does by design; a sleep is its author's; a nap is that of
   * a step, or an undo, that was put off.
   */
  readonly kind: 'attempt' | 'park' | 'question' | WaitKind;
  readonly cancel: () => void;
}

export class Flights {
  private readonly steps = new Map<Promise<unknown>, Entry>();
  private readonly interruptibles = new Set<Interruptible>();

  get areAny(): boolean {
    return this.steps.size > 0;
  }

  /** Remembers a step until it has landed. Its failure belongs to whoever awaits it, and to the saga's fate. */
  track<R>(entry: Entry, driving: Promise<R>): Promise<R> {
    const forget = () => this.steps.delete(driving);
    this.steps.set(driving, entry);
    driving.then(forget, forget);
    return driving;
  }

  /** What `cancel` cuts short when the saga or the block of `place` ends; answers how to forget it, once it is over. */
  interruptible(place: Place, kind: Interruptible['kind'], cancel: () => void): () => void {
    const interruptible = { place, kind, cancel };
    this.interruptibles.add(interruptible);
    return () => this.interruptibles.delete(interruptible);
  }

  /**
   * The saga is doomed: waits are over; attempts end too when it was asked to end, else they are awaited (S3). Or it is
   * woken: naps are over.
   */
  interruptAll(kinds: readonly Interruptible['kind'][]): void {
    for (const { kind, cancel } of [...this.interruptibles]) if (kinds.includes(kind)) cancel();
  }

  /** A reason to end waits for the pivot: it is not to begin, and not to begin again; an attempt that has is deaf (S7). */
  interruptPivot(): void {
    for (const { place, cancel } of [...this.interruptibles]) if (place.isPivot) cancel();
  }

  /** The block's holder is lost: nothing it started can end well. `keepsPark`: what is parked stays so. */
  interruptBlock(block: Block, keepsPark: boolean): void {
    for (const { place, kind, cancel } of [...this.interruptibles])
      if (place.isWithin(block) && !(keepsPark && kind === 'park')) cancel();
  }

  /** Resolves when nothing (of the block) is in the air any more; never rejects. */
  async landed(block?: Block): Promise<void> {
    for (;;) {
      const open = [...this.steps].filter(([, entry]) => !block || entry.isWithin(block));
      if (open.length === 0) return;
      await Promise.allSettled(open.map(([driving]) => driving));
    }
  }
}
