/**
 * The usual export in Node: a cursor, rows as objects, turned to CSV in JavaScript. Run by the bench `export` as a
 * process of its own; prints its milliseconds, from the query to the flushed file, without the start of Node.
 */
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { stringify } from 'csv-stringify';
import pg from 'pg';
import QueryStream from 'pg-query-stream';

const ROWS_A_FETCH = 1_000;
const SECONDS_END = '2001-01-01T00:00:00'.length;

const { BENCH_URL: connectionString, BENCH_SQL: sql, BENCH_FILE: file } = process.env;
if (!connectionString || !sql || !file) throw new Error('expected BENCH_URL, BENCH_SQL and BENCH_FILE');

const connection = new pg.Client({ connectionString });
await connection.connect();
const startedAt = performance.now();
const rows = connection.query(new QueryStream(sql, [], { batchSize: ROWS_A_FETCH }));
await pipeline(
  rows,
  stringify({ header: true, quoted_empty: true, cast: { date: toPostgresText } }),
  createWriteStream(file, { flush: true }),
);
process.stdout.write(String(performance.now() - startedAt));
await connection.end();

/** The driver makes a Date of a timestamp; the flights have whole seconds. */
function toPostgresText(date: Date): string {
  return date.toISOString().slice(0, SECONDS_END).replace('T', ' ');
}
