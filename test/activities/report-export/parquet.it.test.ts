/** Parquet against what PostgreSQL says of the same rows, read by DuckDB; and a whole export of it. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Dataset } from '../../../libs/datasets/datasets.js';
import { FORMATS } from '../../../libs/datasets/formats.js';
import { describeSql, EVERY_KEY } from '../../../libs/datasets/select.sql.js';
import type { Selection } from '../../../libs/datasets/selection.js';
import { CopyOut } from '../../../libs/store/copy-out.stream.js';
import type { MemoryRun } from '../../../libs/saga/memory.js';
import {
  StoreFailure,
  type ArtifactStore,
  type PublishedArtifact,
  type PublishOptions,
} from '../../../libs/artifacts/artifact-store.js';
import type { ReportExportInput } from '../../../workflows/report-export.job.js';
import { createExportBench, JOB_ID, type ExportBench } from '../../support/exports.js';
import { openDuckDb, type DuckDb } from '../../support/duckdb.js';

const TENANT = { id: '00000000-0000-7000-8000-000000000001', name: 'acme' };
const SEED = 20_261_123;
const RUNS = 25;
const oneOf = (...values: string[]) => fc.constantFrom(...values);
const bits = (value: string) => `lower(hex(${value}))`;

const text = fc
  .array(
    fc.oneof(
      oneOf(
        '=1+1',
        '+',
        '@',
        '\t',
        '\r\n',
        '"',
        ',',
        "'",
        '\\',
        '\\N',
        ' ',
        'NULL',
        '\x01',
        '\x7f',
        'é',
        '\u0301',
      ),
      oneOf('\u{1F600}', '👩‍👩‍👧', '\u202e', '\u2028', '\ufeff', '\ud7ff', '\uffff', '\u{10ffff}'),
      fc.string({ unit: 'binary', maxLength: 20 }),
    ),
    { maxLength: 5 },
  )
  .map((pieces) => pieces.join('').replaceAll('\0', '').toWellFormed());
const json = fc
  .jsonValue({ maxDepth: 2 })
  .map((value) => JSON.stringify({ 'k"\n': value }).replaceAll('\\u0000', ''));
const digits = (max: number) => fc.stringMatching(new RegExp(`^-?[1-9][0-9]{0,${max - 1}}$`));
const decimal = (precision: number, scale: number) =>
  fc
    .tuple(fc.bigInt({ min: -(10n ** BigInt(precision)) + 1n, max: 10n ** BigInt(precision) - 1n }))
    .map(([value]) => {
      const shown = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
      return `${value < 0n ? '-' : ''}${shown.slice(0, shown.length - scale)}.${shown.slice(shown.length - scale)}`;
    });
const day = fc
  .date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
  .map((date) => date.toISOString());
const micros = (column: string) =>
  `case when isfinite(${column}) then (extract(epoch from ${column}) * 1000000)::bigint::text else ${column}::text end`;
const duckMicros = (column: string) =>
  `case when isfinite(${column}) then epoch_us(${column})::varchar else ${column}::varchar end`;
const same = (column: string) => `${column}::text`;
const duckSame = (column: string) => `${column}::varchar`;

interface Told {
  readonly type: string;
  readonly values: fc.Arbitrary<string>;
  /** What DuckDB says the column is. */
  readonly becomes: string;
  /** The value as text, by each database. */
  readonly postgres?: (column: string) => string;
  readonly duckdb?: (column: string) => string;
  /** Whether both write it shortest, but not in the same way. */
  readonly isNumber?: boolean;
}

