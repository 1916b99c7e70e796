/** Formats from end to end: asked for over HTTP, made by the stack's own processes, fetched by the signed URL. */
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { openDuckDb } from '../../support/duckdb.js';
import { newHome, removeHome, sha256, startTestStack, type TestStack } from '../../support/stack.js';

/** More than one part's. */
const ROWS = 600_000;
const LOAD_AND_EXPORT_MS = 150_000;
const OUTPUT_BYTES_MAX = 1 << 30;

let home: string;
let stack: TestStack;

beforeAll(async () => {
  home = await newHome();
  stack = await startTestStack(home, {}, 'shared');
}, 120_000);
afterAll(async () => {
  await stack.stop();
  await removeHome(home);
}, 60_000);

async function submit(input: object): Promise<Response> {
  return stack.call('/jobs', { method: 'POST', body: JSON.stringify({ kind: 'report.export', input }) });
}

/** What the database says of the same rows. */
async function factsOf(rows: number): Promise<unknown> {
  const connection = new pg.Client({ connectionString: inject('datasets').readerUrl });
  await connection.connect();
  try {
    const { rows: facts } = await connection.query(
      `select count(*)::int as rows, sum(distance)::float8 as distance, sum(delay)::float8 as delay,
         count(distinct origin)::int as origins, max(to_json(date)::text)::json as last from flights where flight_id <= $1`,
      [rows],
    );
    return facts[0];
  } finally {
    await connection.end();
  }
}

interface Flight {
  readonly flight_id: number;
  readonly date: string;
  readonly delay: number | null;
  readonly distance: number | null;
  readonly origin: string;
}

test(
  'NDJSON in gzip is what the database has, announced as what it is',
  async () => {
    const id = await stack.submitExport({
      dataset: 'flights',
      version: 1,
      format: 'ndjson',
      compression: 'gzip',
      filter: { flight_id: { lte: ROWS } },
    });
    expect(await stack.ended(id, LOAD_AND_EXPORT_MS)).toMatchObject({ status: 'SUCCEEDED', error: null });

    const result = await stack.result(id);
    expect(result).toMatchObject({
      rows: ROWS,
      bytes: result.file.length,
      sha256: sha256(result.file),
      filename: 'flights-1.ndjson.gz',
      contentType: 'application/gzip',
    });
    const { headers } = await stack.call(`/jobs/${id}/result`);
    expect(headers.get('content-type')).toBe('application/gzip');
    expect(headers.get('content-disposition')).toContain('filename="flights-1.ndjson.gz"');
    // Whoever takes an encoding off would have other bytes than the digest's.
    expect(headers.get('content-encoding')).toBeNull();

    const text = execFileSync('gunzip', ['-c'], {
      input: result.file,
      maxBuffer: OUTPUT_BYTES_MAX,
    }).toString();
    const flights = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Flight);
    expect(flights.every(({ flight_id }, index) => flight_id === index + 1)).toBe(true);
    const sum = (of: (flight: Flight) => number | null): number =>
      flights.reduce((all, one) => all + (of(one) ?? 0), 0);
    expect({
      rows: flights.length,
      distance: sum(({ distance }) => distance),
      delay: sum(({ delay }) => delay),
      origins: new Set(flights.map(({ origin }) => origin)).size,
      last: flights.reduce((last, { date }) => (date > last ? date : last), ''),
    }).toEqual(await factsOf(ROWS));
  },
  LOAD_AND_EXPORT_MS,
);

test(
  'Parquet is what the database has, to a reader that is none of ours',
  async () => {
    const filter = { flight_id: { lte: ROWS } };
    const id = await stack.submitExport({ dataset: 'flights', version: 1, format: 'parquet', filter });
    expect(await stack.ended(id, LOAD_AND_EXPORT_MS)).toMatchObject({ status: 'SUCCEEDED', error: null });
    const result = await stack.result(id);
    expect(result).toMatchObject({
      rows: ROWS,
      bytes: result.file.length,
      sha256: sha256(result.file),
      filename: 'flights-1.parquet',
      contentType: 'application/vnd.apache.parquet',
    });
    const path = join(home, 'flights.parquet');
    await writeFile(path, result.file);
    const duckdb = await openDuckDb();
    try {
      const [found] = await duckdb.ask(
        `select count(*), sum(distance)::double, sum(delay)::double, count(distinct origin),
           strftime(max("date"), '%Y-%m-%dT%H:%M:%S') from '${path}'`,
      );
      const [rows, distance, delay, origins, last] = found ?? [];
      expect({
        rows: Number(rows),
        distance: Number(distance),
        delay: Number(delay),
        origins: Number(origins),
        last,
      }).toEqual(await factsOf(ROWS));
    } finally {
      await duckdb.close();
    }
  },
  LOAD_AND_EXPORT_MS,
);

test('a format or compression that is none is refused, and told', async () => {
  const refused = await submit({ dataset: 'flights', version: 1, format: 'pdf', compression: 'rar' });
  expect(refused.status).toBe(422);
  expect(await refused.json()).toMatchObject({
    code: 'validation_failed',
    errors: [{ pointer: '/input/format' }, { pointer: '/input/compression' }],
  });
  const packed = await submit({ dataset: 'flights', version: 1, format: 'xlsx', compression: 'gzip' });
  expect(packed.status).toBe(422);
  expect(await packed.json()).toMatchObject({ errors: [{ pointer: '/input/compression' }] });
  const document = (await (await stack.call('/openapi.json')).json()) as object;
  const text = JSON.stringify(document);
  for (const told of [
    '"enum":["csv","ndjson","xlsx","parquet"]',
    '"enum":["gzip","zstd"]',
    '"application/x-ndjson"',
    '"application/zstd"',
  ])
    expect(text).toContain(told);
});
