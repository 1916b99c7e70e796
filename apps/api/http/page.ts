/** Lists are answered a page at a time. A page's cursor is opaque to clients, the last item's id to us. */
import type { FastifyReply } from 'fastify';
import { validate as isUuid } from 'uuid';
import { Problem } from '../problems/problem.js';
import { LIMIT_DEFAULT, type PageParameters } from './page.schema.js';

/** How cursors begin, by whose ids they hold, so that one list's is refused by another. */
const PREFIXES = {
  jobs: 'j1:',
  deadLetters: 'd1:',
  endpoints: 'w1:',
  schedules: 'c1:',
  templates: 't1:',
  recipientLists: 'r1:',
  uploads: 'u1:',
  suppressions: 's1:',
} as const;
type Listed = keyof typeof PREFIXES;

type Query = Readonly<Record<string, string | number | undefined>>;

/** Where a page begins, and how many items to read: one more than it shows, which tells whether another page follows. */
export interface Place {
  /** The id of the last item of the page before. */
  readonly before: string | undefined;
  readonly limit: number;
}

/** A list of which a page was asked for. */
export interface List<T> {
  /** Its address, without a query. */
  readonly url: string;
  readonly query: PageParameters & Query;
  /** Whose ids its cursors hold. */
  readonly of: Listed;
  readonly read: (place: Place) => Promise<readonly T[]>;
}

/**
 * Reads the page that was asked for; the address of the next is in the `Link` header. Throws Problem `validation_failed`
 * for a cursor that we never gave out, before anything is read.
 */
export async function readPage<T extends { readonly id: string }>(
  reply: FastifyReply,
  list: List<T>,
): Promise<T[]> {
  return readPageBy(({ id }) => id, reply, list);
}

/** As {@link readPage}, of items that their list knows by another id than `id`. */
export async function readPageBy<T>(
  idOf: (item: T) => string,
  reply: FastifyReply,
  { url, query, of, read }: List<T>,
): Promise<T[]> {
  const { cursor, limit = LIMIT_DEFAULT } = query;
  const before = cursor === undefined ? undefined : readCursor(cursor, of);
  const found = await read({ before, limit: limit + 1 });
  const page = found.slice(0, limit);
  const last = page.at(-1);
  if (found.length > limit && last) linkNext(reply, url, { ...query, cursor: toCursor(idOf(last), of) });
  reply.header('cache-control', 'no-store');
  return page;
}

/** Says where the next page is. */
export function linkNext(reply: FastifyReply, url: string, query: Query): void {
  const next = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) next.set(name, String(value));
  reply.header('link', `<${url}?${next.toString()}>; rel="next"`);
}

function toCursor(lastId: string, of: Listed): string {
  return Buffer.from(PREFIXES[of] + lastId).toString('base64url');
}

function readCursor(cursor: string, of: Listed): string {
  const prefix = PREFIXES[of];
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  const id = text.slice(prefix.length);
  if (text.startsWith(prefix) && isUuid(id) && toCursor(id, of) === cursor) return id;
  throw new Problem('validation_failed', 'The cursor is not one of ours.', {
    errors: [{ pointer: '/cursor', detail: 'take the next page’s URL from the Link header as it is' }],
  });
}