const COLUMNS: Record<string, Told> = {
  body: { type: 'text', values: text, becomes: 'VARCHAR' },
  also: { type: 'varchar', values: text, becomes: 'VARCHAR' },
  padded: {
    type: 'char(5)',
    values: oneOf('a', '', 'abcde'),
    becomes: 'VARCHAR',
    postgres: (column) => `rpad(${column}::text, 5)`,
  },
  mood: { type: 'mood', values: oneOf('fine', '=bad'), becomes: 'VARCHAR' },
  flag: { type: 'bool', values: oneOf('t', 'f'), becomes: 'BOOLEAN' },
  small: { type: 'int2', values: oneOf('-32768', '0', '32767'), becomes: 'SMALLINT' },
  whole: { type: 'int4', values: oneOf('-2147483648', '0', '2147483647'), becomes: 'INTEGER' },
  big: {
    type: 'int8',
    values: oneOf('-9223372036854775808', '9007199254740993', '0', '9223372036854775807'),
    becomes: 'BIGINT',
  },
  thing: { type: 'oid', values: oneOf('0', '4294967295'), becomes: 'BIGINT' },
  amount: {
    type: 'numeric',
    values: fc.oneof(
      oneOf('NaN', 'Infinity', '-Infinity', '0.000', '-1.50', '1e30'),
      fc.tuple(digits(100), fc.stringMatching(/^[0-9]{1,50}$/)).map((two) => two.join('.')),
    ),
    becomes: 'VARCHAR',
  },
  price: { type: 'numeric(7,2)', values: decimal(7, 2), becomes: 'DECIMAL(7,2)' },
  money: { type: 'numeric(18,4)', values: decimal(18, 4), becomes: 'DECIMAL(18,4)' },
  exact: { type: 'numeric(38,10)', values: decimal(38, 10), becomes: 'DECIMAL(38,10)' },
  tiny: {
    type: 'numeric(3,5)',
    values: oneOf('0.00999', '-0.00001', '0'),
    becomes: 'DECIMAL(5,5)',
    isNumber: true,
  },
  round: { type: 'numeric(3,-2)', values: oneOf('99900', '-100', '0'), becomes: 'DECIMAL(5,0)' },
  long: { type: 'numeric(60,20)', values: oneOf('1.5', '-0.00000000000000000001'), becomes: 'VARCHAR' },
  ratio: {
    type: 'float8',
    values: fc.oneof(
      oneOf('NaN', 'Infinity', '-Infinity', '-0', '5e-324'),
      fc.double({ noNaN: true }).map(String),
    ),
    becomes: 'DOUBLE',
    isNumber: true,
  },
  single: {
    type: 'float4',
    values: oneOf('NaN', 'Infinity', '-Infinity', '-0', '1e-45', '0.1'),
    becomes: 'FLOAT',
    isNumber: true,
  },
  raw: {
    type: 'bytea',
    values: fc.uint8Array({ maxLength: 20 }).map((bytes) => `\\x${Buffer.from(bytes).toString('hex')}`),
    becomes: 'BLOB',
    postgres: (column) => `encode(${column}, 'hex')`,
    duckdb: bits,
  },
  born: {
    type: 'date',
    values: fc.oneof(oneOf('infinity', '-infinity', '0044-03-15 BC', '5874897-12-31', '4714-11-24 BC'), day),
    becomes: 'DATE',
    postgres: (column) =>
      `case when isfinite(${column}) then (${column} - date '1970-01-01')::text else ${column}::text end`,
    duckdb: (column) =>
      `case when isfinite(${column}) then (${column} - date '1970-01-01')::varchar else ${column}::varchar end`,
  },
  local: {
    type: 'timestamp',
    values: fc.oneof(
      oneOf('infinity', '-infinity', '0044-03-15 12:00 BC', '294246-12-31 23:59:59.999999'),
      day,
    ),
    becomes: 'TIMESTAMP',
    postgres: micros,
    duckdb: duckMicros,
  },
  moment: {
    type: 'timestamptz',
    values: fc.oneof(oneOf('infinity', '-infinity', '2026-01-02 03:04:05.678901+05:45'), day),
    becomes: 'TIMESTAMP WITH TIME ZONE',
    postgres: micros,
    duckdb: duckMicros,
  },
  clock: { type: 'time', values: oneOf('00:00:00', '23:59:59.999999', '24:00:00'), becomes: 'TIME' },
  zoned: { type: 'timetz', values: oneOf('00:00:00+00', '23:59:59.999999-05:30'), becomes: 'VARCHAR' },
  span: { type: 'interval', values: oneOf('-1 day', '1 year -2 mons 3 days 04:05:06.7'), becomes: 'VARCHAR' },
  uid: { type: 'uuid', values: fc.uuid(), becomes: 'UUID' },
  doc: { type: 'json', values: json, becomes: 'JSON' },
  tree: { type: 'jsonb', values: json, becomes: 'JSON' },
  ints: {
    type: 'int4[]',
    values: oneOf('{}', '{1,NULL,-3}', '{{1,2},{3,4}}'),
    becomes: 'JSON',
    postgres: (column) => `to_json(${column})::text`,
  },
  words: {
    type: 'text[]',
    values: fc
      .array(text, { maxLength: 3 })
      .map((words) => `{${words.map((word) => `"${word.replace(/["\\]/g, '\\$&')}"`).join(',')}}`),
    becomes: 'JSON',
    postgres: (column) => `to_json(${column})::text`,
  },
  pair: {
    type: 'pair',
    values: oneOf('(a,1)', '("=1",)'),
    becomes: 'JSON',
    postgres: (column) => `to_json(${column})::text`,
  },
  net: { type: 'inet', values: oneOf('10.0.0.1/8'), becomes: 'VARCHAR' },
};
const NAMES = Object.keys(COLUMNS);
const told = (name: string): Told => COLUMNS[name] as Told;
type Row = Record<string, string | null>;
const row: fc.Arbitrary<Row> = fc.record(
  Object.fromEntries(NAMES.map((name) => [name, fc.option(told(name).values, { nil: null, freq: 6 })])),
);

