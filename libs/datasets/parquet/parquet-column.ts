/**
 * What a column of PostgreSQL's becomes in a Parquet file: how it is asked for, how its binary form is decoded, and the
 * schema's element. Readers see `schemaElements`; what the pages are encoded by is `encodedElement`, which has the
 * same physical type and only as much of the logical one as the statistics need.
 */
import type { SchemaElement } from 'hyparquet';
import type { DescribedColumn } from '../select.sql.js';
import { OID } from '../type-oids.js';

/** How a column's values are decoded from PostgreSQL's binary form. */
export type ParquetKind =
  | 'bool'
  | 'int2'
  | 'int4'
  | 'int8'
  | 'oid'
  | 'float4'
  | 'float8'
  | 'decimal'
  | 'date'
  | 'time'
  | 'timestamp'
  | 'timestamptz'
  | 'uuid'
  | 'bytes'
  | 'text'
  | 'json';

export interface ParquetColumn {
  readonly name: string;
  readonly kind: ParquetKind;
  /** Of a decimal: all digits, and those after the point. */
  readonly precision: number;
  readonly scale: number;
}

/** Parquet's DECIMAL has 38 digits in every reader; what may have more is text. */
const DECIMAL_DIGITS_MAX = 38;
const INT32_DIGITS_MAX = 9;
const INT64_DIGITS_MAX = 18;
const UUID_BYTES = 16;

/** By type: those whose binary form is decoded. Everything else is asked for as text or as JSON. */
const KINDS: Readonly<Record<number, ParquetKind>> = {
  [OID.bool]: 'bool',
  [OID.bytea]: 'bytes',
  [OID.name]: 'text',
  [OID.int8]: 'int8',
  [OID.int2]: 'int2',
  [OID.int4]: 'int4',
  [OID.text]: 'text',
  [OID.oid]: 'oid',
  [OID.json]: 'json',
  [OID.float4]: 'float4',
  [OID.float8]: 'float8',
  [OID.bpchar]: 'text',
  [OID.varchar]: 'text',
  [OID.date]: 'date',
  [OID.time]: 'time',
  [OID.timestamp]: 'timestamp',
  [OID.timestamptz]: 'timestamptz',
  [OID.uuid]: 'uuid',
};

/** Whether the type's OID alone does not tell text from what is nested. */
export function needsCategory({ dataTypeID }: DescribedColumn): boolean {
  return KINDS[dataTypeID] === undefined && dataTypeID !== OID.numeric && dataTypeID !== OID.jsonb;
}

/** What the column becomes; a numeric is a DECIMAL when its declared precision fits. */
export function parquetColumnOf(column: DescribedColumn): ParquetColumn {
  const { name, dataTypeID } = column;
  const decimal = dataTypeID === OID.numeric ? decimalOf(column.dataTypeModifier ?? -1) : undefined;
  if (decimal) return { name, kind: 'decimal', ...decimal };
  const kind = KINDS[dataTypeID] ?? (dataTypeID === OID.jsonb || column.nested ? 'json' : 'text');
  return { name, kind, precision: 0, scale: 0 };
}

/** As PostgreSQL packs `numeric(precision, scale)` into a type modifier; a scale may be negative. */
function decimalOf(modifier: number): { precision: number; scale: number } | undefined {
  if (modifier < 4) return undefined;
  const packed = modifier - 4;
  const precision = (packed >> 16) & 0xffff;
  const scale = ((packed & 0x7ff) ^ 1024) - 1024;
  // Parquet wants 0 ≤ scale ≤ precision.
  const digits = scale < 0 ? precision - scale : Math.max(precision, scale);
  return digits <= DECIMAL_DIGITS_MAX ? { precision: digits, scale: Math.max(scale, 0) } : undefined;
}

/** In which form the column is asked for: its type's own, or as text or JSON where that has none of ours. */
export function askedFor(column: DescribedColumn): 'itself' | 'text' | 'json' {
  const { kind } = parquetColumnOf(column);
  if (kind === 'decimal' || KINDS[column.dataTypeID] !== undefined) return 'itself';
  // The text of jsonb is JSON.
  return kind === 'json' && column.dataTypeID !== OID.jsonb ? 'json' : 'text';
}

