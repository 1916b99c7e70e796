/**
 * The product's failure converter, without stacks: they name files of the machine that records. Loaded by path, also
 * into the workflow bundle.
 */
import { DefaultFailureConverter, type PayloadConverter, type ProtoFailure } from '@temporalio/common';

class StacklessFailureConverter extends DefaultFailureConverter {
  override errorToFailure(error: unknown, payloadConverter: PayloadConverter): ProtoFailure {
    for (let at = error; at instanceof Error; at = at.cause) at.stack = '';
    return super.errorToFailure(error, payloadConverter);
  }
}

export const failureConverter = new StacklessFailureConverter({ encodeCommonAttributes: true });
