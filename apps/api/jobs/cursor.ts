/** Page cursors: opaque to clients, the last item's id to us. */
import { validate as isUuid } from 'uuid';
import { Problem } from '../problems/problem.js';

/** What a cursor is of, so that one list's is refused by another. */
export const JOB_CURSOR = 'j1:';
export const DEAD_LETTER_CURSOR = 'd1:';
export const ENDPOINT_CURSOR = 'w1:';
type Prefix = typeof JOB_CURSOR | typeof DEAD_LETTER_CURSOR | typeof ENDPOINT_CURSOR;

export function toCursor(lastId: string, prefix: Prefix = JOB_CURSOR): string {
  return Buffer.from(prefix + lastId).toString('base64url');
}

/** The id a cursor stands for. Throws Problem `validation_failed` for what we never gave out. */
export function readCursor(cursor: string, prefix: Prefix = JOB_CURSOR): string {
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  const id = text.slice(prefix.length);
  if (text.startsWith(prefix) && isUuid(id) && toCursor(id, prefix) === cursor) return id;
  throw new Problem('validation_failed', 'The cursor is not one of ours.', {
    errors: [{ pointer: '/cursor', detail: 'take the next page’s URL from the Link header as it is' }],
  });
}
