/** From a cause to the terminal record (S9). */
import type { Cause, EndError } from '../protocol.js';

/** What the record, the API and the Temporal Web UI say about an end that is not success. */
export function errorOf(cause: Cause): EndError {
  switch (cause.kind) {
    case 'failed': {
      const { failure } = cause;
      return {
        code: failure.code,
        title: failure.step === undefined ? 'The job failed' : `Step ${failure.step} failed`,
        detail: failure.message,
        ...(failure.step === undefined ? {} : { step: failure.step }),
        ...(failure.item === undefined ? {} : { item: failure.item }),
        failureClass: failure.class,
      };
    }
    case 'cancelled':
      return {
        code: 'cancelled',
        title: 'Cancelled on request',
        detail: cause.reason ?? 'Cancelled before it was done.',
        failureClass: 'cancelled',
      };
    case 'deadline':
      return {
        code: 'deadline_exceeded',
        title: 'The deadline passed',
        detail: 'The job was not done by its deadline, and what it had done was taken back.',
        failureClass: 'deadline',
      };
  }
}
