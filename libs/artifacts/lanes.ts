/** Work side by side, so many at a time: whoever brings more waits, which is what keeps memory flat. */

export interface Lanes {
  /** Resolves once the work has begun; throws what earlier work failed with. */
  start(work: () => Promise<void>): Promise<void>;
  /** Waits for all that was begun, and throws the first failure. */
  finish(): Promise<void>;
}

/** `onFailure` hears of the first failure as it happens, e.g. to stop what feeds the lanes. */
export function createLanes(atOnceMax: number, onFailure?: (error: unknown) => void): Lanes {
  const running = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  const rethrow = (): void => {
    if (failure) throw failure.error;
  };
  return {
    async start(work) {
      while (running.size >= atOnceMax) await Promise.race(running);
      rethrow();
      const run = work()
        .catch((error: unknown) => {
          if (failure) return;
          failure = { error };
          onFailure?.(error);
        })
        .finally(() => running.delete(run));
      running.add(run);
    },
    async finish() {
      await Promise.all(running);
      rethrow();
    },
  };
}
