/** A part's worker killed with SIGKILL in the stack as a user runs it: at most the part it was at is done again. */
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  eventually,
  newHome,
  removeHome,
  sha256,
  startTestStack,
  type TestStack,
} from '../../support/stack.js';

/** Of eight parts; two are written at a time. */
const ROWS = 1_600_000;
const FILTER = { flight_id: { lte: ROWS } };
const BEGUN_TIMEOUT_MS = 120_000;
const ENDED_TIMEOUT_MS = 120_000;

let home: string;
let stack: TestStack;
/** Longhaul's database as the relay sees it: every tenant's ledger. */
let ledger: pg.Pool;

beforeAll(async () => {
  home = await newHome();
  stack = await startTestStack(home, {}, 'shared');
  ledger = new pg.Pool({
    connectionString: (await stack.run()).databaseUrl,
    options: '-c role=longhaul_relay',
    max: 1,
  });
  ledger.on('error', () => undefined);
}, 120_000);

afterAll(async () => {
  await ledger.end();
  await stack.stop();
  await removeHome(home);
}, 60_000);

interface PartRow {
  readonly item: number;
  readonly attempt: number;
  readonly state: string;
}

async function parts(jobId: string): Promise<PartRow[]> {
  const { rows } = await ledger.query<PartRow>(
    `select item, attempt, state from longhaul.effects where job_id = $1 and step = 'render' order by item`,
    [jobId],
  );
  return rows;
}

async function partWorkers(): Promise<number[]> {
  const { pids } = await stack.run();
  return pids.workers.filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('reports-cpu'));
}

test.each(['csv', 'parquet'])(
  'repeats at most one part for each kill, and the file is the same as without one: %s',
  async (format) => {
    const id = await stack.submitExport({ dataset: 'flights', version: 1, format, filter: FILTER });
    const before = await eventually(
      'some parts to be done and others not',
      async () => {
        const rows = await parts(id);
        return (
          rows.some(({ state }) => state === 'done') && rows.some(({ state }) => state === 'claimed') && rows
        );
      },
      BEGUN_TIMEOUT_MS,
    );
    const [victim] = await partWorkers();
    expect(victim).toBeDefined();
    process.kill(victim as number, 'SIGKILL');

    expect(await stack.ended(id, ENDED_TIMEOUT_MS)).toMatchObject({ status: 'SUCCEEDED', error: null });

    const after = await parts(id);
    expect(after.every(({ state }) => state === 'done')).toBe(true);
    const attempts = after.reduce((sum, { attempt }) => sum + attempt, 0);
    expect(attempts - after.length).toBeLessThanOrEqual(1);
    for (const { item } of before.filter(({ state }) => state === 'done')) {
      expect(after.find((row) => row.item === item)?.attempt).toBe(1);
    }
    const { rows, bytes, sha256: promised, file } = await stack.result(id);
    expect({ rows, bytes, promised }).toEqual({
      rows: ROWS,
      bytes: file.length,
      promised: sha256(file),
    });
    const undisturbed = await stack.submitExport({ dataset: 'flights', version: 2, format, filter: FILTER });
    expect(await stack.ended(undisturbed, ENDED_TIMEOUT_MS)).toMatchObject({ status: 'SUCCEEDED' });
    expect((await stack.result(undisturbed)).sha256).toBe(promised);
    expect(await readdir(join(home, 'artifacts', 'uploads'))).toEqual([]);
  },
  BEGUN_TIMEOUT_MS + ENDED_TIMEOUT_MS,
);