let bench: ExportBench;
let duckdb: DuckDb;
let folder: string;

beforeAll(async () => {
  const dataset = {
    source: 'SOURCE_URL',
    tenants: ['*'],
    query: 'select * from awkward',
    key: 'id',
    // What a dataset declares is for filters; how a value is written goes by what the database says it is.
    columns: { id: 'integer', ...Object.fromEntries(NAMES.map((name) => [name, 'text'])) },
    orders: ['id'],
  };
  const numbers = {
    source: 'SOURCE_URL',
    tenants: ['*'],
    query: `select n::bigint as id, case when n % 10 <> 0 then n % 1000 end as few, 'text ' || n as body,
              timestamp '2026-01-01' + n * interval '1 second' as at
            from generate_series(1, :rows) n`,
    parameters: { rows: { type: 'integer' } },
    key: 'id',
    columns: { id: 'bigint', few: 'integer', body: 'text', at: 'timestamp' },
    filters: { id: ['lte'] },
    orders: ['few'],
  };
  [bench, duckdb, folder] = await Promise.all([
    createExportBench({ awkward: dataset, numbers }),
    openDuckDb(),
    mkdtemp(join(tmpdir(), 'longhaul-parquet-')),
  ]);
  await bench.source.query(`
    create type mood as enum ('fine', '=bad'); create type pair as (word text, number int);
    create table awkward (id int primary key, ${NAMES.map((name) => `${name} ${told(name).type}`).join(', ')})`);
});
beforeEach(() => bench.reset());
afterAll(async () => {
  await Promise.all([bench.close(), duckdb.close(), rm(folder, { recursive: true, force: true })]);
});

async function store(rows: readonly Row[]): Promise<void> {
  const arrays = NAMES.map((_, index) => `$${index + 2}::text[]`).join(', ');
  const casts = NAMES.map((name) => `given.${name}::${told(name).type}`).join(', ');
  await bench.source.query('truncate awkward');
  await bench.source.query(
    `insert into awkward select given.id, ${casts} from unnest($1::int[], ${arrays}) given (id, ${NAMES.join(', ')})`,
    [rows.map((_, id) => id), ...NAMES.map((name) => rows.map((one) => one[name]))],
  );
}

/** Writes the bytes where DuckDB can read them; answers the SQL that does. */
async function readable(bytes: Buffer): Promise<string> {
  const path = join(folder, `${Math.random().toString(36).slice(2)}.parquet`);
  await writeFile(path, bytes);
  return `'${path}'`;
}

