/** Failures of sources and store, in the words of a saga. */
import { PartMissing, UploadAborted } from '../../libs/artifacts/artifact-store.js';
import { SnapshotGone } from '../../libs/datasets/sources.js';
import { Denied, Rejected, Transient, type Certainty } from '../../libs/saga/failure.js';
import { codeOf, toStepFailure } from '../../libs/store/postgres-failure.js';

/** Long enough that the loss of the holder, known after one missed heartbeat, comes before the attempts run out. */
const SNAPSHOT_RETRY_MS = 1_500;
const BUSY_STORE = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EMFILE', 'ENFILE', 'EBUSY', 'ESTALE', 'ETIMEDOUT']);
const CLOSED_STORE = new Set(['EACCES', 'EPERM', 'EROFS']);

/** An error while reading a source: whatever became of the connection, nothing was changed there. */
export function sourceFailure(error: unknown): unknown {
  if (!(error instanceof SnapshotGone)) return toStepFailure(error, 'Reading the dataset', 'no');
  return new Transient('snapshot_lost', error.message, {
    certainty: 'no',
    retryAfterMs: SNAPSHOT_RETRY_MS,
    cause: error,
  });
}

/** An error of the artifact store. */
export function storeFailure(error: unknown, whenUnknown: Certainty): unknown {
  if (error instanceof UploadAborted) return new Rejected('upload_closed', error.message, { cause: error });
  if (error instanceof PartMissing) return new Rejected('part_missing', error.message, { cause: error });
  const code = codeOf(error) ?? '';
  const message = `The artifact store answered ${code}`;
  if (BUSY_STORE.has(code))
    return new Transient('store_busy', message, { certainty: whenUnknown, cause: error });
  if (CLOSED_STORE.has(code)) return new Denied('store_denied', message, { cause: error });
  return error;
}
