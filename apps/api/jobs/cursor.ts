/** Pages of a list, and their cursors: opaque to clients, the last item's id to us. */
import type { FastifyReply } from 'fastify';
import { validate as isUuid } from 'uuid';
import { Problem } from '../problems/problem.js';

/** What a cursor is of, so that one list's is refused by another. */
export const JOB_CURSOR = 'j1:';
export const DEAD_LETTER_CURSOR = 'd1:';
export const ENDPOINT_CURSOR = 'w1:';
export const SCHEDULE_CURSOR = 'c1:';
export const TEMPLATE_CURSOR = 't1:';
export const LIST_CURSOR = 'r1:';
export const SUPPRESSION_CURSOR = 's1:';
type Prefix =
  | typeof JOB_CURSOR
  | typeof DEAD_LETTER_CURSOR
  | typeof ENDPOINT_CURSOR
  | typeof TEMPLATE_CURSOR
  | typeof LIST_CURSOR
  | typeof SUPPRESSION_CURSOR
  | typeof SCHEDULE_CURSOR;

function toCursor(lastId: string, prefix: Prefix = JOB_CURSOR): string {
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

/** Where a page was asked for. */
export interface PageQuery {
  /** The list's address, without a query. */
  readonly url: string;
  readonly query: Readonly<Record<string, string | number | undefined>>;
  readonly limit: number;
}

/** The page of what was read, which is one more than `limit` where a page follows: that one's address is in the `Link` header. */
export function pageOf<T extends { readonly id: string }>(
  reply: FastifyReply,
  found: readonly T[],
  { url, query, limit }: PageQuery,
  prefix: Prefix = JOB_CURSOR,
): T[] {
  const page = found.slice(0, limit);
  const last = page.at(-1);
  if (found.length > limit && last) {
    const next = new URLSearchParams();
    for (const [name, value] of Object.entries({ ...query, cursor: toCursor(last.id, prefix) }))
      if (value !== undefined) next.set(name, String(value));
    reply.header('link', `<${url}?${next.toString()}>; rel="next"`);
  }
  return page;
}