/** One part of the dataset as it would be rendered, and what PostgreSQL says of the same rows. */
async function part(
  selection: Selection,
  as: (column: string) => string,
): Promise<{ bytes: Buffer; rows: (string | null)[][] }> {
  const dataset = bench.resources.datasets.find(selection.dataset, { name: 'acme' }) as Dataset;
  const holder = await bench.source.connect();
  try {
    await holder.query('begin isolation level repeatable read, read only');
    const { rows: snapshots } = await holder.query<{ id: string }>('select pg_export_snapshot() as id');
    return await bench.resources.sources
      .of('SOURCE_URL')
      .inSnapshot(snapshots[0]?.id ?? '', async (connection) => {
        const { fields } = await connection.query(describeSql(dataset, selection, TENANT));
        const columns = await FORMATS.parquet.describe(connection, fields);
        const part = { columns, range: EVERY_KEY, header: false };
        const copy = connection.query(new CopyOut(FORMATS.parquet.partSql(dataset, selection, TENANT, part)));
        const chunks = await FORMATS.parquet.pack(copy, columns, undefined).toArray();
        const { rows } = await connection.query<(string | null)[]>({
          text: `select ${fields.map(({ name }) => as(name)).join(', ')} from awkward order by id`,
          rowMode: 'array',
        });
        return { bytes: Buffer.concat(chunks as Buffer[]), rows };
      });
  } finally {
    await holder.query('rollback');
    holder.release();
  }
}

const NOT_FINITE: Record<string, string> = { inf: 'Infinity', '-inf': '-Infinity', nan: 'NaN' };

/** Numbers as numbers, so that the zeros stay two; all else as it was told. */
function shown(name = '', value: string | null = null): string | number | null {
  return value === null || !COLUMNS[name]?.isNumber ? value : Number(NOT_FINITE[value] ?? value);
}

test('every type is what PostgreSQL says, in the type that says most of it', async () => {
  const postgres = (name: string) => (name === 'id' ? 'id::text' : (told(name).postgres ?? same)(name));
  const duck = (name: string) => (name === 'id' ? 'id::varchar' : (told(name).duckdb ?? duckSame)(name));
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 8 }), async (rows) => {
      await store(rows);
      const { bytes, rows: expected } = await part({ dataset: 'awkward' }, postgres);
      const file = await readable(bytes);
      const names = ['id', ...NAMES];
      const found = await duckdb.ask(`select ${names.map(duck).join(', ')} from ${file}`);
      for (const [index, values] of expected.entries())
        for (const [column, value] of values.entries())
          expect(shown(names[column], found[index]?.[column]), `${names[column] ?? ''} of row ${index}`).toBe(
            shown(names[column], value),
          );
      expect(found.length).toBe(expected.length);
    }),
    { seed: SEED, numRuns: RUNS },
  );
});

test('each column has the type that says most of it', async () => {
  await store([]);
  const { bytes } = await part({ dataset: 'awkward' }, same);
  const described = await duckdb.ask(`describe select * from ${await readable(bytes)}`);
  expect(described.map(([name, type]) => [name, type])).toEqual([
    ['id', 'INTEGER'],
    ...NAMES.map((name) => [name, told(name).becomes]),
  ]);
});

test('what Parquet has no place for is refused, with the column and what to do, and without the value', async () => {
  const nulls = Object.fromEntries(NAMES.map((name) => [name, null])) as Row;
  for (const [column, value] of [
    ['local', '294276-12-31 23:59:59'],
    ['moment', '294276-12-31 23:59:59'],
    ['price', 'NaN'],
    ['exact', 'NaN'],
  ] as const) {
    await store([{ ...nulls, [column]: value }]);
    const run = await bench.run({ dataset: 'awkward', format: 'parquet' });
    expect(run.end).toMatchObject({ status: 'FAILED', error: { code: 'value_has_no_place' } });
    const detail = JSON.stringify(run.end);
    expect(detail).toContain(`Column \\"${column}\\"`);
    expect(detail).toContain('Ask for CSV');
    expect(detail).not.toContain('294276-12-31');
    expect(await bench.leftovers('uploads')).toEqual([]);
    await bench.reset();
  }
});

