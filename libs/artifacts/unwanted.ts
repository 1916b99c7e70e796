/** Of what lies in a store, what no job wants any more. */
import type { SweepOptions } from './artifact-store.js';
import { batchesOf } from './batches.js';

const ASK_BATCH_MAX = 500;

export async function unwantedOf(
  locations: readonly string[],
  isLive: SweepOptions['isLive'],
): Promise<string[]> {
  const unwanted: string[] = [];
  for (const batch of batchesOf(locations, ASK_BATCH_MAX)) {
    const live = await isLive(batch);
    unwanted.push(...batch.filter((location) => !live.has(location)));
  }
  return unwanted;
}
