/** The formats an export is written in. Whatever depends on the format is asked here, and nowhere else. */
import { csvPartSql } from './csv.sql.js';
import type { Dataset } from './datasets.js';
import { ndjsonPartSql } from './ndjson.sql.js';
import type { PartRows, SelectionTenant } from './select.sql.js';
import type { Selection } from './selection.js';

export interface Format {
  /** Without a dot. */
  readonly extension: string;
  readonly contentType: string;
  /** Whether a line goes before the first row, in the first part alone. */
  readonly hasHeader: boolean;
  /** Whether parts by key, laid end to end, are the file; otherwise the whole file is one part. */
  readonly inParts: boolean;
  /** `COPY (…) TO STDOUT` of one part: what the server sends are the bytes of the file, a message a row. */
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
} as const satisfies Record<string, Format>;
