/** The SQL of a selection against a real PostgreSQL: it finds what it should, and nothing a client writes is run. */
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { csvPartSql } from '../../../libs/datasets/csv.sql.js';
import { COLUMN_TYPES, isOfType, sqlTypeOf } from '../../../libs/datasets/column-type.js';
import { parseDatasets, type Dataset } from '../../../libs/datasets/datasets.js';
import { describeSql, EVERY_KEY, fromSql, literal, orderSql } from '../../../libs/datasets/select.sql.js';
import type { Selection } from '../../../libs/datasets/selection.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';

const TENANT = { id: '0190b2f0-0000-7000-8000-000000000000', name: 'acme' };
const OTHER_TENANT = { id: '0190b2f0-0000-7000-8000-00000000000f', name: 'globex' };

let database: TestDatabase;
let connection: pg.Client;

const dataset = parseDatasets({
  datasets: {
    notes: {
      source: 'SOURCE_URL',
      tenants: ['*'],
      query: 'select id, body, weight, tenant from notes where tenant = :tenant and weight >= :least -- all',
      key: 'id',
      columns: { id: 'bigint', body: 'text', weight: 'integer' },
      filters: { id: ['eq', 'in'], body: ['eq', 'ne', 'in', 'isNull'], weight: ['gt', 'gte', 'lt', 'lte'] },
      orders: ['weight'],
      parameters: { least: { type: 'integer', default: 0 } },
    },
  },
}).find('notes', TENANT) as Dataset;

beforeAll(async () => {
  database = await createTestDatabase();
  connection = new pg.Client({ connectionString: database.url });
  await connection.connect();
  await connection.query('create table notes (id bigint primary key, body text, weight int, tenant uuid)');
  await connection.query(
    `insert into notes select i, case when i % 3 = 0 then null else 'note ' || i end, i % 10, $1 from generate_series(1, 30) i`,
    [TENANT.id],
  );
  await connection.query(`insert into notes values (1000, 'theirs', 5, $1)`, [OTHER_TENANT.id]);
});

afterAll(async () => {
  await connection.end();
  await database.close();
});

async function ids(selection: Partial<Selection>, tenant = TENANT, range = EVERY_KEY): Promise<number[]> {
  const full = { dataset: 'notes', ...selection };
  const { rows } = await connection.query<{ id: string }>(
    `select d.id ${fromSql(dataset, full, tenant, range)} ${orderSql(dataset, full)}`,
  );
  return rows.map((row) => Number(row.id));
}

const all = Array.from({ length: 30 }, (_, i) => i + 1);

test('shows a tenant its own rows only', async () => {
  expect(await ids({})).toEqual(all);
  expect(await ids({}, OTHER_TENANT)).toEqual([1000]);
});

test('filters by every operator', async () => {
  expect(await ids({ filter: { id: { in: [3, '5', 99] } } })).toEqual([3, 5]);
  expect(await ids({ filter: { body: { eq: 'note 1' } } })).toEqual([1]);
  expect(await ids({ filter: { body: { ne: 'note 1' } } })).toEqual(all.filter((i) => i !== 1));
  expect(await ids({ filter: { body: { isNull: true } } })).toEqual(all.filter((i) => i % 3 === 0));
  expect(await ids({ filter: { body: { isNull: false } } })).toEqual(all.filter((i) => i % 3 !== 0));
  expect(await ids({ filter: { weight: { gt: 3, lt: 6 } } })).toEqual(
    all.filter((i) => [4, 5].includes(i % 10)),
  );
  expect(await ids({ filter: { weight: { gte: 4, lte: 5 } } })).toEqual(
    all.filter((i) => [4, 5].includes(i % 10)),
  );
  expect(await ids({ parameters: { least: 9 } })).toEqual([9, 19, 29]);
});

test('orders by what was asked, ties by the key', async () => {
  const found = await ids({ order: { column: 'weight', direction: 'desc' } });
  expect(found.slice(0, 4)).toEqual([9, 19, 29, 8]);
  expect(await ids({ order: { column: 'id', direction: 'desc' } })).toEqual(all.toReversed());
});

test('takes keys from the lower bound up to, but not with, the upper one', async () => {
  expect(await ids({}, TENANT, { from: '3', to: '6' })).toEqual([3, 4, 5]);
  expect(await ids({}, TENANT, { from: undefined, to: '3' })).toEqual([1, 2]);
  expect(await ids({}, TENANT, { from: '29', to: undefined })).toEqual([29, 30]);
});

