/** The rows that are exported under chaos: made of their number alone, so that what a file must hold is known without the database. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { demoSourceOf } from '../../../libs/datasets/demo-source.js';

/** A row as text, column by column; a null is a null. */
export type Cells = readonly (string | null)[];

export const DATASET = 'bookings';
export const SOURCE_ROWS = 8_000;
/** A few parts for an export: what is killed in between must go on. */
const PART_ROWS = 2_500;
const FIRST_DAY_MS = Date.UTC(2020, 0, 1);
const DAY_MS = 86_400_000;
const DAYS = 700;

const COLUMNS = {
  line_id: 'integer',
  booked_on: 'date',
  account: 'text',
  cents: 'integer',
  note: 'text',
} as const;
export const COLUMN_NAMES: readonly string[] = Object.keys(COLUMNS);

/** Row number `id`, from 1: with commas, quotes, line breaks, letters from elsewhere, and nulls. */
export function rowOf(id: number): Cells {
  const notes = [null, 'plain', `with "quotes", commas; ${id}`, `two\nlines`, `Zürich – 東京 ${id % 97}`, ''];
  return [
    String(id),
    new Date(FIRST_DAY_MS + (id % DAYS) * DAY_MS).toISOString().slice(0, 10),
    `acc-${id % 113}`,
    String(((id * 7_919) % 2_000_003) - 1_000_001),
    notes[id % notes.length] ?? null,
  ];
}

/** The environment that makes the dataset known to the stack. */
export function sourceEnvironment(home: string): NodeJS.ProcessEnv {
  const file = join(home, 'datasets.json');
  const dataset = {
    summary: 'Bookings made of their number',
    source: 'LONGHAUL_SOURCE_DEMO_URL',
    tenants: ['*'],
    query: `select ${COLUMN_NAMES.join(', ')} from ${DATASET}`,
    key: 'line_id',
    columns: COLUMNS,
    filters: { line_id: ['lte'] },
    orders: ['line_id'],
  };
  writeFileSync(file, JSON.stringify({ datasets: { [DATASET]: dataset } }));
  return { LONGHAUL_DATASETS: file, LONGHAUL_EXPORT_PART_ROWS: String(PART_ROWS) };
}

/** Makes and fills the table. */
export async function fillSource(databaseUrl: string): Promise<void> {
  const { ownerUrl, readerUrl } = demoSourceOf(databaseUrl);
  const connection = new pg.Client({ connectionString: ownerUrl, application_name: 'longhaul-chaos' });
  await connection.connect();
  try {
    const columns = Object.entries(COLUMNS).map(([name, type]) => `${name} ${type}`);
    const reader = pg.escapeIdentifier(new URL(readerUrl).username);
    await connection.query(`create table ${DATASET} (${columns.join(', ')}, primary key (line_id))`);
    const rows = Array.from({ length: SOURCE_ROWS }, (_, index) => rowOf(index + 1));
    const lists = COLUMN_NAMES.map((_, column) => rows.map((row) => row[column] ?? null));
    const typed = Object.values(COLUMNS).map((type, index) => `$${index + 1}::${type}[]`);
    await connection.query(`insert into ${DATASET} select * from unnest(${typed.join(', ')})`, lists);
    await connection.query(`grant select on ${DATASET} to ${reader}; analyze ${DATASET}`);
  } finally {
    await connection.end();
  }
}
