/** Flights in any number: the demo's three million, or a table of the bench's own made of them again and again. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { waitForDataset } from '../../apps/cli/demo-dataset.store.js';
import { csvPartSql } from '../../libs/datasets/csv.sql.js';
import { loadDatasets, type Dataset } from '../../libs/datasets/datasets.js';
import { demoSourceOf } from '../../libs/datasets/demo-source.js';
import { describeSql, EVERY_KEY, type DescribedColumn } from '../../libs/datasets/select.sql.js';
import { packageRoot } from '../../libs/embedded/cache-folder.js';
import type { StackUnderBench } from './stack.js';

const FLIGHTS_ROWS = 3_000_000;
const DATASETS_FILE = 'bench-datasets.json';
const TENANT = 'demo';
const COLUMNS = 'flight_id, date, delay, distance, origin, destination';

/** The dataset with exactly so many rows. */
export function datasetNameOf(rows: number): string {
  return rows === FLIGHTS_ROWS ? 'flights' : `flights-${rows}`;
}

/** Writes a datasets' file for these numbers of rows into the home; answers the setting that names it. */
export function flightsSettings(home: string, counts: readonly number[]): NodeJS.ProcessEnv {
  const shipped = JSON.parse(readFileSync(join(packageRoot(), 'deploy', 'datasets.json'), 'utf8')) as {
    datasets: { flights: object };
  };
  const { flights } = shipped.datasets;
  const datasets: Record<string, object> = { flights };
  for (const rows of counts.filter((count) => count !== FLIGHTS_ROWS)) {
    const query = `select ${COLUMNS} from ${tableOf(rows)}`;
    datasets[datasetNameOf(rows)] = { ...flights, query, readiness: undefined };
  }
  const file = join(home, DATASETS_FILE);
  writeFileSync(file, JSON.stringify({ datasets }));
  return { LONGHAUL_DATASETS: file };
}

/** Waits for the demo's flights and makes what else is needed of them; what is there already takes no time. */
export async function prepareFlights(
  { run, signal }: StackUnderBench,
  counts: readonly number[],
  say: (text: string) => void,
): Promise<void> {
  const { databaseUrl } = run();
  say('Loading the flights');
  await waitForDataset(databaseUrl, 'flights', () => undefined, signal);
  const owner = new pg.Client({ connectionString: demoSourceOf(databaseUrl).ownerUrl });
  await owner.connect();
  try {
    for (const rows of counts.filter((count) => count !== FLIGHTS_ROWS)) {
      say(`Making a table of ${rows.toLocaleString('en-US')} flights`);
      await makeTable(owner, rows);
      signal.throwIfAborted();
    }
  } finally {
    await owner.end();
  }
}

async function makeTable(owner: pg.Client, rows: number): Promise<void> {
  const table = tableOf(rows);
  const { rows: there } = await owner.query(`select where to_regclass('${table}') is not null`);
  if (there.length > 0) return;
  await owner.query(`begin; create table ${table} (like flights)`);
  for (let first = 0; first < rows; first += FLIGHTS_ROWS) {
    // In the order of the keys, as a table that grew over time lies.
    await owner.query(
      `insert into ${table} select flight_id + ${first}, date, delay, distance, origin, destination
         from flights where flight_id <= ${rows - first} order by flight_id`,
    );
  }
  await owner.query(
    `alter table ${table} add primary key (flight_id); grant select on ${table} to public; commit`,
  );
  await owner.query(`vacuum (freeze, analyze) ${table}`);
}

function tableOf(rows: number): string {
  return `bench_flights_${rows}`;
}

export interface WholeSelect {
  /** The guarded SELECT of every row, in the order of the key. */
  readonly select: string;
  /** The options of COPY, in parentheses. */
  readonly copyOptions: string;
  readonly readerUrl: string;
}

/** The very SQL an export would run if it were one part. */
export async function wholeSelect({ run, home }: StackUnderBench, rows: number): Promise<WholeSelect> {
  const { readerUrl } = demoSourceOf(run().databaseUrl);
  const dataset = datasetOf(home, datasetNameOf(rows));
  const selection = { dataset: dataset.name };
  const tenant = { id: '00000000-0000-0000-0000-000000000000', name: TENANT };
  const reader = new pg.Client({ connectionString: readerUrl });
  await reader.connect();
  try {
    const { fields } = await reader.query(describeSql(dataset, selection, tenant));
    const columns: readonly DescribedColumn[] = fields;
    const sql = csvPartSql(dataset, selection, tenant, { columns, range: EVERY_KEY, header: true });
    const [, select, copyOptions] = /^copy \((.*)\) to stdout with (\(.*\))$/s.exec(sql) ?? [];
    if (select === undefined || copyOptions === undefined) throw new Error(`expected a COPY, got: ${sql}`);
    return { select, copyOptions, readerUrl };
  } finally {
    await reader.end();
  }
}

function datasetOf(home: string, name: string): Dataset {
  const dataset = loadDatasets(join(home, DATASETS_FILE)).find(name, { name: TENANT });
  if (!dataset) throw new Error(`the bench's datasets have no "${name}"`);
  return dataset;
}
