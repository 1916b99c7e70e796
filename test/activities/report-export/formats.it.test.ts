/** Awkward values through every format and compression, against what PostgreSQL itself says about the same rows. */
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import pg from 'pg';
import { readSheet } from 'read-excel-file/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compressed, COMPRESSIONS } from '../../../libs/datasets/compressions.js';
import { parseDatasets, type Dataset } from '../../../libs/datasets/datasets.js';
import { FORMATS } from '../../../libs/datasets/formats.js';
import { describeSql, EVERY_KEY } from '../../../libs/datasets/select.sql.js';
import { openSources, type Sources } from '../../../libs/datasets/sources.js';
import { CopyOut } from '../../../libs/store/copy-out.stream.js';
import { parseCsv } from '../../support/csv.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';

const SEED = 20_260_101;
const RUNS = 40;
const TENANT = { id: '00000000-0000-7000-8000-000000000001', name: 'acme' };

const oneOf = (...values: string[]) => fc.constantFrom(...values);
const digits = (max: number) => fc.stringMatching(new RegExp(`^[1-9][0-9]{0,${max - 1}}$`));
const signed = (value: fc.Arbitrary<string>) => fc.tuple(oneOf('', '-'), value).map((two) => two.join(''));

const text = fc
  .array(
    fc.oneof(
      oneOf('=', '+', '-', '@', '\t', '\r', '\n', '\r\n', '"', '""', ',', ';', "'", '\\', '\\.', '\\N', ' '),
      oneOf(
        '＝',
        '＋',
        '－',
        '＠',
        '\u{1F600}',
        '👩‍👩‍👧',
        'é',
        '\u0301',
        '\u202e',
        '\u2028',
        '\ufeff',
        'NULL',
        'null',
      ),
      oneOf('\x01', '\x02', '\x7f', '{', '}', '=1+1', '@SUM(A1)', '\\u0041', '</script>', '_x0041_'),
      fc.string({ unit: 'binary', maxLength: 4 }),
    ),
    { maxLength: 5 },
  )
  .map((pieces) => pieces.join('').replaceAll('\0', '').toWellFormed());
const day = fc
  .date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
  .map((date) => date.toISOString());
/** As somebody may have written it: over several lines, with escapes. */
const json = fc
  .tuple(fc.jsonValue({ maxDepth: 2, stringUnit: 'grapheme' }), fc.constantFrom(undefined, 1, '\t', '\r\n'))
  .map(([value, indent]) => JSON.stringify({ 'k"\n': value, k: '\u2028=1' }, null, indent));
const arrayOf = (elements: readonly string[]): string =>
  `{${elements.map((element) => `"${element.replace(/["\\]/g, '\\$&')}"`).join(',')}}`;

/** What a column is, what may be in it (as text), and whether a spreadsheet's formula may be in it. */
const COLUMNS = {
  body: { type: 'text', values: text, guarded: true },
  also: { type: 'varchar', values: text, guarded: true },
  mood: { type: 'mood', values: oneOf('fine', '=bad', '+worse'), guarded: true },
  flag: { type: 'bool', values: oneOf('t', 'f') },
  small: { type: 'int2', values: oneOf('-32768', '0', '32767') },
  big: {
    type: 'int8',
    values: oneOf(
      '-9223372036854775808',
      '999999999999999',
      '-1000000000000000',
      '9007199254740993',
      '9223372036854775807',
    ),
  },
  amount: {
    type: 'numeric',
    values: fc.oneof(
      oneOf(
        'NaN',
        'Infinity',
        '-Infinity',
        '0.000',
        '-1.50',
        '1e30',
        '-1234.56789012345',
        '0.1234567890123456',
      ),
      signed(digits(100)),
      fc.tuple(signed(digits(100)), digits(50)).map(([whole, part]) => `${whole}.${part}`),
    ),
  },
  ratio: {
    type: 'float8',
    values: fc.oneof(
      oneOf('NaN', 'Infinity', '-Infinity', '-0', '5e-324', '0.1'),
      fc.double({ noNaN: true }).map(String),
    ),
  },
  raw: {
    type: 'bytea',
    values: fc.uint8Array({ maxLength: 8 }).map((bytes) => `\\x${Buffer.from(bytes).toString('hex')}`),
  },
  born: { type: 'date', values: fc.oneof(oneOf('infinity', '-infinity', '0044-03-15 BC'), day) },
  local: { type: 'timestamp', values: fc.oneof(oneOf('infinity', '-infinity', '0044-03-15 12:00 BC'), day) },
  at: {
    type: 'timestamptz',
    values: fc.oneof(
      oneOf('infinity', '-infinity', '2026-01-02 03:04:05.678901+05:45', '2026-07-01 00:00 Europe/Berlin'),
      day,
    ),
  },
  clock: { type: 'time', values: oneOf('00:00', '23:59:59.999999', '24:00') },
  span: {
    type: 'interval',
    values: oneOf('-1 day', '1 year -2 mons 3 days 04:05:06.7', '00:00', '-00:00:00.5'),
  },
  uid: { type: 'uuid', values: fc.uuid() },
  doc: { type: 'json', values: json },
  tree: { type: 'jsonb', values: json },
  ints: { type: 'int4[]', values: oneOf('{}', '{1,NULL,-3}', '{{1,2},{3,4}}') },
  words: { type: 'text[]', values: fc.array(text, { maxLength: 3 }).map(arrayOf) },
  docs: { type: 'json[]', values: fc.array(json, { maxLength: 2 }).map(arrayOf) },
  pair: {
    type: 'pair',
    values: json.map((one) => `(=1,"${one.replaceAll('\\', '\\\\').replaceAll('"', '""')}")`),
  },
} satisfies Record<string, { type: string; values: fc.Arbitrary<string>; guarded?: boolean }>;

