/** A group: one step for many items, a bounded number at a time (S3). */
import type { SagaRun } from './saga-run.js';
import { callStep } from './step.js';

/**
 * What one saga's history can carry: an item and its undo make a dozen events, and at 51,200 the server ends a run
 * without undoing anything. More is for child sagas or for pages.
 */
export const FOR_EACH_ITEMS_MAX = 2_000;

/** Registers the items in index order as they start; after the first failure starts no more and awaits the rest. */
export async function forEachItem(
  run: SagaRun,
  step: string,
  count: number,
  args: (item: number) => unknown,
  options: { readonly concurrency: number },
): Promise<unknown[]> {
  if (!Number.isInteger(count) || count < 0 || count > FOR_EACH_ITEMS_MAX) {
    throw run.misuse(`forEach("${step}") takes 0 to ${FOR_EACH_ITEMS_MAX} items, not ${count}`);
  }
  if (!Number.isInteger(options.concurrency) || options.concurrency < 1) {
    throw run.misuse(`forEach("${step}") wants a concurrency of at least 1, not ${options.concurrency}`);
  }
  const outputs: unknown[] = new Array(count);
  const failures: unknown[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count && failures.length === 0) {
      const item = next++;
      try {
        outputs[item] = await callStep(run, step, args(item), { item, of: count });
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.concurrency, count) }, lane));
  if (failures.length > 0) throw failures[0];
  return outputs;
}