/** Two parts, with groups that are not full. */
const ROWS = 300_000;

/** Exports `rows` numbers; answers the run and the SQL that reads the file. */
async function numbers(
  rows: number,
  input: Partial<ReportExportInput> = {},
  options: Parameters<ExportBench['run']>[1] = {},
): Promise<{ result: Record<string, unknown>; run: MemoryRun; bytes: Buffer; file: string }> {
  const run = await bench.run(
    { dataset: 'numbers', format: 'parquet', parameters: { rows }, ...input },
    options,
  );
  expect(run.end).toMatchObject({ status: 'SUCCEEDED' });
  const bytes = await bench.read(`${JOB_ID}.0`);
  return {
    result: (run.end as { result: Record<string, unknown> }).result,
    run,
    bytes,
    file: await readable(bytes),
  };
}

const FACTS = `count(*), count(few), sum(id)::varchar, sum(few)::varchar, min(body), max(body), max("at")::varchar,
  bool_and(id = place)::varchar`;

test('many parts are one file, in the order of the key, with statistics for each group of rows', async () => {
  const { result, bytes, file } = await numbers(ROWS);
  expect(result).toMatchObject({
    rows: ROWS,
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    filename: 'numbers-1.parquet',
    contentType: 'application/vnd.apache.parquet',
  });
  const [facts] = await duckdb.ask(
    `select ${FACTS} from (select *, row_number() over () as place from ${file})`,
  );
  const { rows } = await bench.source.query<Record<string, string>>(
    `select count(*) as rows, count(few) as few, sum(id)::text as ids, sum(few)::text as fews,
        min(body collate "C"), max(body collate "C"), to_char(max(at), 'YYYY-MM-DD HH24:MI:SS') as last, 'true' as ordered
       from (select n as id, case when n % 10 <> 0 then n % 1000 end as few, 'text ' || n as body,
               timestamp '2026-01-01' + n * interval '1 second' as at from generate_series(1, $1::int) n) numbers`,
    [ROWS],
  );
  expect(facts).toEqual(Object.values(rows[0] ?? {}));

  const groups = await duckdb.ask(`
    select row_group_id, row_group_num_rows, path_in_schema, stats_min_value, stats_max_value, stats_null_count, compression
      from parquet_metadata(${file}) order by row_group_id, column_id`);
  const of = (column: string) => groups.filter(([, , path]) => path === column);
  expect(of('id').length).toBeGreaterThan(3);
  let last = 0;
  for (const [group, [, size, , min, max, nulls]] of of('id').entries()) {
    expect([min, max, nulls]).toEqual([String(last + 1), String(last + Number(size)), '0']);
    expect(of('few')[group]?.slice(3, 6)).toEqual([
      '1',
      '999',
      String(Math.floor(Number(max) / 10) - Math.floor(last / 10)),
    ]);
    const [, , , first, end] = of('at')[group] ?? [];
    expect([first, end]).toEqual([timeOf(last + 1), timeOf(Number(max))]);
    last = Number(max);
  }
  expect(last).toBe(ROWS);
  expect(new Set(groups.map((group) => group[6]))).toEqual(new Set(['SNAPPY']));
  // A reader that trusts them reads the right rows.
  expect(await duckdb.ask(`select body from ${file} where id = 242424`)).toEqual([['text 242424']]);
});

const timeOf = (second: number): string =>
  new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString().slice(0, 19).replace('T', ' ');

test.each(['gzip', 'zstd'] as const)(
  '%s is the codec inside, and nothing else changes',
  async (compression) => {
    const { file, result } = await numbers(1_000, { compression });
    expect(result).toMatchObject({
      filename: 'numbers-1.parquet',
      contentType: 'application/vnd.apache.parquet',
    });
    expect(await duckdb.ask(`select distinct compression from parquet_metadata(${file})`)).toEqual([
      [compression.toUpperCase()],
    ]);
    expect(await duckdb.ask(`select count(*), sum(id)::varchar from ${file}`)).toEqual([['1000', '500500']]);
  },
);

