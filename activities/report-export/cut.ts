/** Cutting the keys into parts of about the same number of rows. */
import pg from 'pg';
import { isInteger } from '../../libs/datasets/column-type.js';
import { columnSql, EVERY_KEY, fromSql, type KeyRange } from '../../libs/datasets/select.sql.js';
import { isInKeyOrder } from '../../libs/datasets/selection.js';
import type { ReportExportInput } from '../../workflows/report-export.job.js';
import { formatOf, type ExportSource } from './context.js';

/** S3 allows ten times as many; a saga's history is glad of fewer. */
export const PARTS_MAX = 1_000;
/** How much of the keys' span may be gaps before uniform ranges would make a part twice as large as it should be. */
const SPARSENESS_MAX = 2;
/** From so many parts on, it pays to begin with them before their rows are counted. */
const GLANCE_PARTS_MIN = 2;
/** A glance may cost so much of what it would take to read every row, by the planner. */
const GLANCE_COST_MAX = 0.05;
/** The planner may be wrong: then the rows are counted first after all. */
const GLANCE_TIMEOUT_MS = 200;
const QUERY_CANCELED = '57014';

/** The ends of the keys, and how many rows lie between. */
export interface KeySpan {
  readonly rows: number;
  readonly lowest: string | null;
  readonly highest: string | null;
}

export interface CountedKeys extends KeySpan {
  readonly keys: number;
}

interface Plan {
  readonly 'Total Cost': number;
  readonly 'Plan Rows': number;
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

/** Counts them, and nothing else: half the time. */
export async function countRows(
  connection: pg.ClientBase,
  { dataset, tenant }: ExportSource,
  input: ReportExportInput,
): Promise<number> {
  const { rows } = await connection.query<[string]>({
    text: `select count(*) ${fromSql(dataset, input, tenant)}`,
    rowMode: 'array',
  });
  return Number(rows[0]?.[0] ?? 0);
}

/**
 * The parts of many rows by the ends of their keys and the planner's estimate, in milliseconds; undefined where that is
 * not enough. However wrong the estimate, no part has more than `SPARSENESS_MAX` times the rows: a key is there once.
 */
export async function cutAtAGlance(
  connection: pg.ClientBase,
  exported: ExportSource,
  input: ReportExportInput,
  rowsPerPart: number,
): Promise<KeyRange[] | undefined> {
  const { dataset } = exported;
  const { inParts, rowsMax, longestCell } = formatOf(input);
  const isBounded = rowsMax !== undefined || longestCell !== undefined;
  if (!isInteger(dataset.keyType) || !inParts || isBounded || !isInKeyOrder(input, dataset.key))
    return undefined;
  const span = await glanceAtKeys(connection, exported, input, rowsPerPart * GLANCE_PARTS_MIN);
  const bounds = span && uniformBounds(span, sizeOfParts(span.rows, rowsPerPart));
  return bounds && rangesBetween(bounds);
}

/** Undefined where there seem to be fewer rows, where a look at the ends is not cheap, and where a row has no key. */
async function glanceAtKeys(
  connection: pg.ClientBase,
  { dataset, tenant }: ExportSource,
  input: ReportExportInput,
  rowsMin: number,
): Promise<KeySpan | undefined> {
  const key = columnSql(dataset, dataset.key);
  const all = fromSql(dataset, input, tenant);
  const ends = `select (select min(${key})::text ${all}), (select max(${key})::text ${all}),
    exists (select from (select ${key} as key ${all}) keys where key is null)`;
  const planOf = async (query: string): Promise<Plan | undefined> => {
    const { rows } = await connection.query<[[{ Plan: Plan }]]>({
      text: `explain (format json) ${query}`,
      rowMode: 'array',
    });
    return rows[0]?.[0][0].Plan;
  };
  await connection.query(`savepoint glance; set local statement_timeout = ${GLANCE_TIMEOUT_MS}`);
  try {
    const whole = await planOf(`select ${key} ${all}`);
    if (!whole || whole['Plan Rows'] < rowsMin) return undefined;
    const glance = await planOf(ends);
    if (!glance || glance['Total Cost'] > whole['Total Cost'] * GLANCE_COST_MAX) return undefined;
    const { rows } = await connection.query<[string | null, string | null, boolean]>({
      text: ends,
      rowMode: 'array',
    });
    const [lowest, highest, isKeyMissing] = rows[0] ?? [null, null, true];
    return isKeyMissing ? undefined : { rows: whole['Plan Rows'], lowest, highest };
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === QUERY_CANCELED) return undefined;
    throw error;
  } finally {
    // Takes the time limit back, too.
    await connection.query('rollback to savepoint glance');
  }
}

/** The parts' key ranges, in order, without gap or overlap: the first has no lower bound, the last no upper one. */
export async function cutParts(
  connection: pg.ClientBase,
  exported: ExportSource,
  input: ReportExportInput,
  counted: CountedKeys,
  rowsPerPart: number,
): Promise<KeyRange[]> {
  const { dataset } = exported;
  const size = sizeOfParts(counted.rows, rowsPerPart);
  const whole = counted.rows <= size || !isInKeyOrder(input, dataset.key) || !formatOf(input).inParts;
  if (whole) return [EVERY_KEY];
  const uniform = uniformBounds(counted, size);
  return rangesBetween(uniform ?? (await exactBounds(connection, exported, input, size)));
}

/** Bounds at equal distances, where the keys are whole numbers that lie densely enough. */
export function uniformBounds(keys: KeySpan, size: number): string[] | undefined {
  if (keys.lowest === null || keys.highest === null) return undefined;
  const lowest = BigInt(keys.lowest);
  const span = BigInt(keys.highest) - lowest + 1n;
  if (span > BigInt(keys.rows) * BigInt(SPARSENESS_MAX)) return undefined;
  const parts = BigInt(Math.ceil(keys.rows / size));
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

function sizeOfParts(rows: number, rowsPerPart: number): number {
  return Math.max(rowsPerPart, Math.ceil(rows / PARTS_MAX));
}

function rangesBetween(bounds: readonly string[]): KeyRange[] {
  return [undefined, ...bounds].map((from, part) => ({ from, to: bounds[part] }));
}
