/** Reads exported files back, with readers that share nothing with the writers. */
import { gunzipSync } from 'node:zlib';
import { parquetReadObjects } from 'hyparquet';
import { readSheet } from 'read-excel-file/node';
import { unzstd } from '../../unzstd.js';
import type { Cells } from './export-source.js';

export interface FileForm {
  readonly format: 'csv' | 'ndjson' | 'xlsx' | 'parquet';
  readonly compression?: 'gzip' | 'zstd' | undefined;
}

/** The file's rows in `columns`' order. Throws where it is no such file, or has other columns. */
export async function readExported(
  file: Buffer,
  form: FileForm,
  columns: readonly string[],
): Promise<Cells[]> {
  if (form.format === 'parquet') return readParquet(file, columns);
  if (form.format === 'xlsx') return readXlsx(file, columns);
  const plain = form.compression === undefined ? file : DECOMPRESS[form.compression](file);
  return form.format === 'csv'
    ? readCsv(plain.toString('utf8'), columns)
    : readNdjson(plain.toString('utf8'), columns);
}

const DECOMPRESS = { gzip: (file: Buffer) => gunzipSync(file), zstd: unzstd } as const;

/** RFC 4180, LF; an empty field that is not quoted is null. */
function readCsv(text: string, columns: readonly string[]): Cells[] {
  const rows: (string | null)[][] = [];
  let row: (string | null)[] = [];
  const field = /("(?:[^"]|"")*"|[^",\n]*)(,|\n)/gy;
  for (let found = field.exec(text); found !== null; found = field.exec(text)) {
    const [, raw = '', end] = found;
    row.push(raw === '' ? null : raw.startsWith('"') ? raw.slice(1, -1).replaceAll('""', '"') : raw);
    if (end === '\n') {
      rows.push(row);
      row = [];
    }
    if (field.lastIndex === text.length) break;
  }
  if (row.length > 0 || !text.endsWith('\n')) throw new Error('the last line does not end');
  const [header, ...body] = rows;
  expectColumns(header ?? [], columns);
  return body;
}

function readNdjson(text: string, columns: readonly string[]): Cells[] {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  return text
    .slice(0, -1)
    .split('\n')
    .map((line) => {
      const row = JSON.parse(line) as Record<string, unknown>;
      expectColumns(Object.keys(row), columns);
      return Object.values(row).map(textOf);
    });
}

async function readParquet(file: Buffer, columns: readonly string[]): Promise<Cells[]> {
  const { buffer, byteOffset, byteLength } = file;
  const rows = await parquetReadObjects({
    file: buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer,
    compressors: {
      GZIP: (bytes) => gunzipSync(bytes),
      ZSTD: (bytes) => unzstd(Buffer.from(bytes)),
    },
  });
  return rows.map((row) => {
    expectColumns(Object.keys(row), columns);
    return Object.values(row).map(textOf);
  });
}

async function readXlsx(file: Buffer, columns: readonly string[]): Promise<Cells[]> {
  const [header, ...body] = await readSheet(file, { trim: false });
  expectColumns((header ?? []).map(textOf), columns);
  return body.map((row) => columns.map((_, column) => textOf(row[column] ?? null)));
}

function expectColumns(found: readonly (string | null)[], columns: readonly string[]): void {
  if (found.join() !== columns.join())
    throw new Error(`the columns are ${found.join()}; expected ${columns.join()}`);
}

/** A cell as `rowOf` writes it. */
function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value.toISOString().slice(0, 10);
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  throw new Error(`a cell is ${typeof value}`);
}