const NAMES = Object.keys(COLUMNS) as (keyof typeof COLUMNS)[];
type Row = Record<keyof typeof COLUMNS, string | null>;

const row = fc.record(
  Object.fromEntries(NAMES.map((name) => [name, fc.option(COLUMNS[name].values, { nil: null, freq: 6 })])),
) as fc.Arbitrary<Row>;

let database: TestDatabase;
let owner: pg.Client;
let sources: Sources;
let dataset: Dataset;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = new pg.Client({ connectionString: database.url });
  await owner.connect();
  const columns = NAMES.map((name) => `${name} ${COLUMNS[name].type}`).join(', ');
  // A source whose defaults are as far from ours as can be.
  await owner.query(`
    do $$ declare db text := current_database(); begin
      execute format('alter database %I set datestyle = ''German''', db);
      execute format('alter database %I set timezone = ''Asia/Kathmandu''', db);
      execute format('alter database %I set bytea_output = ''escape''', db);
      execute format('alter database %I set intervalstyle = ''postgres_verbose''', db);
      execute format('alter database %I set extra_float_digits = -10', db);
    end $$;
    create type mood as enum ('fine', '=bad', '+worse');
    create type pair as (word text, doc json);
    create table awkward (id int primary key, ${columns})`);
  const datasets = parseDatasets({
    datasets: {
      awkward: {
        source: 'SOURCE_URL',
        tenants: ['*'],
        query: 'select * from awkward',
        key: 'id',
        // What a dataset declares is for filters; how a value is written goes by what the database says it is.
        columns: { id: 'integer', ...Object.fromEntries(NAMES.map((name) => [name, 'text'])) },
      },
    },
  });
  dataset = datasets.find('awkward', TENANT) as Dataset;
  sources = openSources(datasets, { SOURCE_URL: database.url });
});
afterAll(async () => {
  await sources.close();
  await owner.end();
  await database.close();
});

async function store(rows: readonly Row[]): Promise<void> {
  const arrays = NAMES.map((_, index) => `$${index + 2}::text[]`).join(', ');
  const casts = NAMES.map((name) => `given.${name}::${COLUMNS[name].type}`).join(', ');
  await owner.query('truncate awkward');
  await owner.query(
    `insert into awkward select given.id, ${casts} from unnest($1::int[], ${arrays}) given (id, ${NAMES.join(', ')})`,
    [rows.map((_, id) => id), ...NAMES.map((name) => rows.map((one) => one[name]))],
  );
}

/** Runs `work` as a part does: in another session's snapshot, with a part's settings. */
async function asPart<R>(work: (connection: pg.ClientBase) => Promise<R>): Promise<R> {
  await owner.query('begin isolation level repeatable read, read only');
  try {
    const { rows } = await owner.query<{ snapshot: string }>('select pg_export_snapshot() as snapshot');
    return await sources.of('SOURCE_URL').inSnapshot(rows[0]?.snapshot ?? '', work);
  } finally {
    await owner.query('commit');
  }
}

