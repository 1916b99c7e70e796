/** Parts of a Parquet file, in this process and without a database, read back by another library. */
import fc from 'fast-check';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { expect, test } from 'vitest';
import { readBinaryCopy } from '../../../../libs/datasets/parquet/binary-copy.js';
import { closeParquet } from '../../../../libs/datasets/parquet/close.js';
import { openPart, type PartWriterOptions } from '../../../../libs/datasets/parquet/part-writer.js';
import { ParquetRefusal } from '../../../../libs/datasets/parquet/refusal.js';
import { vectorOf } from '../../../../libs/datasets/parquet/vector.js';

const COLUMNS = [
  { name: 'id', kind: 'int4', precision: 0, scale: 0 },
  { name: 'body', kind: 'text', precision: 0, scale: 0 },
  { name: 'flag', kind: 'bool', precision: 0, scale: 0 },
] as const;
const OPTIONS = { columns: COLUMNS, codec: 'SNAPPY' } as const;

interface Row {
  readonly id: number;
  readonly body: string | null;
  readonly flag: boolean | null;
}

/** What PostgreSQL sends. */
function copyOf(rows: readonly Row[]): Buffer {
  const header = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)]);
  const field = (value: Buffer | null): Buffer[] => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(value ? value.length : -1);
    return value ? [length, value] : [length];
  };
  const fields = rows.flatMap(({ id, body, flag }) => {
    const number = Buffer.alloc(4);
    number.writeInt32BE(id);
    return [
      Buffer.from([0, 3]),
      ...field(number),
      ...field(body === null ? null : Buffer.from(body)),
      ...field(flag === null ? null : Buffer.from([flag ? 1 : 0])),
    ];
  });
  return Buffer.concat([header, ...fields, Buffer.from([0xff, 0xff])]);
}

function partOf(rows: readonly Row[], options: Partial<PartWriterOptions> = {}, cuts: number[] = []): Buffer {
  const part = openPart({ ...OPTIONS, ...options });
  const copy = copyOf(rows);
  const places = [0, ...cuts.map((cut) => cut % copy.length).sort((a, b) => a - b), copy.length];
  const pieces = places.slice(1).flatMap((to, index) => part.push(copy.subarray(places[index], to)));
  return Buffer.concat([...pieces, ...part.end()]);
}

async function joined(parts: readonly Buffer[]): Promise<Buffer> {
  const last = await closeParquet({
    parts: parts.length,
    read: (part, bytesMax) => {
      const bytes = parts[part] as Buffer;
      return Promise.resolve({ end: bytes.subarray(-bytesMax), bytes: bytes.length });
    },
  });
  return Buffer.concat([...parts, ...((await last.toArray()) as Buffer[])]);
}

const read = async (file: Buffer): Promise<Row[]> => {
  const { buffer, byteOffset, byteLength } = file;
  const bytes = buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
  return (await parquetReadObjects({ file: bytes })) as unknown as Row[];
};

const row = fc.record({
  id: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  body: fc.option(fc.string({ unit: 'grapheme', maxLength: 40 }), { nil: null }),
  flag: fc.option(fc.boolean(), { nil: null }),
});

test('wherever its bytes are cut, a COPY makes the same file, and its rows are in it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(row, { maxLength: 30 }),
      fc.array(fc.nat(), { maxLength: 20 }),
      fc.integer({ min: 1, max: 12 }),
      async (rows, cuts, groupRowsMax) => {
        const file = partOf(rows, { groupRowsMax });
        expect(partOf(rows, { groupRowsMax }, cuts).equals(file)).toBe(true);
        expect(await read(file)).toEqual(rows);
      },
    ),
  );
});

test('parts of any rows, none too, are one file in their order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(row, { maxLength: 40 }), { minLength: 1, maxLength: 5 }),
      async (parts) => {
        // Groups of two rows: more of them than a list's short form counts.
        const file = await joined(parts.map((rows) => partOf(rows, { groupRowsMax: 2 })));
        expect(await read(file)).toEqual(parts.flat());
      },
    ),
  );
});

const numbered = (count: number, body: (id: number) => string | null): Row[] =>
  Array.from({ length: count }, (_, id) => ({ id, body: body(id), flag: id % 2 === 0 }));

