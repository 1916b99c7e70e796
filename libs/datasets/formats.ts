/** The formats an export is written in. Whatever depends on the format is asked here, and nowhere else. */
import type { Readable } from 'node:stream';
import type { CountedStream } from './compressions.js';
import { csvPartSql } from './csv.sql.js';
import type { Dataset } from './datasets.js';
import { ndjsonPartSql } from './ndjson.sql.js';
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
  /** Makes the file of what the server sends, where the two are not the same. */
  readonly pack?: (rows: Readable, columns: readonly string[]) => CountedStream;
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
    partSql: csvPartSql,
  },
  ndjson: {
    extension: 'ndjson',
    contentType: 'application/x-ndjson',
    hasHeader: false,
    inParts: true,
    partSql: ndjsonPartSql,
  },
  xlsx: {
    extension: 'xlsx',
    contentType: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
    hasHeader: false,
    inParts: false,
    // A sheet has 1,048,576 rows, of which the first names the columns.
    rowsMax: 1_048_575,
    longestCell: { max: CELL_TEXT_MAX, sql: longestCellSql },
    pack: workbook,
    partSql: xlsxRowsSql,
  },
} as const satisfies Record<string, Format>;
