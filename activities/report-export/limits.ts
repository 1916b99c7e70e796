/** What a format's file cannot hold is refused before any row is written, with what to do instead. */
import type pg from 'pg';
import { describeSql, fromSql } from '../../libs/datasets/select.sql.js';
import { Rejected } from '../../libs/saga/failure.js';
import type { ReportExportInput } from '../../workflows/report-export.job.js';
import { formatOf, type ExportSource } from './context.js';

/** Throws Rejected when the rows, as the transaction of `connection` sees them, are too many or too long. */
export async function refuseWhatNoFileHolds(
  connection: pg.ClientBase,
  { dataset, tenant }: ExportSource,
  input: ReportExportInput,
  rows: number,
): Promise<void> {
  const { rowsMax, longestCell } = formatOf(input);
  const format = input.format.toUpperCase();
  if (rowsMax !== undefined && rows > rowsMax) {
    throw new Rejected(
      'too_many_rows',
      `The export has ${rows} rows, and ${format} holds ${rowsMax}. Ask for CSV, or for fewer rows.`,
    );
  }
  if (!longestCell) return;
  const { fields } = await connection.query(describeSql(dataset, input, tenant));
  const longestSql = longestCell.sql(dataset, fields);
  if (longestSql === undefined) return;
  const { rows: found } = await connection.query<{ longest: number | null }>(
    `select ${longestSql} as longest ${fromSql(dataset, input, tenant)}`,
  );
  const longest = found[0]?.longest ?? 0;
  if (longest > longestCell.max) {
    throw new Rejected(
      'cell_too_long',
      `A text of the export has ${longest} characters, and a cell of ${format} holds ${longestCell.max}. Ask for CSV, or leave its column out.`,
    );
  }
}
