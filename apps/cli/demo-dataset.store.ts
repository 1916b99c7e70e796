/** Whether the demo's flights are loaded yet, as its loader notes it down. */
import pg from 'pg';
import { demoSourceOf } from '../../libs/datasets/demo-source.js';
import { sleep } from '../../libs/client/backoff.js';

export interface LoadState {
  readonly ready: boolean;
  readonly rows: number;
  readonly message: string;
}

const POLL_MS = 250;
const CONNECT_TIMEOUT_MS = 10_000;
/** Loading reports all the time, but for the seconds that key and statistics take at its end. */
const STANDSTILL_MAX_MS = 120_000;

/** Waits until the dataset is loaded, telling each state on the way; throws when loading makes no more progress. */
export async function waitForDataset(
  databaseUrl: string,
  dataset: string,
  onState: (state: LoadState) => void,
  signal: AbortSignal,
): Promise<void> {
  const connection = new pg.Client({
    connectionString: demoSourceOf(databaseUrl).readerUrl,
    application_name: 'longhaul-demo',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  await connection.connect();
  try {
    let last = '';
    for (let changedAt = Date.now(); Date.now() - changedAt < STANDSTILL_MAX_MS;) {
      const state = await readState(connection, dataset);
      onState(state);
      if (state.ready) return;
      const now = JSON.stringify(state);
      if (now !== last) changedAt = Date.now();
      last = now;
      await sleep(POLL_MS, signal);
    }
    throw new Error(
      `The dataset ${dataset} has not advanced for ${STANDSTILL_MAX_MS / 1000} s; logs/load-datasets.log in the home says why.`,
    );
  } finally {
    await connection.end();
  }
}

async function readState(connection: pg.Client, dataset: string): Promise<LoadState> {
  const { rows } = await connection.query<{ ready: boolean; rows: string; message: string }>(
    'select ready, rows, message from loads where dataset = $1',
    [dataset],
  );
  const [row] = rows;
  if (!row) throw new Error(`The demo's source knows no dataset "${dataset}".`);
  return { ...row, rows: Number(row.rows) };
}
