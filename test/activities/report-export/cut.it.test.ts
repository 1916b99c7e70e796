/** However the keys lie, the parts hold every row once, in order, and none is much larger than asked for. */
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { countKeys, cutAtAGlance, cutParts, uniformBounds } from '../../../activities/report-export/cut.js';
import { COLUMN_TYPES, type ColumnType } from '../../../libs/datasets/column-type.js';
import { parseDatasets, type Dataset } from '../../../libs/datasets/datasets.js';
import { fromSql, orderSql } from '../../../libs/datasets/select.sql.js';
import type { Source } from '../../../libs/datasets/sources.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';

const TENANT = { id: '00000000-0000-7000-8000-000000000001', name: 'acme' };
const ROWS_PER_PART = 10;

let database: TestDatabase;
let connection: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  connection = new pg.Client({ connectionString: database.url });
  await connection.connect();
});
afterAll(async () => {
  await connection.end();
  await database.close();
});

function datasetOf(keyType: ColumnType): Dataset {
  const entry = {
    source: 'SOURCE_URL',
    tenants: ['*'],
    query: 'select key from keys',
    key: 'key',
    columns: { key: keyType },
  };
  return parseDatasets({ datasets: { keys: entry } }).find('keys', TENANT) as Dataset;
}

/** The rows of each part, as text, when the table holds these keys. */
async function partsOf(keyType: ColumnType, sqlType: string, keys: readonly string[]): Promise<string[][]> {
  const dataset = datasetOf(keyType);
  await connection.query('drop table if exists keys');
  await connection.query(`create table keys (key ${sqlType})`);
  await connection.query(`insert into keys select unnest($1::text[])::${sqlType}`, [keys]);
  const selection = { dataset: 'keys', version: 1, format: 'csv' as const };
  const exported = { dataset, tenant: TENANT, source: undefined as unknown as Source };
  const counted = await countKeys(connection, exported, selection);
  expect(counted.rows).toBe(keys.length);
  const parts: string[][] = [];
  for (const range of await cutParts(connection, exported, selection, counted, ROWS_PER_PART)) {
    const { rows } = await connection.query<{ key: string }>(
      `select key::text ${fromSql(dataset, selection, TENANT, range)} ${orderSql(dataset, selection)}`,
    );
    parts.push(rows.map(({ key }) => key));
  }
  const { rows } = await connection.query<{ key: string }>('select key::text from keys order by keys.key');
  expect(parts.flat()).toEqual(rows.map(({ key }) => key));
  return parts;
}

const distinct = (arbitrary: fc.Arbitrary<string>) => fc.uniqueArray(arbitrary, { maxLength: 120 });

test('whole numbers, dense or with gaps, negative or huge', async () => {
  const dense = fc
    .tuple(fc.integer({ min: -1000, max: 1000 }), fc.nat(150))
    .map(([first, count]) => Array.from({ length: count }, (_, i) => String(first + i)));
  const scattered = distinct(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String));
  const clustered = fc
    .tuple(dense, scattered)
    .map(([near, far]) => [...new Set([...near, ...far.slice(0, 5)])]);
  await fc.assert(
    fc.asyncProperty(fc.oneof(dense, scattered, clustered), async (keys) => {
      const parts = await partsOf('bigint', 'bigint', keys);
      for (const part of parts) expect(part.length).toBeLessThanOrEqual(2 * ROWS_PER_PART);
      expect(parts.length).toBeLessThanOrEqual(Math.max(1, Math.ceil(keys.length / ROWS_PER_PART)));
    }),
    { numRuns: 60 },
  );
});

test('texts, times, decimals and identifiers', async () => {
  const text = fc.string({ unit: 'grapheme' }).filter((key) => !key.includes('\0'));
  const kinds: [ColumnType, string, fc.Arbitrary<string>][] = [
    ['text', 'text', text],
    ['uuid', 'uuid', fc.uuid()],
    [
      'timestamptz',
      'timestamptz',
      fc
        .date({ noInvalidDate: true, min: new Date('0001-01-02'), max: new Date('9999-12-30') })
        .map((date) => date.toISOString()),
    ],
    [
      'numeric',
      'numeric',
      fc.tuple(fc.bigInt(), fc.nat()).map(([whole, decimals]) => `${whole}.${decimals}`),
    ],
    ['double', 'double precision', fc.double({ noNaN: true, noDefaultInfinity: true }).map(String)],
  ];
  for (const [keyType, sqlType, key] of kinds) {
    expect(COLUMN_TYPES).toContain(keyType);
    await fc.assert(
      fc.asyncProperty(distinct(key), async (keys) => {
        const parts = await partsOf(keyType, sqlType, keys);
        // Keys that differ as text may be equal to PostgreSQL, e.g. 1.0 and 1.00.
        if (keyType === 'text' || keyType === 'uuid')
          for (const part of parts) expect(part.length).toBeLessThanOrEqual(ROWS_PER_PART);
      }),
      { numRuns: 15 },
    );
  }
});