async function bytesOf(
  connection: pg.ClientBase,
  format: keyof typeof FORMATS,
  compression?: keyof typeof COMPRESSIONS,
): Promise<Buffer> {
  const selection = { dataset: 'awkward' };
  const { fields } = await connection.query(describeSql(dataset, selection, TENANT));
  const part = { columns: fields, range: EVERY_KEY, header: false };
  const copy = connection.query(new CopyOut(FORMATS[format].partSql(dataset, selection, TENANT, part)));
  const stream = compression
    ? compressed(copy, COMPRESSIONS[compression])
    : format === 'xlsx'
      ? FORMATS.xlsx.pack(copy, fields)
      : copy;
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  expect(stream.bytes).toBe(bytes.length);
  return bytes;
}

/** One column each, as PostgreSQL writes it by itself. */
async function told(connection: pg.ClientBase, as: (column: string) => string): Promise<(string | null)[][]> {
  const columns = ['id', ...NAMES].map(as).join(', ');
  const { rows } = await connection.query<(string | null)[]>({
    text: `select ${columns} from awkward order by id`,
    rowMode: 'array',
  });
  return rows;
}

const eachTable = (check: (rows: readonly Row[]) => Promise<void>) =>
  fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 8 }), async (rows) => {
      await store(rows);
      await check(rows);
    }),
    { seed: SEED, numRuns: RUNS },
  );

const RUN_BY_SPREADSHEETS = /^[=+\-@\t\n\r＝＋－＠]/u;

test('CSV has what PostgreSQL shows; text alone is guarded', async () => {
  await eachTable(async () => {
    const [file, plain] = await asPart(async (connection) => [
      await bytesOf(connection, 'csv'),
      await told(connection, (column) => `case when ${column} is not null then format('%s', ${column}) end`),
    ]);
    const expected = plain.map((values) =>
      values.map((value, index) => {
        const name = NAMES[index - 1];
        const isText = name !== undefined && 'guarded' in COLUMNS[name];
        return isText && value !== null && RUN_BY_SPREADSHEETS.test(value) ? `'${value}` : value;
      }),
    );
    expect(parseCsv(file.toString())).toEqual(expected);
  });
});

test('NDJSON has what to_json says, a line a row, in the order of the columns', async () => {
  await eachTable(async (rows) => {
    const [file, values] = await asPart(async (connection) => [
      await bytesOf(connection, 'ndjson'),
      await told(connection, (column) => `to_json(${column})::text`),
    ]);
    const lines = values.map((row) => {
      const members = row.map((value, index) => {
        const name = ['id', ...NAMES][index] ?? '';
        return `${JSON.stringify(name)}:${value === null ? 'null' : value.replace(/[\n\r]/g, ' ')}`;
      });
      return `{${members.join(',')}}\n`;
    });
    expect(file.toString()).toBe(lines.join(''));
    // Any reader of JSON gets the very text, unguarded.
    const read = file
      .toString()
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Row);
    expect(read.map(({ body, also }) => [body, also])).toEqual(rows.map(({ body, also }) => [body, also]));
  });
});

test('NDJSON read back by PostgreSQL makes the same rows', async () => {
  // The white space of json is no part of its value.
  const compared: Record<string, string> = {
    doc: 'doc::jsonb',
    docs: 'docs::jsonb[]',
    pair: 'to_jsonb(pair)',
  };
  const written = (column: string) => `(${compared[column] ?? column})::text`;
  await eachTable(async () => {
    const [file, before] = await asPart(async (connection) => [
      await bytesOf(connection, 'ndjson'),
      await told(connection, written),
    ]);
    await owner.query('truncate awkward');
    await owner.query(
      'insert into awkward select made.* from unnest($1::text[]) line, json_populate_record(null::awkward, line::json) made',
      [file.toString().split('\n').slice(0, -1)],
    );
    expect(await asPart((connection) => told(connection, written))).toEqual(before);
  });
});

