/** Failures of sources and store, in the words of a saga. */
import { PartMissing, StoreFailure, UploadAborted } from '../../libs/artifacts/artifact-store.js';
import { ParquetRefusal } from '../../libs/datasets/parquet/refusal.js';
import { SheetTooLarge } from '../../libs/datasets/xlsx.stream.js';
import { SnapshotGone, SourceBusy } from '../../libs/datasets/sources.js';
import { Deferred, Denied, HoldLost, Rejected, Transient, type Certainty } from '../../libs/saga/failure.js';
import { codeOf, toStepFailure } from '../../libs/store/postgres-failure.js';

const BUSY_STORE = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EMFILE', 'ENFILE', 'EBUSY', 'ESTALE', 'ETIMEDOUT']);
const SOURCE_BUSY_DEFER_MS = 1_000;
const CLOSED_STORE = new Set(['EACCES', 'EPERM', 'EROFS']);

/** An error while reading a source: whatever became of the connection, nothing was changed there. */
export function sourceFailure(error: unknown): unknown {
  // A part knows at once what the engine learns from the keeper's missed heartbeats.
  if (error instanceof SnapshotGone) return new HoldLost(error.message, { cause: error });
  // Others are before it, which is no failure of its own: waiting costs no attempt.
  if (error instanceof SourceBusy) return new Deferred(SOURCE_BUSY_DEFER_MS, error.message);
  return toStepFailure(error, 'Reading the dataset', 'no');
}

/** An error of the artifact store. */
export function storeFailure(error: unknown, whenUnknown: Certainty): unknown {
  if (error instanceof UploadAborted) return new Rejected('upload_closed', error.message, { cause: error });
  if (error instanceof PartMissing) return new Rejected('part_missing', error.message, { cause: error });
  if (error instanceof SheetTooLarge) return new Rejected('file_too_large', error.message, { cause: error });
  if (error instanceof ParquetRefusal)
    return new Rejected('value_has_no_place', error.message, { cause: error });
  const failure = error instanceof StoreFailure ? error : fileSystemFailure(error);
  if (!failure) return error;
  const { message } = failure;
  switch (failure.verdict) {
    case 'busy':
      return new Transient('store_busy', message, { certainty: whenUnknown, cause: error });
    case 'denied':
      return new Denied('store_denied', message, { cause: error });
    case 'refused':
      return new Rejected('store_refused', message, { cause: error });
  }
}

/** What the system's calls answer, as a store that is a server would say it. */
function fileSystemFailure(error: unknown): StoreFailure | undefined {
  const code = codeOf(error) ?? '';
  if (BUSY_STORE.has(code)) return new StoreFailure('busy', code);
  return CLOSED_STORE.has(code) ? new StoreFailure('denied', code) : undefined;
}
