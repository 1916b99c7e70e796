/** An export of three million rows, interrupted in the middle by whoever runs the stack: it ends correctly at the next start. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, isAlive, newHome, removeHome, sha256, startTestStack } from '../support/stack.js';
import type { RunFile, TestStack } from '../support/stack.js';

const ROWS = 3_000_000;
const LOAD_TIMEOUT_MS = 180_000;
const EXPORT_TIMEOUT_MS = 120_000;

let home: string;
let stack: TestStack;

beforeAll(async () => {
  home = await newHome();
  stack = await startTestStack(home);
}, 120_000);

afterAll(async () => {
  await stack.stop();
  await removeHome(home);
}, 60_000);

/** Submits an export of all flights and waits until it is under way, but not nearly done. */
async function exportUnderWay(version: number): Promise<string> {
  const id = await stack.submitExport({ dataset: 'flights', version, format: 'csv' });
  await eventually(
    'rows to advance',
    async () => {
      const { status, progress } = await stack.job(id);
      expect(status, 'it is interrupted in the middle').not.toBe('SUCCEEDED');
      return (progress?.percent ?? 0) > 5;
    },
    LOAD_TIMEOUT_MS,
  );
  return id;
}

async function endsCorrectly(id: string): Promise<string> {
  expect(await stack.ended(id, EXPORT_TIMEOUT_MS)).toMatchObject({ status: 'SUCCEEDED', error: null });
  const result = await stack.result(id);
  expect(sha256(result.file)).toBe(result.sha256);
  expect(result.rows).toBe(ROWS);
  return result.sha256;
}

function everyone({ pids }: RunFile): number[] {
  return Object.values(pids)
    .flat()
    .filter((pid) => typeof pid === 'number');
}

test(
  'an export interrupted by Ctrl-C, then by killing everything at once, ends correctly each time',
  async () => {
    const first = await exportUnderWay(1);
    expect(await stack.stop('SIGINT')).toBe(0);
    stack = await startTestStack(home);
    const checksum = await endsCorrectly(first);

    const second = await exportUnderWay(2);
    const before = everyone(await stack.run());
    expect(before.length).toBeGreaterThan(8);
    for (const pid of before) process.kill(pid, 'SIGKILL');
    await eventually('every process to be gone', () => before.every((pid) => !isAlive(pid)));
    stack = await startTestStack(home);
    expect(await endsCorrectly(second)).toBe(checksum);

    expect(await readdir(join(home, 'artifacts', 'uploads'))).toEqual([]);
    expect(await readdir(join(home, 'artifacts', 'published'))).toHaveLength(2);
  },
  LOAD_TIMEOUT_MS + 3 * EXPORT_TIMEOUT_MS,
);
