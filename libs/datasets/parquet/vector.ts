/** Column vectors: the values of one row group as they come, in as few bytes as they need. */
import type { DecodedArray } from 'hyparquet';
import { unscaledNumeric } from './numeric.js';
import type { ParquetColumn } from './parquet-column.js';
import { ParquetRefusal } from './refusal.js';

/** 2000-01-01, from which PostgreSQL counts, in the days and microseconds of 1970, from which Parquet does. */
const EPOCH_DAYS = 10_957;
const EPOCH_MICROS = 946_684_800_000_000n;
const INT32_MAX = 2_147_483_647;
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
/** Up to here there is room for the difference of the epochs, and for the infinity above. */
const MICROS_MAX = INT64_MAX - EPOCH_MICROS - 1n;
const ROWS_FIRST = 1_024;
const TEXT_BYTES_FIRST = 4_096;
const LENGTH_BYTES = 4;
/** Places of the cache that makes equal bytes one object: a power of two. */
const CACHE_PLACES = 4_096;
/** Below this length a loop beats the call of `set`. */
const LOOP_BYTES_MAX = 32;
/** What a bigint of a large decimal takes, roughly. */
const UNSCALED_BYTES = 32;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

export interface Vector {
  /** Adds the value that lies there; answers what it costs in memory. */
  append(view: DataView, bytes: Uint8Array, at: number, length: number): number;
  appendNull(): void;
  /** The values as the writer takes them, and how they are best encoded; valid until `clear`. */
  take(): { readonly data: DecodedArray; readonly encoding?: 'PLAIN' };
  clear(): void;
}

/** Which rows have a value. */
class Presence {
  rows = 0;
  nulls = 0;
  #present = new Uint8Array(ROWS_FIRST);

