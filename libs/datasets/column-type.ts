/** The types a dataset may declare: how a client's value is checked at acceptance, and how it is written into SQL. */

type Scalar = string | number | boolean;

interface ColumnTypeRule {
  /** What PostgreSQL calls it; the cast of every literal. */
  readonly sql: string;
  /** What a client is told to send. */
  readonly expects: string;
  accepts(value: Scalar): boolean;
}

const integerWithin =
  (bits: 16 | 32 | 64) =>
  (value: Scalar): boolean => {
    if (typeof value === 'number' ? !Number.isSafeInteger(value) : typeof value !== 'string') return false;
    if (!/^-?\d{1,19}$/.test(String(value))) return false;
    return BigInt.asIntN(bits, BigInt(value)) === BigInt(value);
  };

const isDecimal = (value: Scalar): boolean =>
  typeof value === 'number'
    ? Number.isFinite(value)
    : typeof value === 'string' && /^-?\d{1,1000}(\.\d{1,1000})?$/.test(value);

const isFloat = (value: Scalar): boolean =>
  (typeof value === 'number' || (typeof value === 'string' && /^-?\d{1,300}(\.\d{1,300})?$/.test(value))) &&
  Number.isFinite(Number(value));

const DATE = String.raw`(\d{4})-(\d{2})-(\d{2})`;
const TIME = String.raw`([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?`;

const matchesWithRealDate = (pattern: RegExp) => (value: Scalar) => {
  const match = typeof value === 'string' ? pattern.exec(value) : null;
  if (!match || Number(match[1]) === 0) return false;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
};

const matches = (pattern: RegExp) => (value: Scalar) => typeof value === 'string' && pattern.test(value);

const TYPES = {
  // PostgreSQL's text cannot hold NUL.
  text: {
    sql: 'text',
    expects: 'a string',
    accepts: (value) => typeof value === 'string' && !value.includes('\0'),
  },
  smallint: { sql: 'smallint', expects: 'a whole number of 16 bits', accepts: integerWithin(16) },
  integer: { sql: 'integer', expects: 'a whole number of 32 bits', accepts: integerWithin(32) },
  bigint: {
    sql: 'bigint',
    expects: 'a whole number of 64 bits (as a string past 2^53)',
    accepts: integerWithin(64),
  },
  numeric: { sql: 'numeric', expects: 'a number, or a decimal as a string', accepts: isDecimal },
  double: { sql: 'double precision', expects: 'a number', accepts: isFloat },
  boolean: { sql: 'boolean', expects: 'true or false', accepts: (value) => typeof value === 'boolean' },
  date: {
    sql: 'date',
    expects: 'a date like 2026-01-31',
    accepts: matchesWithRealDate(new RegExp(`^${DATE}$`)),
  },
  timestamp: {
    sql: 'timestamp',
    expects: 'a date or a local time like 2026-01-31T08:00:00',
    accepts: matchesWithRealDate(new RegExp(`^${DATE}([T ]${TIME})?$`)),
  },
  timestamptz: {
    sql: 'timestamptz',
    expects: 'a time with its offset, like 2026-01-31T08:00:00Z',
    accepts: matchesWithRealDate(
      new RegExp(String.raw`^${DATE}[T ]${TIME}(Z|[+-](0\d|1[0-4]):?([0-5]\d)?)$`),
    ),
  },
  time: { sql: 'time', expects: 'a time like 08:00', accepts: matches(new RegExp(`^${TIME}$`)) },
  uuid: {
    sql: 'uuid',
    expects: 'a UUID',
    accepts: matches(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i),
  },
} as const satisfies Record<string, ColumnTypeRule>;

export type ColumnType = keyof typeof TYPES;
export const COLUMN_TYPES = Object.keys(TYPES) as [ColumnType, ...ColumnType[]];

const rule = (type: ColumnType): ColumnTypeRule => TYPES[type];

/** Whether a client's value is one of this type; what PostgreSQL would refuse later is refused here. */
export function isOfType(type: ColumnType, value: Scalar): boolean {
  return rule(type).accepts(value);
}

/** For the client: `a date like 2026-01-31`. */
export function expectationOf(type: ColumnType): string {
  return rule(type).expects;
}

/** The name PostgreSQL knows, e.g. `double precision`. */
export function sqlTypeOf(type: ColumnType): string {
  return rule(type).sql;
}

/** Integer types, whose ranges can be cut without looking at the rows. */
export function isInteger(type: ColumnType): boolean {
  return type === 'smallint' || type === 'integer' || type === 'bigint';
}