/** What a cell should be, given what PostgreSQL shows. */
function cellOf(type: string, shown: string | null): string | number | boolean | Date | null {
  if (shown === null || shown === '') return null;
  const digits = shown.replace(/^-|\./g, '').replace(/^0+/, '');
  switch (type) {
    case 'bool':
      return shown === 't';
    case 'int2':
    case 'int4':
    case 'int8':
    case 'numeric':
      return /^-?[\d.]+$/.test(shown) && digits.length <= 15 ? Number(shown) : shown;
    case 'float8':
      return Number.isFinite(Number(shown)) ? Number(shown) : shown;
    case 'date':
    case 'timestamp':
    case 'timestamptz': {
      const date = new Date(shown.replace(' ', 'T').replace(/(\+00)?$/, type === 'date' ? '' : 'Z'));
      return /^\d{4}-/.test(shown) && date >= new Date('1900-03-01') && !shown.endsWith('BC') ? date : shown;
    }
    default:
      return shown;
  }
}

test('XLSX has dates as dates, numbers that survive as numbers, and all else as its very text', async () => {
  const types = ['int4', ...NAMES.map((name) => COLUMNS[name].type)];
  await eachTable(async () => {
    const [file, shown] = await asPart(async (connection) => [
      await bytesOf(connection, 'xlsx'),
      await told(connection, (column) => `case when ${column} is not null then format('%s', ${column}) end`),
    ]);
    const [header, ...cells] = await readSheet(file, { trim: false });
    expect(header).toEqual(['id', ...NAMES]);
    expect(cells.length).toBe(shown.length);
    for (const [index, row] of shown.entries()) {
      const expected = row.map((value, column) => cellOf(types[column] ?? '', value));
      const found = types.map((_, column) => (cells[index]?.[column] ?? null) as unknown);
      for (const [column, value] of expected.entries()) {
        const one = found[column];
        const where = `${['id', ...NAMES][column] ?? ''}: ${String(row[column])}`;
        // Excel counts days in doubles.
        if (value instanceof Date)
          expect(Math.abs(Number(one) - Number(value)), where).toBeLessThanOrEqual(1);
        else expect(one === '' ? null : one, where).toEqual(value);
      }
    }
  });
});

const DECOMPRESS = { gzip: gunzipSync, zstd: zstdDecompressSync } as const;

test.each(['csv', 'ndjson'] as const)(
  '%s is the same under each compression, and the same twice',
  async (format) => {
    await eachTable(async () => {
      await asPart(async (connection) => {
        const plain = await bytesOf(connection, format);
        for (const compression of ['gzip', 'zstd'] as const) {
          const file = await bytesOf(connection, format, compression);
          expect(DECOMPRESS[compression](file).equals(plain)).toBe(true);
          expect((await bytesOf(connection, format, compression)).equals(file)).toBe(true);
        }
      });
    });
  },
);

test('dates, numbers and bytes in JSON are as the documentation says', async () => {
  const nulls = Object.fromEntries(NAMES.map((name) => [name, null])) as Row;
  const given = {
    amount: `-${'7'.repeat(60)}.${'3'.repeat(40)}`,
    big: '9007199254740993',
    ratio: 'NaN',
    raw: '\\x00ff',
    born: '2026-01-02',
    at: '2026-01-02 03:04:05.678+05:45',
    span: '1 day 02:03',
    body: '=1+1',
    ints: '{1,NULL}',
    doc: '{"a":\n1.0}',
  };
  await store([{ ...nulls, ...given }]);
  const selection = { dataset: 'awkward', columns: ['id', ...Object.keys(given), 'uid'] };
  const line = await asPart(async (connection) => {
    const { fields } = await connection.query(describeSql(dataset, selection, TENANT));
    const part = { columns: fields, range: EVERY_KEY, header: true };
    const copy = connection.query(new CopyOut(FORMATS.ndjson.partSql(dataset, selection, TENANT, part)));
    return Buffer.concat((await copy.toArray()) as Buffer[]).toString();
  });
  expect(line).toBe(
    `{"id":0,"amount":${given.amount},"big":9007199254740993,"ratio":"NaN","raw":"\\\\x00ff","born":"2026-01-02",` +
      `"at":"2026-01-01T21:19:05.678+00:00","span":"P1DT2H3M","body":"=1+1","ints":[1,null],"doc":{"a": 1.0},"uid":null}\n`,
  );
});
