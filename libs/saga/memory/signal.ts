/** How attempts in memory are called off: an `EventTarget` for each would be a twentieth of the explorer's time. */
import type { StopSignal } from '../attempt/world.js';

export class MemorySignal implements StopSignal {
  aborted = false;
  private readonly listeners = new Set<() => void>();

  addEventListener(_type: 'abort', listener: () => void): void {
    this.listeners.add(listener);
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.listeners.delete(listener);
  }

  /** Tells each listener, once. */
  abort(): void {
    if (this.aborted) return;
    this.aborted = true;
    for (const listener of this.listeners) listener();
    this.listeners.clear();
  }
}

/** An AbortController as far as fakes look at it, which only ask or listen whether they are to end. */
export class MemoryController {
  readonly signal = new MemorySignal();

  abort(): void {
    this.signal.abort();
  }
}
