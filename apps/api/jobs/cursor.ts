/** Page cursors: opaque to clients, the last job's id to us. */
import { validate as isUuid } from 'uuid';
import { Problem } from '../problems/problem.js';

const PREFIX = 'j1:';

export function toCursor(lastId: string): string {
  return Buffer.from(PREFIX + lastId).toString('base64url');
}

/** The id a cursor stands for. Throws Problem `validation_failed` for what we never gave out. */
export function readCursor(cursor: string): string {
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  const id = text.slice(PREFIX.length);
  if (text.startsWith(PREFIX) && isUuid(id) && toCursor(id) === cursor) return id;
  throw new Problem('validation_failed', 'The cursor is not one of ours.', {
    errors: [{ pointer: '/cursor', detail: 'take the next page’s URL from the Link header as it is' }],
  });
}
