import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseDatasets } from '../../../libs/datasets/datasets.js';
import { openSources, SourceBusy, type Source, type Sources } from '../../../libs/datasets/sources.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { eventually } from '../../support/stack.js';

/** As many counts, and parts, as a process may have in a source at once. */
const COUNTS = 2;
const PARTS = 4;

let database: TestDatabase;
let holder: pg.Client;
let watcher: pg.Client;
let sources: Sources;
let source: Source;
let snapshot: string;

beforeAll(async () => {
  database = await createTestDatabase();
  const table = { query: 'select 1 as id', key: 'id', columns: { id: 'integer' }, tenants: ['*'] };
  const datasets = parseDatasets({ datasets: { one: { ...table, source: 'SOURCE_URL' } } });
  sources = openSources(datasets, { SOURCE_URL: database.url });
  source = sources.of('SOURCE_URL');
  holder = new pg.Client({ connectionString: database.url });
  watcher = new pg.Client({ connectionString: database.url });
  await Promise.all([holder.connect(), watcher.connect()]);
  await holder.query('begin isolation level repeatable read, read only');
  const { rows } = await holder.query<{ id: string }>('select pg_export_snapshot() as id');
  snapshot = rows[0]?.id ?? '';
});
afterAll(async () => {
  await Promise.all([holder.end(), watcher.end()]);
  await sources.close();
  await database.close();
});

/** Asked outside the holder's transaction, which sees what ran when it first asked. */
async function sleepers(): Promise<number> {
  const { rows } = await watcher.query<{ count: string }>(
    `select count(*) from pg_stat_activity where state = 'active' and query = 'select pg_sleep(600)'`,
  );
  return Number(rows[0]?.count);
}

test('a query is ended by its signal, in the database too', async () => {
  const stop = new AbortController();
  const asked = source.inSnapshot(snapshot, (connection) => connection.query('select pg_sleep(600)'), {
    signal: stop.signal,
    isCount: true,
  });
  const failed = expect(asked).rejects.toThrow('terminated');
  await eventually('the query to run', async () => (await sleepers()) === 1);
  stop.abort();
  await failed;
  await eventually('the database to notice', async () => (await sleepers()) === 0);
});

test('is not asked at all where its signal came before', async () => {
  const stop = AbortSignal.abort(new Error('cancelled'));
  await expect(
    source.inSnapshot(snapshot, (connection) => connection.query('select 1'), { signal: stop }),
  ).rejects.toThrow('cancelled');
});

test('counts that take long leave the others their place, and who finds none free is told so', async () => {
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const hold = (count: number, isCount: boolean): Promise<void>[] =>
    Array.from({ length: count }, () => source.inSnapshot(snapshot, () => over, { isCount }));
  const one = async (isCount: boolean): Promise<unknown> =>
    (await source.inSnapshot(snapshot, (connection) => connection.query('select 1'), { isCount })).rowCount;
  const counts = hold(COUNTS, true);
  expect(await one(false)).toBe(1);
  const parts = hold(PARTS, false);
  await Promise.all([true, false].map((isCount) => expect(one(isCount)).rejects.toThrow(SourceBusy)));
  end();
  await Promise.all([...counts, ...parts]);
  expect(await Promise.all([one(true), one(false)])).toEqual([1, 1]);
});