function groupsIn(file: Buffer): ReturnType<typeof parquetMetadata>['row_groups'] {
  const { buffer, byteOffset, byteLength } = file;
  return parquetMetadata(buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer).row_groups;
}

test('groups end by rows or by bytes, whichever comes first', () => {
  const sizes = (file: Buffer): number[] => groupsIn(file).map(({ num_rows }) => Number(num_rows));
  const rows = numbered(1_000, () => 'x'.repeat(1_000));
  expect(sizes(partOf(rows, { groupRowsMax: 400 }))).toEqual([400, 400, 200]);
  const byBytes = sizes(partOf(rows, { groupBytesMax: 100_000 }));
  expect(Math.max(...byBytes)).toBeLessThan(101);
  expect(byBytes.reduce((sum, size) => sum + size)).toBe(1_000);
});

test('long texts are pages of about a mebibyte, with NULLs in their places', async () => {
  const rows = numbered(5_000, (id) => (id % 3 === 0 ? null : `${id} `.repeat(200)));
  const file = partOf(rows);
  const [group] = groupsIn(file);
  const stats = group?.columns[1]?.meta_data?.encoding_stats ?? [];
  expect(stats.find(({ page_type }) => page_type === 'DATA_PAGE')?.count).toBeGreaterThan(2);
  expect(await read(file)).toEqual(rows);
});

test('what comes again and again is in a dictionary, and what does not is not', async () => {
  const encodings = (file: Buffer): string[] => groupsIn(file)[0]?.columns[1]?.meta_data?.encodings ?? [];
  const few = numbered(20_000, (id) => `text ${id % 100}`);
  const many = numbered(20_000, (id) => `text ${id}`);
  expect(encodings(partOf(few))).toContain('RLE_DICTIONARY');
  expect(encodings(partOf(many))).not.toContain('RLE_DICTIONARY');
  expect(partOf(few).length).toBeLessThan(partOf(many).length / 2);
  expect(await read(partOf(few))).toEqual(few);
  expect(await read(partOf(many))).toEqual(many);
});

test('bounds hold: long texts are cut where a character ends, and the upper one is rounded up', () => {
  const rows = ['ärger', `z${'\u{1F600}'.repeat(50)}`, '\u{10FFFF}'.repeat(50)].map((body, id) => ({
    id,
    body,
    flag: null,
  }));
  const { min_value, max_value, null_count } =
    groupsIn(partOf(rows))[0]?.columns[1]?.meta_data?.statistics ?? {};
  expect([min_value, null_count]).toEqual([`z${'\u{1F600}'.repeat(3)}`, 0n]);
  // Nothing is above the last character there is: it is kept whole.
  expect(max_value).toBe('\u{10FFFF}'.repeat(50));
});

test('a COPY that breaks off is no file, and neither is one of other columns', () => {
  const part = openPart(OPTIONS);
  part.push(copyOf(numbered(10, () => 'x')).subarray(0, -2));
  expect(() => part.end()).toThrow('ended before its trailer');
  const others = openPart({ ...OPTIONS, columns: COLUMNS.slice(0, 2) });
  expect(() => others.push(copyOf(numbered(1, () => 'x')))).toThrow('rows of 2 columns, one has 3');
});

test('a row that is too long is refused while it comes', () => {
  const vectors = COLUMNS.map((column) => vectorOf(column));
  const reader = readBinaryCopy(vectors, () => undefined, 1_000);
  const copy = copyOf(numbered(1, () => 'x'.repeat(2_000)));
  expect(() => {
    for (let at = 0; at < copy.length; at += 100) reader.push(copy.subarray(at, at + 100));
  }).toThrow(ParquetRefusal);
});

test('parts of different columns are not joined', async () => {
  const other = [{ name: 'id', kind: 'int8', precision: 0, scale: 0 }, ...COLUMNS.slice(1)] as const;
  await expect(joined([partOf([]), partOf([], { columns: other })])).rejects.toThrow(ParquetRefusal);
  await expect(joined([Buffer.from('no such file')])).rejects.toThrow('expected a Parquet file');
});
