/** Failures of the artifact store, in the words of a saga. */
import { PartMissing, UploadAborted } from '../libs/artifacts/artifact-store.js';
import { storeFailureOf } from '../libs/artifacts/store-failure.js';
import { Denied, Rejected, Transient, type Certainty } from '../libs/saga/failure.js';

/** What is none of the store's comes back as it is. */
export function artifactFailure(error: unknown, whenUnknown: Certainty): unknown {
  if (error instanceof UploadAborted) return new Rejected('upload_closed', error.message, { cause: error });
  if (error instanceof PartMissing) return new Rejected('part_missing', error.message, { cause: error });
  const failure = storeFailureOf(error);
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
