/** Work on many items, a bounded number at a time. */

/**
 * Calls `work` for each item in order, `concurrencyMax` at a time, while `goOn()`; resolves when those begun have
 * ended. `work` must not throw: what failed is a result. Items never begun are absent from the answer.
 */
export async function mapBounded<T, R>(
  items: readonly T[],
  concurrencyMax: number,
  work: (item: T) => Promise<R>,
  goOn: () => boolean = () => true,
): Promise<Map<T, R>> {
  const results = new Map<T, R>();
  const queue = items.values();
  const lane = async (): Promise<void> => {
    for (const item of queue) {
      if (!goOn()) return;
      results.set(item, await work(item));
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrencyMax, items.length) }, lane));
  return results;
}
