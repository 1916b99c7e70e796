/** A part's worker killed with SIGKILL in the stack as a user runs it: at most the part it was at is done again. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, newHome, removeHome, startTestStack, type TestStack } from '../../support/stack.js';

const LOADED_TIMEOUT_MS = 120_000;
const ENDED_TIMEOUT_MS = 120_000;

let home: string;
let stack: TestStack;
/** Longhaul's database as the relay sees it: every tenant's ledger. */
let ledger: pg.Pool;

beforeAll(async () => {
  home = await newHome();
  stack = await startTestStack(home);
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

interface Job {
  readonly id: string;
  readonly status: string;
  readonly progress: { readonly percent: number; readonly message: string | null };
}

async function call<T>(path: string, init: RequestInit = {}): Promise<T> {
  const { api, keys } = await stack.run();
  const response = await fetch(new URL(path, api), {
    ...init,
    headers: {
      authorization: `Bearer ${keys.client}`,
      accept: 'application/json',
      'content-type': 'application/json',
    },
  });
  return (await response.json()) as T;
}

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

test(
  'repeats at most one part for each kill, and the file is right',
  async () => {
    const { id } = await call<Job>('/jobs', {
      method: 'POST',
      body: JSON.stringify({
        kind: 'report.export',
        input: { dataset: 'flights', version: 1, format: 'csv' },
      }),
    });
    // The dataset may still be loading; then the parts begin.
    const before = await eventually(
      'some parts to be done and others not',
      async () => {
        const rows = await parts(id);
        return (
          rows.some(({ state }) => state === 'done') && rows.some(({ state }) => state === 'claimed') && rows
        );
      },
      LOADED_TIMEOUT_MS,
    );
    const [victim] = await partWorkers();
    expect(victim).toBeDefined();
    process.kill(victim as number, 'SIGKILL');

    const job = await eventually(
      'the export to end',
      async () => {
        const seen = await call<Job>(`/jobs/${id}`);
        return ['SUCCEEDED', 'FAILED', 'CANCELLED'].includes(seen.status) && seen;
      },
      ENDED_TIMEOUT_MS,
    );
    expect(job).toMatchObject({ status: 'SUCCEEDED', error: null });

    const after = await parts(id);
    expect(after.every(({ state }) => state === 'done')).toBe(true);
    const attempts = after.reduce((sum, { attempt }) => sum + attempt, 0);
    expect(attempts - after.length).toBeLessThanOrEqual(1);
    for (const { item } of before.filter(({ state }) => state === 'done')) {
      expect(after.find((row) => row.item === item)?.attempt).toBe(1);
    }
    const result = await call<{ rows: number; bytes: number; url: string; sha256: string }>(
      `/jobs/${id}/result`,
    );
    expect(result.rows).toBe(3_000_000);
    const hash = createHash('sha256');
    let bytes = 0;
    const { body } = await fetch(result.url);
    for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
      hash.update(chunk);
      bytes += chunk.length;
    }
    expect(hash.digest('hex')).toBe(result.sha256);
    expect(bytes).toBe(result.bytes);
    expect(await readdir(join(home, 'artifacts', 'uploads'))).toEqual([]);
  },
  LOADED_TIMEOUT_MS + ENDED_TIMEOUT_MS,
);
