/** The rows of a Parquet file as PostgreSQL sends them: in binary, each type in the form it is decoded from. */
import type pg from 'pg';
import type { Dataset } from './datasets.js';
import { askedFor, needsCategory } from './parquet/parquet-column.js';
import {
  columnSql,
  quoted,
  rowsSql,
  type DescribedColumn,
  type PartRows,
  type SelectionTenant,
} from './select.sql.js';
import type { Selection } from './selection.js';

/** `COPY (…) TO STDOUT` of one part. */
export function parquetPartSql(
  dataset: Dataset,
  selection: Selection,
  tenant: SelectionTenant,
  part: PartRows,
): string {
  const columns = part.columns.map((column) => parquetColumnSql(dataset, column));
  return `copy (${rowsSql(dataset, selection, tenant, columns, part.range)}) to stdout with (format binary)`;
}

function parquetColumnSql(dataset: Dataset, column: DescribedColumn): string {
  const sql = columnSql(dataset, column.name);
  switch (askedFor(column)) {
    case 'itself':
      return sql;
    case 'text':
      return `${sql}::text as ${quoted(column.name)}`;
    case 'json':
      return `to_json(${sql})::text as ${quoted(column.name)}`;
  }
}

/** The columns, with those marked whose type is an array or a composite: the database is asked where an OID alone does not tell. */
export async function describeNested(
  connection: pg.ClientBase,
  columns: readonly DescribedColumn[],
): Promise<DescribedColumn[]> {
  const asked = columns.filter((column) => needsCategory(column)).map(({ dataTypeID }) => dataTypeID);
  const { rows } =
    asked.length === 0
      ? { rows: [] }
      : await connection.query<{ oid: number }>(
          // A for arrays, C for composites; record is a pseudo-type.
          `select oid from pg_type where oid = any($1::oid[]) and (typcategory in ('A', 'C') or oid = 'record'::regtype)`,
          [asked],
        );
  const nested = new Set(rows.map(({ oid }) => oid));
  return columns.map(({ name, dataTypeID, dataTypeModifier }) => ({
    name,
    dataTypeID,
    ...(dataTypeModifier === undefined ? {} : { dataTypeModifier }),
    nested: nested.has(dataTypeID),
  }));
}
