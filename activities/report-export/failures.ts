/** Failures of sources and store, in the words of a saga. */
import { ParquetRefusal } from '../../libs/datasets/parquet/refusal.js';
import { SheetTooLarge } from '../../libs/datasets/xlsx.stream.js';
import { SnapshotGone, SourceBusy } from '../../libs/datasets/sources.js';
import { Deferred, HoldLost, Rejected, type Certainty } from '../../libs/saga/failure.js';
import { toStepFailure } from '../../libs/store/postgres-failure.js';
import { artifactFailure } from '../store.failures.js';

const SOURCE_BUSY_DEFER_MS = 1_000;

/** An error while reading a source: whatever became of the connection, nothing was changed there. */
export function sourceFailure(error: unknown): unknown {
  // A part knows at once what the engine learns from the keeper's missed heartbeats.
  if (error instanceof SnapshotGone) return new HoldLost(error.message, { cause: error });
  // Others are before it, which is no failure of its own: waiting costs no attempt.
  if (error instanceof SourceBusy) return new Deferred(SOURCE_BUSY_DEFER_MS, error.message);
  return toStepFailure(error, 'Reading the dataset', 'no');
}

/** An error of the artifact store, or of what a format makes on the way there. */
export function storeFailure(error: unknown, whenUnknown: Certainty): unknown {
  if (error instanceof SheetTooLarge) return new Rejected('file_too_large', error.message, { cause: error });
  if (error instanceof ParquetRefusal)
    return new Rejected('value_has_no_place', error.message, { cause: error });
  return artifactFailure(error, whenUnknown);
}