/** Strings that mean something to SQL, and pieces of them. */
const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "'",
        "''",
        '"',
        '\\',
        "\\'",
        '--',
        '/*',
        '*/',
        ';',
        '$$',
        '$x$',
        ':tenant',
        '::text',
        '%',
        '\n',
        '\u0027',
        '’',
      ),
      fc.constantFrom("'; drop table notes; --", "' or true --", "E'\\''", 'union select', "\\' or 1=1 --"),
      fc.string({ unit: 'grapheme' }),
    ),
    { maxLength: 6 },
  )
  .map((pieces) => pieces.join(''))
  .filter((text) => !text.includes('\0'));

test('hands any text to PostgreSQL as that text', async () => {
  await fc.assert(
    fc.asyncProperty(hostile, async (text) => {
      const { rows } = await connection.query<{ value: string }>(`select ${literal(text, 'text')} as value`);
      expect(rows).toEqual([{ value: text }]);
      // Equal to no row, so the filter finds none; anything that escapes its quotes would find some, or fail.
      expect(await ids({ filter: { body: { eq: `x${text}` } } })).toEqual([]);
      expect(await ids({ filter: { body: { in: [text, `x${text}`] } } })).toEqual([]);
    }),
    { numRuns: 300 },
  );
  expect(await ids({})).toEqual(all);
});

test('takes no value of a type that PostgreSQL refuses', async () => {
  const value = fc.oneof(
    hostile,
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.bigInt().map(String),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    fc
      .tuple(
        fc.integer({ min: 0, max: 9999 }),
        fc.integer({ min: 0, max: 13 }),
        fc.integer({ min: 0, max: 32 }),
      )
      .map(
        ([y, m, d]) =>
          `${String(y).padStart(4, '0')}-${String(m).padStart(2, '0')}-${String(d).padStart(2, '0')}`,
      ),
    fc.stringMatching(/^[0-2]\d:[0-6]\d(:[0-6]\d)?$/),
    fc.stringMatching(/^-?\d{1,20}(\.\d{1,20})?$/),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...COLUMN_TYPES), value, async (type, candidate) => {
      fc.pre(isOfType(type, candidate));
      const { rows } = await connection.query<{ type: string }>(
        `select pg_typeof(${literal(candidate, type)})::text as type`,
      );
      expect(rows[0]?.type.replace(/ without time zone$/, '')).toBe(
        type === 'timestamptz' ? 'timestamp with time zone' : sqlTypeOf(type),
      );
    }),
    { numRuns: 1_000 },
  );
});

test('refuses a column that is not the dataset’s, even past the acceptance', () => {
  const bad = 'id"; drop table notes; --';
  const refused = 'has no';
  expect(() => fromSql(dataset, { dataset: 'notes', filter: { [bad]: { eq: 1 } } }, TENANT)).toThrow(refused);
  expect(() => fromSql(dataset, { dataset: 'notes', filter: { tenant: { eq: 'x' } } }, TENANT)).toThrow(
    refused,
  );
  expect(() => fromSql(dataset, { dataset: 'notes', filter: { body: { gt: 'x' } } }, TENANT)).toThrow(
    refused,
  );
  expect(() => orderSql(dataset, { dataset: 'notes', order: { column: bad, direction: 'asc' } })).toThrow(
    refused,
  );
  expect(() => describeSql(dataset, { dataset: 'notes', columns: [bad] }, TENANT)).toThrow(refused);
  expect(() => fromSql(dataset, { dataset: 'notes', filter: { weight: { gte: [1, 2] } } }, TENANT)).toThrow(
    'one value',
  );
});

test('describes the file’s columns with the database’s own types', async () => {
  const { fields } = await connection.query(
    describeSql(dataset, { dataset: 'notes', columns: ['body', 'id'] }, TENANT),
  );
  expect(fields.map(({ name, dataTypeID }) => [name, dataTypeID])).toEqual([
    ['body', 25],
    ['id', 20],
  ]);
  const sql = csvPartSql(dataset, { dataset: 'notes' }, TENANT, {
    columns: fields,
    range: EVERY_KEY,
    header: true,
  });
  expect(sql).toContain('ascii(d."body"::text)');
  expect(sql).not.toContain('ascii(d."id"');
});
