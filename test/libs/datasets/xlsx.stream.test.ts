/** A workbook that streams: ended together with whoever writes or reads it. What is in it, formats.it.test.ts proves. */
import { PassThrough, Readable, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { finished, pipeline } from 'node:stream/promises';
import { readSheet } from 'read-excel-file/node';
import { expect, test } from 'vitest';
import { storeFailure } from '../../../activities/report-export/failures.js';
import { columnLetters } from '../../../libs/datasets/xlsx.sql.js';
import { Rejected } from '../../../libs/saga/failure.js';
import { SheetTooLarge, workbook } from '../../../libs/datasets/xlsx.stream.js';

const ROW = Buffer.from('<row r="2"><c r="A2"><v>7</v></c></row>\n');

test('of no rows has the names of its columns', async () => {
  const stream = workbook(Readable.from([]), ['a', 'b&<c>']);
  const file = await buffer(stream);
  expect(stream.bytes).toBe(file.length);
  expect(await readSheet(file)).toEqual([['a', 'b&<c>']]);
  expect(await readSheet(await buffer(workbook(Readable.from([ROW]), ['a'])))).toEqual([['a'], [7]]);
});

test('tells its reader the source’s error', async () => {
  const lost = new Error('connection lost');
  const source = Readable.from(
    (async function* () {
      yield ROW;
      await Promise.resolve();
      throw lost;
    })(),
  );
  await expect(buffer(workbook(source, ['a']))).rejects.toBe(lost);
});

test('ends its source when its reader is aborted, or fails', async () => {
  const stop = new AbortController();
  const never = new Writable({ write: () => stop.abort() });
  const failing = new Writable({ write: (_chunk, _encoding, callback) => callback(new Error('no space')) });
  for (const [sink, error] of [
    [never, 'aborted'],
    [failing, 'no space'],
  ] as const) {
    // It would send rows for ever.
    const source = new PassThrough();
    source.write(ROW);
    const ended = finished(source).catch((reason: unknown) => reason);
    const signal = sink === never ? stop.signal : new AbortController().signal;
    await expect(pipeline(workbook(source, ['a']), sink, { signal })).rejects.toThrow(error);
    expect(await ended).toBeInstanceOf(Error);
  }
});

test('refuses a sheet that its ZIP could not hold', async () => {
  const rows = (): Readable => Readable.from(Array.from({ length: 100 }, () => ROW));
  await expect(buffer(workbook(rows(), ['a'], 3_000))).rejects.toThrow(SheetTooLarge);
  expect(storeFailure(new SheetTooLarge(), 'no')).toBeInstanceOf(Rejected);
  expect((await buffer(workbook(rows(), ['a'], 30_000))).length).toBeGreaterThan(0);
});

test('names its columns as a spreadsheet does', () => {
  expect([0, 25, 26, 51, 52, 701, 702, 16_383].map(columnLetters)).toEqual([
    'A',
    'Z',
    'AA',
    'AZ',
    'BA',
    'ZZ',
    'AAA',
    'XFD',
  ]);
});
