/** The formats an export is written in. Whatever depends on the format is asked here, and nowhere else. */
import type { Readable } from 'node:stream';
import type pg from 'pg';
import type { CompressionName, CountedStream } from './compressions.js';
import { csvPartSql } from './csv.sql.js';
import type { Dataset } from './datasets.js';
import { ndjsonPartSql } from './ndjson.sql.js';
import { closeParquet, type PartEnds } from './parquet/close.js';
import { PARQUET_CODECS } from './parquet/codecs.js';
import { parquetColumnOf } from './parquet/parquet-column.js';
import { parquetPart } from './parquet/part.stream.js';
import { describeNested, parquetPartSql } from './parquet.sql.js';
import type { DescribedColumn, PartRows, SelectionTenant } from './select.sql.js';
import type { Selection } from './selection.js';
import { CELL_TEXT_MAX, longestCellSql, xlsxRowsSql } from './xlsx.sql.js';
import { workbook } from './xlsx.stream.js';

export interface Format {
  /** Without a dot. */
  readonly extension: string;
  readonly contentType: string;
  /** Whether a line goes before the first row, in the first part alone. */
  readonly hasHeader: boolean;
  /** Whether parts by key, laid end to end, are the file; otherwise the whole file is one part. */
  readonly inParts: boolean;
  /** How many rows one file holds, where that is bounded. */
  readonly rowsMax?: number;
  /** How long a value may be, where that is bounded; the SQL is an aggregate over the rows, undefined if none could be longer. */
  readonly longestCell?: {
    readonly max: number;
    sql(dataset: Dataset, columns: readonly DescribedColumn[]): string | undefined;
  };
  /** Whether a compression is used inside the file, by `pack`, instead of around it. */
  readonly packsInside: boolean;
  /** Asks the database what the format must know of the columns beyond their types' numbers. */
  readonly describe?: (
    connection: pg.ClientBase,
    columns: readonly DescribedColumn[],
  ) => Promise<readonly DescribedColumn[]>;
  /** Makes the file, or the part, of what the server sends, where the two are not the same. */
  readonly pack?: (
    rows: Readable,
    columns: readonly DescribedColumn[],
    compression: CompressionName | undefined,
  ) => CountedStream;
  /** Makes one part more, behind the others, of how those end: what only the whole file can say. */
  readonly close?: (partEnds: PartEnds) => Promise<Readable>;
  /** `COPY (…) TO STDOUT` of one part, a message a row. */
  partSql(
    dataset: Dataset,
    selection: Selection,
    tenant: SelectionTenant,
    part: PartRows & { readonly header: boolean },
  ): string;
}

/** By the name the input has. */
export const FORMATS = {
  csv: {
    extension: 'csv',
    contentType: 'text/csv; charset=utf-8',
    hasHeader: true,
    inParts: true,
    packsInside: false,
    partSql: csvPartSql,
  },
  ndjson: {
    extension: 'ndjson',
    contentType: 'application/x-ndjson',
    hasHeader: false,
    inParts: true,
    packsInside: false,
    partSql: ndjsonPartSql,
  },
  xlsx: {
    extension: 'xlsx',
    contentType: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
    hasHeader: false,
    inParts: false,
    packsInside: false,
    // A sheet has 1,048,576 rows, of which the first names the columns.
    rowsMax: 1_048_575,
    longestCell: { max: CELL_TEXT_MAX, sql: longestCellSql },
    pack: (rows, columns) =>
      workbook(
        rows,
        columns.map(({ name }) => name),
      ),
    partSql: xlsxRowsSql,
  },
  parquet: {
    extension: 'parquet',
    contentType: 'application/vnd.apache.parquet',
    hasHeader: false,
    inParts: true,
    packsInside: true,
    describe: describeNested,
    pack: (rows, columns, compression) =>
      parquetPart(rows, {
        columns: columns.map((column) => parquetColumnOf(column)),
        codec: PARQUET_CODECS[compression ?? 'none'],
      }),
    close: closeParquet,
    partSql: parquetPartSql,
  },
} as const satisfies Record<string, Format>;