  /** Notes a row; answers its number. */
  add(present: boolean): number {
    const row = this.rows;
    if (row === this.#present.length) this.#present = grown(this.#present, Uint8Array);
    this.#present[row] = present ? 1 : 0;
    if (!present) this.nulls += 1;
    this.rows = row + 1;
    return row;
  }

  has(row: number): boolean {
    return this.#present[row] === 1;
  }

  clear(): void {
    this.rows = 0;
    this.nulls = 0;
  }
}

type Numbers = Int32Array | Float32Array | Float64Array | BigInt64Array;

function grown<T extends Uint8Array | Numbers>(array: T, Kind: new (length: number) => T): T {
  const larger = new Kind(array.length * 2);
  (larger as Uint8Array).set(array as Uint8Array);
  return larger;
}

/** A vector of numbers in an array of their own type. */
function numbers<T extends Numbers>(
  Kind: new (length: number) => T,
  read: (view: DataView, at: number) => T[number],
): Vector {
  const presence = new Presence();
  let values = new Kind(ROWS_FIRST);
  const bytes = values.BYTES_PER_ELEMENT;
  const isFloat = values instanceof Float64Array || values instanceof Float32Array;
  let negativeZero = false;
  const place = (present: boolean): number => {
    const row = presence.add(present);
    if (row === values.length) values = grown(values, Kind);
    return row;
  };
  return {
    append(view, _, at) {
      const value = read(view, at);
      if (isFloat && Object.is(value, -0)) negativeZero = true;
      const row = place(true);
      values[row] = value;
      return bytes;
    },
    appendNull() {
      place(false);
    },
    take() {
      const data = values.subarray(0, presence.rows);
      // A dictionary is made with a Map, to which the two zeros are one.
      const encoding = negativeZero ? ({ encoding: 'PLAIN' } as const) : {};
      if (presence.nulls === 0) return { data, ...encoding };
      const known = Array.from<unknown, unknown>(data as Iterable<unknown>, (value, row) =>
        presence.has(row) ? value : null,
      );
      return { data: known, ...encoding };
    },
    clear() {
      presence.clear();
      negativeZero = false;
    },
  };
}

function booleans(): Vector {
  const presence = new Presence();
  let values = new Uint8Array(ROWS_FIRST);
  const place = (present: boolean): number => {
    const row = presence.add(present);
    if (row === values.length) values = grown(values, Uint8Array);
    return row;
  };
  return {
    append(view, _, at) {
      const row = place(true);
      values[row] = view.getUint8(at);
      return 1;
    },
    appendNull() {
      place(false);
    },
    take: () => ({
      data: Array.from(values.subarray(0, presence.rows), (value, row) =>
        presence.has(row) ? value === 1 : null,
      ),
    }),
    clear: () => presence.clear(),
  };
}

/** A vector of byte strings, laid end to end. */
function byteStrings(): Vector {
  const presence = new Presence();
  let content = new Uint8Array(TEXT_BYTES_FIRST);
  let ends = new Int32Array(ROWS_FIRST);
  let filled = 0;
  const end = (present: boolean): void => {
    const row = presence.add(present);
    if (row === ends.length) ends = grown(ends, Int32Array);
    ends[row] = filled;
  };
  return {
    append(_, bytes, at, length) {
      if (filled + length > content.length) {
        const larger = new Uint8Array(Math.max(content.length * 2, filled + length));
        larger.set(content.subarray(0, filled));
        content = larger;
      }
      if (length < LOOP_BYTES_MAX)
        for (let i = 0; i < length; i += 1) content[filled + i] = bytes[at + i] ?? 0;
      else content.set(bytes.subarray(at, at + length), filled);
      filled += length;
      end(true);
      return length + LENGTH_BYTES;
    },
    appendNull() {
      end(false);
    },
    take() {
      const data = new Array<Uint8Array | null>(presence.rows);
      const cache = new Array<Uint8Array | undefined>(CACHE_PLACES);
      let from = 0;
      for (let row = 0; row < presence.rows; row += 1) {
        const to = ends[row] ?? 0;
        data[row] = presence.has(row) ? oneObject(cache, content, from, to) : null;
        from = to;
      }
      return { data };
    },
    clear() {
      presence.clear();
      filled = 0;
    },
  };
}

/** Equal bytes as one object as a rule: an object each would cost more than what is in it. */
function oneObject(
  cache: (Uint8Array | undefined)[],
  content: Uint8Array,
  from: number,
  to: number,
): Uint8Array {
  let hash = FNV_OFFSET;
  for (let at = from; at < to; at += 1) hash = Math.imul(hash ^ (content[at] ?? 0), FNV_PRIME);
  const place = (hash ^ (hash >>> 15)) & (CACHE_PLACES - 1);
  const known = cache[place];
  if (known !== undefined && known.length === to - from) {
    let at = from;
    while (at < to && known[at - from] === content[at]) at += 1;
    if (at === to) return known;
  }
  const fresh = content.subarray(from, to);
  cache[place] = fresh;
  return fresh;
}

/** A vector of decimals too long for 64 bits. */
function largeDecimals(read: (view: DataView, at: number) => bigint): Vector {
  const values: (bigint | null)[] = [];
  return {
    append(view, _, at) {
      values.push(read(view, at));
      return UNSCALED_BYTES;
    },
    appendNull() {
      values.push(null);
    },
    take: () => ({ data: values.slice() }),
    clear() {
      values.length = 0;
    },
  };
}

/** An empty vector for the column. Appending throws ParquetRefusal for a value the column's type has not. */
export function vectorOf(column: ParquetColumn): Vector {
  const { name, kind, precision, scale } = column;
  switch (kind) {
    case 'bool':
      return booleans();
    case 'int2':
      return numbers(Int32Array, (view, at) => view.getInt16(at));
    case 'int4':
      return numbers(Int32Array, (view, at) => view.getInt32(at));
    case 'int8':
      return numbers(BigInt64Array, (view, at) => view.getBigInt64(at));
    case 'oid':
      return numbers(BigInt64Array, (view, at) => BigInt(view.getUint32(at)));
    case 'float4':
      return numbers(Float32Array, (view, at) => view.getFloat32(at));
    case 'float8':
      return numbers(Float64Array, (view, at) => view.getFloat64(at));
    case 'time':
      return numbers(BigInt64Array, (view, at) => view.getBigInt64(at));
    case 'date':
      return numbers(Int32Array, (view, at) => dateOf(view.getInt32(at)));
    case 'timestamp':
    case 'timestamptz':
      return numbers(BigInt64Array, (view, at) => microsOf(view.getBigInt64(at), name));
    case 'uuid':
    case 'bytes':
    case 'text':
    case 'json':
      return byteStrings();
    case 'decimal': {
      const bound = 10n ** BigInt(precision);
      const read = (view: DataView, at: number): bigint => {
        const value = unscaledNumeric(view, at, scale);
        if (value !== undefined && value < bound && value > -bound) return value;
        throw new ParquetRefusal(
          `Column "${name}" has a number that DECIMAL(${precision}, ${scale}) does not hold, such as NaN. Ask for CSV, or leave the column out.`,
        );
      };
      if (precision <= 9) return numbers(Int32Array, (view, at) => Number(read(view, at)));
      return precision <= 18 ? numbers(BigInt64Array, read) : largeDecimals(read);
    }
  }
}

/** Days since 1970; the infinities are the largest number and its negative, as DuckDB has them. */
function dateOf(days: number): number {
  if (days === INT32_MAX) return INT32_MAX;
  return days === -INT32_MAX - 1 ? -INT32_MAX : days + EPOCH_DAYS;
}

function microsOf(micros: bigint, column: string): bigint {
  if (micros === INT64_MAX) return INT64_MAX;
  if (micros === INT64_MIN) return -INT64_MAX;
  if (micros <= MICROS_MAX) return micros + EPOCH_MICROS;
  throw new ParquetRefusal(
    `Column "${column}" has a time after the year 294246, which Parquet's microseconds do not reach. Ask for CSV, or leave the column out.`,
  );
}