/** How many bytes a decimal of so many digits takes: those of an integer, or as few as hold it with its sign. */
export function decimalLength(digits: number): number {
  if (digits <= INT32_DIGITS_MAX) return Int32Array.BYTES_PER_ELEMENT;
  if (digits <= INT64_DIGITS_MAX) return BigInt64Array.BYTES_PER_ELEMENT;
  return Math.ceil((digits * Math.log2(10) + 1) / 8);
}

function physicalOf({ kind, precision }: ParquetColumn): Pick<SchemaElement, 'type' | 'type_length'> {
  switch (kind) {
    case 'bool':
      return { type: 'BOOLEAN' };
    case 'int2':
    case 'int4':
    case 'date':
      return { type: 'INT32' };
    case 'int8':
    case 'oid':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return { type: 'INT64' };
    case 'float4':
      return { type: 'FLOAT' };
    case 'float8':
      return { type: 'DOUBLE' };
    case 'uuid':
      return { type: 'FIXED_LEN_BYTE_ARRAY', type_length: UUID_BYTES };
    case 'decimal':
      switch (decimalLength(precision)) {
        case Int32Array.BYTES_PER_ELEMENT:
          return { type: 'INT32' };
        case BigInt64Array.BYTES_PER_ELEMENT:
          return { type: 'INT64' };
        default:
          return { type: 'FIXED_LEN_BYTE_ARRAY', type_length: decimalLength(precision) };
      }
    case 'bytes':
    case 'text':
    case 'json':
      return { type: 'BYTE_ARRAY' };
  }
}

/** By what the statistics are written: the values are in their physical form. */
export function encodedElement(column: ParquetColumn): SchemaElement {
  const physical = physicalOf(column);
  const element: SchemaElement = { name: column.name, repetition_type: 'OPTIONAL', ...physical };
  // Text's bounds are cut where a character ends. JSON's are, too: whole documents would swell the footer.
  if (column.kind === 'text' || column.kind === 'json') element.logical_type = { type: 'STRING' };
  // Bytes that are a number are compared as numbers.
  if (column.kind === 'decimal' && physical.type === 'FIXED_LEN_BYTE_ARRAY') {
    element.converted_type = 'DECIMAL';
    element.scale = column.scale;
    element.precision = column.precision;
  }
  return element;
}

function logicalOf({ kind, precision, scale }: ParquetColumn): Partial<SchemaElement> {
  switch (kind) {
    case 'int2':
      return { converted_type: 'INT_16' };
    case 'decimal':
      return {
        converted_type: 'DECIMAL',
        scale,
        precision,
        logical_type: { type: 'DECIMAL', precision, scale },
      };
    case 'date':
      return { converted_type: 'DATE', logical_type: { type: 'DATE' } };
    // The older annotations mean UTC: what is local has the newer one alone.
    case 'time':
      return { logical_type: { type: 'TIME', isAdjustedToUTC: false, unit: 'MICROS' } };
    case 'timestamp':
      return { logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: false, unit: 'MICROS' } };
    case 'timestamptz':
      return {
        converted_type: 'TIMESTAMP_MICROS',
        logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' },
      };
    case 'uuid':
      return { logical_type: { type: 'UUID' } };
    case 'text':
      return { converted_type: 'UTF8', logical_type: { type: 'STRING' } };
    case 'json':
      return { converted_type: 'JSON', logical_type: { type: 'JSON' } };
    default:
      return {};
  }
}

/** The schema as readers see it; every column may be null, for no query promises otherwise. */
export function schemaElements(columns: readonly ParquetColumn[]): SchemaElement[] {
  return [
    { name: 'schema', num_children: columns.length },
    ...columns.map((column): SchemaElement => ({
      name: column.name,
      repetition_type: 'OPTIONAL',
      ...physicalOf(column),
      ...logicalOf(column),
    })),
  ];
}

/** The schema the statistics are written by. */
export function encodedElements(columns: readonly ParquetColumn[]): SchemaElement[] {
  return [{ name: 'schema', num_children: columns.length }, ...columns.map(encodedElement)];
}
