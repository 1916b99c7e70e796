/** Whether a dataset can be read yet, as its operator's own query says. */
import type { Dataset } from '../../libs/datasets/datasets.js';
import type { Source } from '../../libs/datasets/sources.js';
import { Deferred } from '../../libs/saga/failure.js';
import type { StepProgress } from '../../libs/saga/implement.js';
import { sourceFailure } from './failures.js';

const NOT_READY_DEFER_MS = 1_000;

/** A dataset that is still being loaded is waited for before the snapshot: in an earlier one it would stay empty. */
export async function refuseUnready(
  { dataset, source }: { readonly dataset: Dataset; readonly source: Source },
  context: { progress(progress: StepProgress): void },
): Promise<void> {
  if (dataset.readiness === undefined) return;
  const [state] = await source
    .ask<{ ready: boolean; message: string | null }>(dataset.readiness)
    .catch((error: unknown) => {
      throw sourceFailure(error);
    });
  if (state?.ready) return;
  const message = state?.message ?? `The dataset ${dataset.name} is not ready yet.`;
  context.progress({ message });
  throw new Deferred(NOT_READY_DEFER_MS, message);
}
