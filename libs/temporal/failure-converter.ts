/**
 * Puts a failure's message and stack among its encoded attributes, so that the payload codec encrypts them too.
 * Loaded by path, also into the workflow bundle: it imports nothing but the SDK's common part.
 */
import { DefaultFailureConverter } from '@temporalio/common';

export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
