/** What a reader of the file gets: every value as it was, but for text that a spreadsheet would run. */
import fc from 'fast-check';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { csvPartSql } from '../../../libs/datasets/csv.sql.js';
import { parseDatasets, type Dataset } from '../../../libs/datasets/datasets.js';
import { describeSql, EVERY_KEY } from '../../../libs/datasets/select.sql.js';
import { CopyOut } from '../../../libs/store/copy-out.stream.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { parseCsv } from '../../support/csv.js';

const TENANT = { id: '00000000-0000-7000-8000-000000000001', name: 'acme' };

let database: TestDatabase;
let connection: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  connection = new pg.Client({ connectionString: database.url });
  await connection.connect();
  await connection.query(`
    create type mood as enum ('fine', '=bad', '+worse');
    create table texts (id int primary key, body text, also varchar);
    create table odd (id int primary key, mood mood, tags text[], doc jsonb, raw bytea, amount numeric, ratio float8,
      born date, at timestamptz, pad char(5));
    set timezone = 'UTC'`);
});
afterAll(async () => {
  await connection.end();
  await database.close();
});

const datasetOf = (table: string, columns: Record<string, string>): Dataset =>
  parseDatasets({
    datasets: {
      [table]: { source: 'S', tenants: ['*'], query: `select * from ${table}`, key: 'id', columns },
    },
  }).find(table, TENANT) as Dataset;

async function exported(dataset: Dataset, header = false): Promise<{ text: string; rows: number }> {
  const selection = { dataset: dataset.name };
  const { fields } = await connection.query(describeSql(dataset, selection, TENANT));
  const copy = connection.query(
    new CopyOut(csvPartSql(dataset, selection, TENANT, { columns: fields, range: EVERY_KEY, header })),
  );
  const chunks: Buffer[] = [];
  for await (const chunk of copy) chunks.push(chunk as Buffer);
  return { text: Buffer.concat(chunks).toString(), rows: copy.rows };
}

const RUN_BY_SPREADSHEETS = /^[=+\-@\t\n\r＝＋－＠]/u;
const guarded = (value: string | null): string | null =>
  value !== null && RUN_BY_SPREADSHEETS.test(value) ? `'${value}` : value;

const oddText = fc.option(
  fc
    .array(
      fc.oneof(
        fc.constantFrom(
          '=',
          '+',
          '-',
          '@',
          '\t',
          '\r',
          '\n',
          '\r\n',
          '"',
          '""',
          ',',
          ';',
          "'",
          '\\',
          '\\.',
          '\\N',
          ' ',
        ),
        fc.constantFrom('＝', '＋', '－', '＠', '\u{1F600}', '👩‍👩‍👧', 'é', '\u0301', '\u202e', '\ufeff', 'NULL'),
        fc.string({ unit: 'binary', maxLength: 4 }),
      ),
      { maxLength: 5 },
    )
    .map((pieces) => pieces.join('').replaceAll('\0', '').toWellFormed()),
  { nil: null },
);

test('text round-trips: quotes, line ends, emoji, NULL apart from empty; formulas are defused', async () => {
  const dataset = datasetOf('texts', { id: 'integer', body: 'text', also: 'text' });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(oddText, oddText), { maxLength: 20 }), async (rows) => {
      await connection.query('truncate texts');
      await connection.query('insert into texts select * from unnest($1::int[], $2::text[], $3::text[])', [
        rows.map((_, i) => i),
        rows.map(([body]) => body),
        rows.map(([, also]) => also),
      ]);
      const file = await exported(dataset);
      const expected = rows.map(([body, also], i) => [String(i), guarded(body), guarded(also)]);
      expect(file.rows).toBe(rows.length);
      expect(parseCsv(file.text)).toEqual(expected);

      // PostgreSQL itself reads it back the same.
      await connection.query('truncate texts');
      await pipeline(
        Readable.from([file.text]),
        connection.query(copyFrom('copy texts from stdin with (format csv)')),
      );
      const { rows: back } = await connection.query<(string | null)[]>({
        text: 'select id::text, body, also from texts order by id',
        rowMode: 'array',
      });
      expect(back).toEqual(expected);
    }),
    { numRuns: 150 },
  );
});

test('numbers and dates are never guarded; types that hold text are', async () => {
  await connection.query('truncate odd');
  await connection.query(`insert into odd values
    (1, 'fine', '{a,"=b"}', '{"k": "=v"}', '\\x00ff', -1.50, '-Infinity', '2026-01-02', '2026-01-02 03:04:05.678+02', 'ab'),
    (2, '=bad', null, '"=x"', null, 1e30, 'NaN', '0044-03-15 BC', 'infinity', '-x'),
    (3, '+worse', '{}', '-5', '', ${'9'.repeat(100)}, 1e-300, null, null, null)`);
  const dataset = datasetOf('odd', {
    id: 'integer',
    mood: 'text',
    tags: 'text',
    doc: 'text',
    raw: 'text',
    amount: 'numeric',
    ratio: 'double',
    born: 'date',
    at: 'timestamptz',
    pad: 'text',
  });
  const { text, rows } = await exported(dataset, true);
  expect(rows).toBe(3);
  expect(parseCsv(text)).toEqual([
    ['id', 'mood', 'tags', 'doc', 'raw', 'amount', 'ratio', 'born', 'at', 'pad'],
    [
      '1',
      'fine',
      '{a,=b}',
      '{"k": "=v"}',
      '\\x00ff',
      '-1.50',
      '-Infinity',
      '2026-01-02',
      '2026-01-02 01:04:05.678+00',
      'ab',
    ],
    ['2', "'=bad", null, '"=x"', null, '1' + '0'.repeat(30), 'NaN', '0044-03-15 BC', 'infinity', "'-x"],
    ['3', "'+worse", '{}', '-5', '\\x', '9'.repeat(100), '1e-300', null, null, null],
  ]);
});
