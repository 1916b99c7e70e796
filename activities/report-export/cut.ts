/** Cutting the keys into parts of about the same number of rows. */
import type pg from 'pg';
import { isInteger } from '../../libs/datasets/column-type.js';
import { columnSql, EVERY_KEY, fromSql, type KeyRange } from '../../libs/datasets/select.sql.js';
import { isInKeyOrder } from '../../libs/datasets/selection.js';
import type { ReportExportInput } from '../../workflows/report-export.job.js';
import { formatOf, type ExportSource } from './context.js';

/** A killed worker repeats at most one part: a quarter of a second's work. */
export const ROWS_PER_PART = 250_000;
/** S3 allows ten times as many; a saga's history is glad of fewer. */
export const PARTS_MAX = 1_000;
/** How much of the keys' span may be gaps before uniform ranges would make a part twice as large as it should be. */
const SPARSENESS_MAX = 2;

export interface CountedKeys {
  readonly rows: number;
  readonly keys: number;
  readonly lowest: string | null;
  readonly highest: string | null;
}

/** Counts what will be exported, as the transaction of `connection` sees it. */
export async function countKeys(
  connection: pg.ClientBase,
  { dataset, tenant }: ExportSource,
  input: ReportExportInput,
): Promise<CountedKeys> {
  const key = columnSql(dataset, dataset.key);
  const bounds = isInteger(dataset.keyType) ? `min(${key})::text, max(${key})::text` : 'null, null';
  const { rows } = await connection.query<[string, string, string | null, string | null]>({
    text: `select count(*), count(${key}), ${bounds} ${fromSql(dataset, input, tenant)}`,
    rowMode: 'array',
  });
  const [count, keys, lowest, highest] = rows[0] ?? ['0', '0', null, null];
  return { rows: Number(count), keys: Number(keys), lowest, highest };
}

/** The parts' key ranges, in order, without gap or overlap: the first has no lower bound, the last no upper one. */
export async function cutParts(
  connection: pg.ClientBase,
  exported: ExportSource,
  input: ReportExportInput,
  counted: CountedKeys,
  rowsPerPart = ROWS_PER_PART,
): Promise<KeyRange[]> {
  const { dataset } = exported;
  const size = Math.max(rowsPerPart, Math.ceil(counted.rows / PARTS_MAX));
  const whole = counted.rows <= size || !isInKeyOrder(input, dataset.key) || !formatOf(input).inParts;
  if (whole) return [EVERY_KEY];
  const uniform = uniformBounds(counted, size);
  return rangesBetween(uniform ?? (await exactBounds(connection, exported, input, size)));
}

/** Bounds at equal distances, where the keys are whole numbers that lie densely enough. */
export function uniformBounds(counted: CountedKeys, size: number): string[] | undefined {
  if (counted.lowest === null || counted.highest === null) return undefined;
  const lowest = BigInt(counted.lowest);
  const span = BigInt(counted.highest) - lowest + 1n;
  if (span > BigInt(counted.rows) * BigInt(SPARSENESS_MAX)) return undefined;
  const parts = BigInt(Math.ceil(counted.rows / size));
  return Array.from({ length: Number(parts) - 1 }, (_, part) =>
    String(lowest + (span * BigInt(part + 1)) / parts),
  );
}

/** Every so-manieth key, read from the rows themselves. */
async function exactBounds(
  connection: pg.ClientBase,
  { dataset, tenant }: ExportSource,
  input: ReportExportInput,
  size: number,
): Promise<string[]> {
  const key = columnSql(dataset, dataset.key);
  const { rows } = await connection.query<[string]>({
    text: `select key::text from (
        select ${key} as key, row_number() over (order by ${key}) as place ${fromSql(dataset, input, tenant)}
      ) numbered where place > 1 and place % ${size} = 1 order by place`,
    rowMode: 'array',
  });
  return [...new Set(rows.map(([bound]) => bound))];
}

function rangesBetween(bounds: readonly string[]): KeyRange[] {
  return [undefined, ...bounds].map((from, part) => ({ from, to: bounds[part] }));
}
