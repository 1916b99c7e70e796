/** A group: one step for many items, a bounded number at a time (S3). */
import type { Failure } from '../failure.js';
import type { SagaRun } from './saga-run.js';
import { callStep } from './step.js';

/**
 * What the state of a job may tell of, item by item, and what its next run may read back. More is for child sagas or
 * for pages.
 */
export const FOR_EACH_ITEMS_MAX = 10_000;
/**
 * What one run's history can carry, since no saga goes on in a new run while a holder holds: an item and its undo make
 * a dozen events, and at 51,200 the server ends a run without undoing anything.
 */
export const FOR_EACH_ITEMS_HELD_MAX = 2_000;
/** Together, of a group of more than one history carries: every later run reads them back. Of JSON. */
export const FOR_EACH_OUTPUTS_LENGTH_MAX = 8 * 1024 * 1024;

/** Registers the items in index order as they start; after the first failure starts no more and awaits the rest. */
export async function forEachItem(
  run: SagaRun,
  step: string,
  count: number,
  args: (item: number) => unknown,
  options: { readonly concurrency: number },
): Promise<unknown[]> {
  const itemsMax = run.block ? FOR_EACH_ITEMS_HELD_MAX : FOR_EACH_ITEMS_MAX;
  if (!Number.isInteger(count) || count < 0 || count > itemsMax) {
    const where = run.block ? ' inside `holding`' : '';
    throw run.misuse(`forEach("${step}")${where} takes 0 to ${itemsMax} items, not ${count}`);
  }
  if (!Number.isInteger(options.concurrency) || options.concurrency < 1) {
    throw run.misuse(`forEach("${step}") wants a concurrency of at least 1, not ${options.concurrency}`);
  }
  const outputs: unknown[] = new Array(count);
  const failures: unknown[] = [];
  let next = 0;
  let length = 0;
  const lane = async (): Promise<void> => {
    while (next < count && failures.length === 0) {
      const item = next++;
      try {
        outputs[item] = await callStep(run, step, args(item), { item, of: count });
        if (count > FOR_EACH_ITEMS_HELD_MAX) length += JSON.stringify(outputs[item])?.length ?? 0;
        if (length > FOR_EACH_OUTPUTS_LENGTH_MAX) run.fate.fail(tooMuch(step));
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.concurrency, count) }, lane));
  if (failures.length > 0) throw failures[0];
  return outputs;
}

/** Past the commit point it is too late to say so. */
function tooMuch(step: string): Failure {
  return {
    class: 'rejected',
    certainty: 'no',
    code: 'outputs_too_large',
    message: `The outputs of forEach("${step}") are over ${FOR_EACH_OUTPUTS_LENGTH_MAX} characters together; store them and return less.`,
    step,
  };
}
