/** A query that gives up: a frozen server, or a connection cut without a word, must not hold up a request for ever. */
import type pg from 'pg';
import type { Database } from './database.js';

/** Runs a query; rejects with "Query read timeout" when no answer came within `timeoutMs`, and drops the connection. */
export function queryWithin<R extends pg.QueryResultRow>(
  database: Database,
  timeoutMs: number,
  query: { readonly name?: string; readonly text: string; readonly values?: unknown[] },
): Promise<pg.QueryResult<R>> {
  // The driver reads this field of a single query, too; its type declarations know it on the client only.
  const timed: pg.QueryConfig & { query_timeout: number } = { ...query, query_timeout: timeoutMs };
  return database.query<R>(timed);
}