test('no rows are a file, too, with every column', async () => {
  const { file, result } = await numbers(0);
  expect(result).toMatchObject({ rows: 0 });
  expect(await duckdb.ask(`select count(*) from ${file}`)).toEqual([['0']]);
  expect(await duckdb.ask(`select column_name from (describe select * from ${file})`)).toEqual(
    ['id', 'few', 'body', 'at'].map((name) => [name]),
  );
});

test('columns, filter and another order hold here as well', async () => {
  const { file } = await numbers(50, {
    columns: ['body', 'id'],
    filter: { id: { lte: 3 } },
    order: { column: 'few', direction: 'desc' },
  });
  expect(await duckdb.ask(`select * from ${file}`)).toEqual([
    ['text 3', '3'],
    ['text 2', '2'],
    ['text 1', '1'],
  ]);
});

test('a part that is cut, and answers that are lost, leave the same bytes when they are repeated', async () => {
  const { bytes: undisturbed } = await numbers(ROWS);
  await bench.reset();
  const { resources } = bench;
  const real = resources.artifacts;
  const faults: string[] = [];
  const fail = (what: string): never => {
    faults.push(what);
    throw new StoreFailure('busy', what);
  };
  const shaky: ArtifactStore = {
    ...real,
    async writePart(key, part, source, signal) {
      const cut = part === 1 && faults.length === 0;
      if (cut) source.once('data', () => source.destroy(new StoreFailure('busy', 'cut')));
      const written = await real.writePart(key, part, source, signal).catch((error: unknown) => {
        if (cut) faults.push('cut');
        throw error;
      });
      return part === 1 && faults.length === 1 ? fail('a part is there, and nobody heard') : written;
    },
    async publish(key, options) {
      if (faults.length === 2) fail('the footer is there, and nobody heard');
      return real.publish(key, options);
    },
  };
  Object.assign(resources, { artifacts: shaky });
  try {
    const { run, bytes } = await numbers(ROWS);
    expect(bytes.equals(undisturbed)).toBe(true);
    const begun = (step: string) =>
      run.trace.filter((event) => event.step === step && event.what === 'begin').length;
    expect([begun('publish'), faults.length]).toEqual([2, 3]);
  } finally {
    Object.assign(resources, { artifacts: real });
  }
});

test('a late second publisher finds what the first has published', async () => {
  const { resources } = bench;
  const real = resources.artifacts;
  let late: Promise<PublishedArtifact> | undefined;
  Object.assign(resources, {
    artifacts: {
      ...real,
      async publish(key: string, options: PublishOptions) {
        const published = await real.publish(key, options);
        // The answer is lost; the step is attempted again.
        if (!late) {
          late = Promise.resolve(published);
          throw new StoreFailure('busy', 'a lost answer');
        }
        return published;
      },
    } satisfies ArtifactStore,
  });
  try {
    const { result } = await numbers(1_000);
    expect(result).toMatchObject({ sha256: (await late)?.sha256 });
  } finally {
    Object.assign(resources, { artifacts: real });
  }
});

test('what is undone is all of it: a publication that is refused leaves no part, the footer neither', async () => {
  const { resources } = bench;
  const real = resources.artifacts;
  let footerWasThere = false;
  Object.assign(resources, {
    artifacts: {
      ...real,
      async publish(key: string, { parts }: PublishOptions) {
        const { end } = await real.readPartEnd(key, parts - 1, 4, new AbortController().signal);
        footerWasThere = end.toString() === 'PAR1';
        throw new StoreFailure('refused', 'not here');
      },
    } satisfies ArtifactStore,
  });
  try {
    const run = await bench.run({ dataset: 'numbers', format: 'parquet', parameters: { rows: 10 } });
    expect(run.end).toMatchObject({ status: 'FAILED', compensated: 'all' });
    expect(footerWasThere).toBe(true);
    expect(await bench.leftovers('uploads')).toEqual([]);
  } finally {
    Object.assign(resources, { artifacts: real });
  }
});