test('a key that repeats loses no row', async () => {
  const parts = await partsOf(
    'integer',
    'integer',
    Array.from({ length: 100 }, (_, i) => String(i % 3)),
  );
  expect(parts.flat()).toHaveLength(100);
});

describe('at a glance', () => {
  const selection = { dataset: 'keys', version: 1, format: 'csv' as const };
  const COUNT = 30_000;
  const PART = 1_000;

  /** What the glance says of a table that was filled so, and the rows of each part. */
  async function glance(
    fill: string,
    options: { type?: 'bigint' | 'text'; index?: boolean; format?: 'csv' | 'xlsx'; later?: string } = {},
  ): Promise<number[] | undefined> {
    const { type = 'bigint', index = true, format = 'csv', later = 'select' } = options;
    const dataset = datasetOf(type);
    const exported = { dataset, tenant: TENANT, source: undefined as unknown as Source };
    const wanted = { ...selection, format };
    await connection.query(`drop table if exists keys; create table keys (key ${type}); ${fill}`);
    if (index) await connection.query('create index on keys (key)');
    await connection.query('analyze keys');
    await connection.query(later);
    await connection.query('begin isolation level repeatable read, read only');
    const ranges = await cutAtAGlance(connection, exported, wanted, PART);
    // The transaction is fit for use, and without the glance's time limit.
    const { rows } = await connection.query<{ statement_timeout: string }>('show statement_timeout');
    expect(rows).toEqual([{ statement_timeout: '0' }]);
    const parts: string[][] = [];
    for (const range of ranges ?? []) {
      const part = await connection.query<{ key: string }>(
        `select key::text ${fromSql(dataset, wanted, TENANT, range)} ${orderSql(dataset, wanted)}`,
      );
      parts.push(part.rows.map(({ key }) => key));
    }
    const all = await connection.query<{ key: string }>('select key::text from keys order by keys.key');
    await connection.query('commit');
    if (ranges) expect(parts.flat()).toEqual(all.rows.map(({ key }) => key));
    return ranges && parts.map(({ length }) => length);
  }

  const dense = `insert into keys select generate_series(1, ${COUNT})`;

  test('cuts many whole numbers that lie densely, without counting them', async () => {
    const parts = await glance(dense);
    expect(parts).toHaveLength(COUNT / PART);
    expect(Math.max(...(parts ?? []))).toBe(PART);
  });

  test.each([
    ['far more', `insert into keys select generate_series(${COUNT + 1}, ${2 * COUNT - 1})`],
    ['far fewer', 'delete from keys where key % 500 > 0'],
    ['in one corner only', `delete from keys where key between 3000 and ${COUNT - 10}`],
  ])('makes no part too large where there are %s than the planner thinks', async (_, later) => {
    const parts = await glance(dense, { later });
    expect(Math.max(...(parts ?? [Infinity]))).toBeLessThanOrEqual(2 * PART);
  });

  test.each([
    ['few rows', 'insert into keys select generate_series(1, 1500)', {}],
    ['no row', dense, { later: 'delete from keys' }],
    ['keys far apart', `insert into keys select i * 3 from generate_series(1, ${COUNT}) i`, {}],
    ['a row without a key', `${dense}; insert into keys values (null)`, {}],
    ['no index', dense, { index: false }],
    ['texts', dense, { type: 'text' }],
    ['a format that has a limit', dense, { format: 'xlsx' }],
  ] as const)('leaves %s to counting', async (_, fill, options) => {
    expect(await glance(fill, options)).toBeUndefined();
  });
});

test('uniform bounds stay within the whole range of 64 bits', () => {
  const counted = { rows: 100, keys: 100, lowest: '9223372036854775700', highest: '9223372036854775807' };
  expect(uniformBounds(counted, 50)).toEqual(['9223372036854775754']);
  expect(uniformBounds({ ...counted, lowest: '-9223372036854775808' }, 50)).toBeUndefined();
});
