/** The source database of the embedded stack: `demo`, with real flights and bird strikes, read by a login that can only read. */
import { createHmac } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { flightsAsCopy } from './flights.copy.js';

const DATABASE = 'demo';
const READER = 'demo_reader';
/** One loader at a time, whoever starts a second. */
const LOADER_LOCK = 7_306_001;
const DUPLICATE = new Set(['42P04', '42710', '23505']);

const FLIGHTS = `flight_id bigint not null, date timestamp not null, delay integer, distance integer, origin text, destination text`;
const BIRDSTRIKES = `strike_id integer generated always as identity, airport text, aircraft text, damage text,
  flight_date date, operator text, origin_state text, phase_of_flight text, wildlife_size text,
  wildlife_species text, time_of_day text, cost_other integer, cost_repair integer, cost_total integer, speed_knots integer`;

export interface DemoSource {
  /** For the loader: the owner's login in the database `demo`. */
  readonly ownerUrl: string;
  /** For exports (`LONGHAUL_SOURCE_DEMO_URL`): a login that can only read. */
  readonly readerUrl: string;
}

export interface LoadProgress {
  readonly dataset: string;
  readonly rows: number;
  readonly total: number;
}

/** Where the demo's source is, given the login of the cluster's owner, and the database's name. Reaches nothing. */
export function demoSourceOf(ownerUrl: string, database = DATABASE): DemoSource {
  const owner = new URL(ownerUrl);
  const password = readerPasswordOf(owner);
  owner.pathname = `/${database}`;
  const reader = new URL(owner);
  reader.username = READER;
  reader.password = password;
  return { ownerUrl: owner.toString(), readerUrl: reader.toString() };
}

/** The same at every start, so that a worker that outlives a restart still gets in; unknown without the owner's. */
function readerPasswordOf(owner: URL): string {
  return createHmac('sha256', `${owner.username}:${owner.password}`)
    .update('longhaul demo reader')
    .digest('base64url');
}

/** Makes database, reader and empty tables where they are missing; quick, and safe to repeat. */
export async function prepareDemoSource(ownerUrl: string, database = DATABASE): Promise<DemoSource> {
  const source = demoSourceOf(ownerUrl, database);
  const password = new URL(source.readerUrl).password;
  await connected(ownerUrl, async (connection) => {
    const { rows } = await connection.query(
      `select from pg_database where datname = ${pg.escapeLiteral(database)} union all select from pg_roles where rolname = '${READER}'`,
    );
    if (rows.length < 2) {
      await unlessThere(connection.query(`create role ${READER} login`));
      await unlessThere(connection.query(`create database ${pg.escapeIdentifier(database)}`));
    }
    await connection.query(
      `alter role ${READER} with login password ${pg.escapeLiteral(password)};
       alter role ${READER} set default_transaction_read_only = on`,
    );
  });
  await connected(source.ownerUrl, async (connection) => {
    await connection.query(`
      create table if not exists loads (dataset text primary key, ready boolean not null default false,
        rows bigint not null default 0, message text not null, updated_at timestamptz not null default now());
      create table if not exists flights (${FLIGHTS}, primary key (flight_id));
      create table if not exists birdstrikes (${BIRDSTRIKES}, primary key (strike_id));
      insert into loads (dataset, message) values
        ('flights', 'The dataset flights has not been loaded yet.'),
        ('birdstrikes', 'The dataset birdstrikes has not been loaded yet.') on conflict do nothing;
      grant select on all tables in schema public to ${READER};`);
  });
  return source;
}

/**
 * Fills the demo's tables from vega-datasets, each in one transaction: killed at any point, it begins that table
 * anew; a table that is loaded stays. Progress is in the table `loads`, where exports that wait read it.
 */
export async function loadDemoSource(
  demoOwnerUrl: string,
  onProgress: (progress: LoadProgress) => void = () => undefined,
): Promise<void> {
  await connected(demoOwnerUrl, async (loader) => {
    await loader.query('select pg_advisory_lock($1)', [LOADER_LOCK]);
    await connected(demoOwnerUrl, async (reporter) => {
      const report = async (progress: LoadProgress): Promise<void> => {
        onProgress(progress);
        const percent = Math.floor((100 * progress.rows) / progress.total);
        await reporter.query(
          'update loads set rows = $2, message = $3, updated_at = now() where dataset = $1',
          [progress.dataset, progress.rows, `The dataset ${progress.dataset} is being loaded: ${percent}%.`],
        );
      };
      await loadTable(loader, 'birdstrikes', BIRDSTRIKES, 'strike_id', async (table) => {
        const columns = `airport, aircraft, damage, flight_date, operator, origin_state, phase_of_flight, wildlife_size,
          wildlife_species, time_of_day, cost_other, cost_repair, cost_total, speed_knots`;
        const copy = loader.query(
          copyFrom(`copy ${table} (${columns}) from stdin with (format csv, header true, freeze true)`),
        );
        await pipeline(createReadStream(dataFile('birdstrikes.csv')), copy);
      });
      await loadTable(loader, 'flights', FLIGHTS, 'flight_id', async (table) => {
        const copy = loader.query(copyFrom(`copy ${table} from stdin with (format binary, freeze true)`));
        const rows = flightsAsCopy(dataFile('flights-3m.parquet'), (count, total) =>
          report({ dataset: 'flights', rows: count, total }),
        );
        await pipeline(rows, copy);
      });
    });
  });
}

/** Loads a table beside the one that is there and takes its place, with key and statistics, in one transaction. */
async function loadTable(
  loader: pg.Client,
  name: string,
  columns: string,
  key: string,
  fill: (table: string) => Promise<void>,
): Promise<void> {
  const { rows } = await loader.query<{ ready: boolean }>('select ready from loads where dataset = $1', [
    name,
  ]);
  if (rows[0]?.ready) return;
  const staging = `${name}_loading`;
  await loader.query(`begin; set local maintenance_work_mem = '256MB'; create table ${staging} (${columns})`);
  await fill(staging);
  await loader.query(`
    alter table ${staging} add constraint ${staging}_pkey primary key (${key});
    analyze ${staging};
    drop table ${name};
    alter table ${staging} rename to ${name};
    alter index ${staging}_pkey rename to ${name}_pkey;
    grant select on ${name} to ${READER};
    update loads set ready = true, rows = (select count(*) from ${name}), updated_at = now(),
      message = 'The dataset ${name} is ready.' where dataset = '${name}';
    commit;`);
}

function dataFile(name: string): string {
  return fileURLToPath(new URL(`../data/${name}`, import.meta.resolve('vega-datasets')));
}

async function unlessThere(statement: Promise<unknown>): Promise<void> {
  try {
    await statement;
  } catch (error) {
    // Another process, or an earlier start, was quicker.
    if (!(error instanceof pg.DatabaseError && DUPLICATE.has(error.code ?? ''))) throw error;
  }
}

async function connected<R>(url: string, work: (connection: pg.Client) => Promise<R>): Promise<R> {
  const connection = new pg.Client({ connectionString: url, application_name: 'longhaul-demo-source' });
  await connection.connect();
  try {
    return await work(connection);
  } finally {
    await connection.end();
  }
}
