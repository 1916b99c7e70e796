/** The chaos audit of files: read by the auditor, a wrong one is found, a right one passes. */
import { createHash } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { COLUMN_NAMES, rowOf } from '../../scripts/chaos/kinds/export-source.js';
import type { ArtifactLink, Job } from '../../libs/client/job.types.js';
import { differenceIn, wrongWith } from '../../scripts/chaos/kinds/report-export.js';

const ROWS = 12;

function csv(rows: number, change: (line: string, index: number) => string = (line) => line): string {
  const quoted = (cell: string | null): string =>
    cell === null ? '' : /[",\n]/.test(cell) || cell === '' ? `"${cell.replaceAll('"', '""')}"` : cell;
  const lines = Array.from({ length: rows }, (_, index) =>
    rowOf(index + 1)
      .map(quoted)
      .join(','),
  );
  return [COLUMN_NAMES.join(','), ...lines.map(change)].map((line) => `${line}\n`).join('');
}

test('a right CSV passes, plain and compressed, in one frame and in two', async () => {
  const text = Buffer.from(csv(ROWS));
  const half = text.length / 2;
  const frames = [text.subarray(0, half), text.subarray(half)].map((part) => zstdCompressSync(part));
  expect(await differenceIn(text, { format: 'csv' }, ROWS)).toBeUndefined();
  expect(await differenceIn(gzipSync(text), { format: 'csv', compression: 'gzip' }, ROWS)).toBeUndefined();
  expect(
    await differenceIn(Buffer.concat(frames), { format: 'csv', compression: 'zstd' }, ROWS),
  ).toBeUndefined();
});

test.each([
  ['a row too few', csv(ROWS - 1), 'it holds 11 rows'],
  ['a row twice', csv(ROWS, (line, index) => (index === 3 ? `${line}\n${line}` : line)), 'it holds 13 rows'],
  ['another value', csv(ROWS, (line) => line.replace('acc-5', 'acc-6')), 'row 5 is'],
  [
    'rows in another order',
    csv(ROWS, (line, index) =>
      csv(ROWS).split('\n').includes(line) && index < 2 ? (csv(2).split('\n')[2 - index] ?? line) : line,
    ),
    'row 1 is',
  ],
  ['another column', csv(ROWS).replace('cents', 'euros'), 'the columns are'],
  ['an end that is missing', csv(ROWS).slice(0, -1), 'the last line does not end'],
])('%s is found', async (_, text, expected) => {
  expect(await differenceIn(Buffer.from(text), { format: 'csv' }, ROWS)).toContain(expected);
});

test('a file of another format is found', async () => {
  for (const format of ['ndjson', 'parquet', 'xlsx'] as const)
    expect(await differenceIn(Buffer.from(csv(ROWS)), { format }, ROWS), format).toContain(
      'it cannot be read',
    );
});

test('a right NDJSON passes, and one with a null for a text does not', async () => {
  const line = (index: number): string => {
    const [id, day, account, cents, note] = rowOf(index + 1);
    return JSON.stringify({ line_id: Number(id), booked_on: day, account, cents: Number(cents), note });
  };
  const text = `${Array.from({ length: ROWS }, (_, index) => line(index)).join('\n')}\n`;
  expect(await differenceIn(Buffer.from(text), { format: 'ndjson' }, ROWS)).toBeUndefined();
  const wrong = text.replace('"plain"', 'null');
  expect(await differenceIn(Buffer.from(wrong), { format: 'ndjson' }, ROWS)).toContain('row 1 is');
});

/** A job whose file is `text`, with what the API says of it. */
function exported(
  text: string,
  told: Partial<ArtifactLink>,
  result: object = {},
): Promise<string | undefined> {
  const file = Buffer.from(text);
  const sha256 = createHash('sha256').update(file).digest('hex');
  const link = { bytes: file.length, sha256, rows: ROWS, ...told } as ArtifactLink;
  const url = `data:text/csv;base64,${file.toString('base64')}`;
  const job = { id: 'job', result: { rows: ROWS, sha256, ...result } } as unknown as Job;
  const input = { format: 'csv', filter: { line_id: { lte: ROWS } } };
  return wrongWith({ input, job, client: { artifact: async () => ({ ...link, url }) } }, new Map());
}

test('a file that is what the API says passes', async () => {
  expect(await exported(csv(ROWS), {})).toBeUndefined();
});

test.each([
  ['another length', csv(ROWS), { bytes: 1 }, {}, 'announced are 1 with'],
  ['another checksum', csv(ROWS), { sha256: '0'.repeat(64) }, {}, 'arrived; announced are'],
  ['another number of rows in the link', csv(ROWS), { rows: ROWS + 1 }, {}, 'the link says 13 rows'],
  ['another number of rows in the result', csv(ROWS), {}, { rows: ROWS - 1 }, 'the result 11 rows'],
  ['another checksum in the result', csv(ROWS), {}, { sha256: '0'.repeat(64) }, 'asked for were 12'],
  ['other rows', csv(ROWS - 1), {}, {}, 'it holds 11 rows'],
])('a file announced with %s is found', async (_, text, told, result, expected) => {
  expect(await exported(text, told, result)).toContain(expected);
});
