/**
 * The SQL of an export. COPY takes no bound parameters, so values are literals: escaped by the driver and cast to a
 * declared type. Identifiers come from the dataset's allow-list only, never from a client's text.
 */
import pg from 'pg';
import { sqlTypeOf, type ColumnType } from './column-type.js';
import { FILTER_OPERATORS, type FilterOperator } from './dataset.schema.js';
import type { Dataset } from './datasets.js';
import { isInKeyOrder, type Condition, type Selection, type SelectionValue } from './selection.js';
import { fillTemplate } from './template.sql.js';

/** Whom `:tenant` and `:tenant_name` stand for. */
export interface SelectionTenant {
  readonly id: string;
  readonly name: string;
}

/** Keys from `from` (inclusive) up to `to` (exclusive), in PostgreSQL's text form; undefined: no bound. */
export interface KeyRange {
  readonly from: string | undefined;
  readonly to: string | undefined;
}

/** A column as the source database describes it. */
export interface DescribedColumn {
  readonly name: string;
  readonly dataTypeID: number;
  /** A numeric's precision and scale, among others; -1: none declared. */
  readonly dataTypeModifier?: number;
  /** Whether its type is an array or a composite, where a format has asked. */
  readonly nested?: boolean;
}

/** What one part of the file holds. */
export interface PartRows {
  readonly columns: readonly DescribedColumn[];
  readonly range: KeyRange;
}

export const EVERY_KEY: KeyRange = { from: undefined, to: undefined };

/** `"name"`; throws unless the dataset declares that column. */
export function columnSql(dataset: Dataset, column: string): string {
  if (!dataset.columns.has(column))
    throw new TypeError(`Dataset "${dataset.name}" has no column "${column}"`);
  return `d.${quoted(column)}`;
}

/** `from (…) d where …`: the dataset's rows that pass the filter, and whose key is in the range. */
export function fromSql(
  dataset: Dataset,
  selection: Selection,
  tenant: SelectionTenant,
  range: KeyRange = EVERY_KEY,
): string {
  const query = fillTemplate(dataset.query, (name) => parameterSql(dataset, selection, tenant, name));
  const key = columnSql(dataset, dataset.key);
  const conditions = [
    ...Object.entries(selection.filter ?? {}).flatMap(([column, condition]) =>
      conditionSql(dataset, column, condition),
    ),
    ...(range.from === undefined ? [] : [`${key} >= ${literal(range.from, dataset.keyType)}`]),
    ...(range.to === undefined ? [] : [`${key} < ${literal(range.to, dataset.keyType)}`]),
  ];
  return `from (${query}) d${conditions.length > 0 ? ` where ${conditions.join(' and ')}` : ''}`;
}

/** The columns of the file, in its order. */
export function columnsOf(dataset: Dataset, selection: Selection): readonly string[] {
  return selection.columns ?? [...dataset.columns.keys()];
}

/** A query without rows: its fields are the file's columns with their types, as the database has them. */
export function describeSql(dataset: Dataset, selection: Selection, tenant: SelectionTenant): string {
  const columns = columnsOf(dataset, selection).map((column) => columnSql(dataset, column));
  return `select ${columns.join(', ')} ${fromSql(dataset, selection, tenant)} limit 0`;
}

/** `order by …`, ending with the key, so that the same rows always come in the same order. */
export function orderSql(dataset: Dataset, selection: Selection): string {
  const key = columnSql(dataset, dataset.key);
  const { order } = selection;
  if (order === undefined || isInKeyOrder(selection, dataset.key)) return `order by ${key}`;
  const direction = order.direction === 'desc' ? 'desc' : 'asc';
  const first = `${columnSql(dataset, order.column)} ${direction}`;
  return `order by ${order.column === dataset.key ? first : `${first}, ${key}`}`;
}

/** The rows of a part in the file's order; `columns` are expressions. */
export function rowsSql(
  dataset: Dataset,
  selection: Selection,
  tenant: SelectionTenant,
  columns: readonly string[],
  range: KeyRange,
): string {
  return `select ${columns.join(', ')} ${fromSql(dataset, selection, tenant, range)} ${orderSql(dataset, selection)}`;
}

/**
 * `COPY (…) TO STDOUT` of a query of one column, whose texts are the file's lines as they are: COPY's text format would
 * double every backslash, so it is CSV, quoted and delimited by characters that neither JSON nor XML has raw, so that
 * nothing is ever quoted.
 */
export function copyLinesSql(query: string): string {
  return `copy (${query}) to stdout with (format csv, quote E'\\x01', delimiter E'\\x02', encoding 'UTF8')`;
}

/** A value as SQL: `'…'::type`. */
export function literal(value: SelectionValue, type: ColumnType): string {
  const text = String(value);
  if (text.includes('\0')) throw new TypeError('PostgreSQL has no NUL in text');
  return `${pg.escapeLiteral(text).trim()}::${sqlTypeOf(type)}`;
}

/** An identifier as SQL. */
export function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

function parameterSql(dataset: Dataset, selection: Selection, tenant: SelectionTenant, name: string): string {
  if (name === 'tenant') return literal(tenant.id, 'uuid');
  if (name === 'tenant_name') return literal(tenant.name, 'text');
  const parameter = dataset.parameters.get(name);
  const given = selection.parameters;
  const value = given && Object.hasOwn(given, name) ? given[name] : parameter?.default;
  if (parameter === undefined || value === undefined) {
    throw new TypeError(`Dataset "${dataset.name}" was given no parameter "${name}"`);
  }
  return literal(value, parameter.type);
}

const COMPARISONS = {
  eq: '=',
  // The complement of `eq`: rows without a value are not equal either.
  ne: 'is distinct from',
  gt: '>',
  gte: '>=',
  lt: '<',
  lte: '<=',
} as const;

function conditionSql(dataset: Dataset, column: string, condition: Condition): string[] {
  const name = columnSql(dataset, column);
  const type = dataset.columns.get(column);
  const allowed = dataset.filters.get(column);
  return FILTER_OPERATORS.flatMap((operator: FilterOperator) => {
    const value = condition[operator];
    if (value === undefined) return [];
    if (type === undefined || !allowed?.has(operator)) {
      throw new TypeError(`Dataset "${dataset.name}" has no filter "${column}" by "${operator}"`);
    }
    if (operator === 'isNull') return [`${name} is ${value === true ? '' : 'not '}null`];
    if (operator === 'in') {
      const list = typeof value === 'object' ? value : [value];
      return [`${name} in (${list.map((one) => literal(one, type)).join(', ')})`];
    }
    if (typeof value === 'object') throw new TypeError(`"${operator}" takes one value, not a list`);
    return [`${name} ${COMPARISONS[operator]} ${literal(value, type)}`];
  });
}
