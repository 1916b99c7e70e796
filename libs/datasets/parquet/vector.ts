/**
 * Column vectors: the values of one row group as they come, in the very bytes they have in a page, without those that
 * are NULL. A vector keeps its memory from group to group: no row costs an object.
 */
import { unscaledNumeric } from './numeric.js';
import { decimalLength, type ParquetColumn } from './parquet-column.js';
import { ParquetRefusal } from './refusal.js';

/** 2000-01-01, from which PostgreSQL counts, in the days and microseconds of 1970, from which Parquet does. */
const EPOCH_DAYS = 10_957;
const EPOCH_MICROS = 946_684_800_000_000n;
const INT32_MAX = 2_147_483_647;
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
/** Up to here there is room for the difference of the epochs, and for the infinity above. */
const MICROS_MAX = INT64_MAX - EPOCH_MICROS - 1n;
/** The same in words of 32 bits, and how far the higher one may be from zero for them to be enough. */
const EPOCH_HIGH = Number(EPOCH_MICROS >> 32n);
const EPOCH_LOW = Number(EPOCH_MICROS & 0xffff_ffffn);
const HIGH_FAR = 2 ** 30;
const WORD_MAX = 0xffff_ffff;
const ROWS_FIRST = 1_024;
const TEXT_BYTES_FIRST = 4_096;
const LENGTH_BYTES = 4;
const UUID_BYTES = 16;
/** Below this length a loop beats the call of `set`. */
const LOOP_BYTES_MAX = 32;

/** The smallest and the largest value, as the library's statistics take them; undefined where there is none. */
export interface Bounds {
  readonly min: number | bigint | boolean | Uint8Array | undefined;
  readonly max: number | bigint | boolean | Uint8Array | undefined;
}

/** Values that are all of one length. */
export interface FixedValues {
  readonly kind: 'fixed';
  readonly width: number;
  readonly count: number;
  /** One behind the other, as they lie in a page. */
  bytes(): Uint8Array;
  bounds(): Bounds;
}

/** Values of any length. */
export interface ByteValues {
  readonly kind: 'bytes';
  readonly count: number;
  readonly content: Uint8Array;
  /** Where each ends in the content; it begins where the one before ends. */
  readonly ends: Int32Array;
}

/** Values of a bit; here they take a byte. */
export interface BitValues {
  readonly kind: 'bits';
  readonly count: number;
  readonly bits: Uint8Array;
}

export type Values = FixedValues | ByteValues | BitValues;

/** Which rows have a value. */
export class Presence {
  rows = 0;
  nulls = 0;
  #levels = new Uint8Array(ROWS_FIRST);

  add(present: boolean): void {
    if (this.rows === this.#levels.length) this.#levels = grown(this.#levels);
    this.#levels[this.rows] = present ? 1 : 0;
    if (!present) this.nulls += 1;
    this.rows += 1;
  }

  /** 1 for a row with a value, 0 for one without: Parquet's definition levels. */
  levels(): Uint8Array {
    return this.#levels.subarray(0, this.rows);
  }

  clear(): void {
    this.rows = 0;
    this.nulls = 0;
  }
}

export interface Vector {
  readonly presence: Presence;
  readonly values: Values;
  /** Adds the value that lies there; answers what it costs in memory. */
  append(view: DataView, bytes: Uint8Array, at: number, length: number): number;
  appendNull(): void;
  clear(): void;
}

type NumberArray = Int32Array | Float32Array | Float64Array;

/** Twice the room, or more, with the same beginning. */
export function grown<T extends Uint8Array | NumberArray>(array: T, lengthMin = 0): T {
  const Kind = array.constructor as new (length: number) => T;
  const larger = new Kind(Math.max(array.length * 2, lengthMin));
  larger.set(array);
  return larger;
}

/** Where a byte string begins: where the one before ends. */
export function startOf(ends: Int32Array, index: number): number {
  return index === 0 ? 0 : (ends[index - 1] ?? 0);
}

/** A vector of numbers in an array of their own type, which is how this machine and a page have them. */
function numbers<T extends NumberArray>(
  Kind: { new (length: number): T; readonly BYTES_PER_ELEMENT: number },
  read: (view: DataView, at: number) => number,
): Vector {
  const presence = new Presence();
  const width = Kind.BYTES_PER_ELEMENT;
  let array = new Kind(ROWS_FIRST);
  let count = 0;
  return {
    presence,
    values: {
      kind: 'fixed',
      width,
      get count() {
        return count;
      },
      bytes: () => new Uint8Array(array.buffer, 0, count * width),
      bounds: () => boundsOf(array.subarray(0, count)),
    },
    append(view, _, at) {
      if (count === array.length) array = grown(array);
      array[count] = read(view, at);
      count += 1;
      presence.add(true);
      return width;
    },
    appendNull: () => presence.add(false),
    clear() {
      presence.clear();
      count = 0;
    },
  };
}

/** NaN is no bound; a bound that is zero may be either zero (parquet.thrift, Statistics). */
function boundsOf(array: NumberArray): Bounds {
  let min: number | undefined;
  let max: number | undefined;
  for (const value of array) {
    if (min === undefined || max === undefined) {
      if (!Number.isNaN(value)) [min, max] = [value, value];
    } else if (value < min) min = value;
    else if (value > max) max = value;
  }
  return { min: min === 0 ? -0 : min, max: max === 0 ? 0 : max };
}

/**
 * A vector of 64-bit integers as pairs of words, the lower one first: a bigint each would be most of their cost.
 * `put` writes the pair.
 */
function longs(put: (words: Int32Array, to: number, view: DataView, at: number) => void): Vector {
  const presence = new Presence();
  const width = BigInt64Array.BYTES_PER_ELEMENT;
  let words = new Int32Array(2 * ROWS_FIRST);
  let filled = 0;
  return {
    presence,
    values: {
      kind: 'fixed',
      width,
      get count() {
        return filled / 2;
      },
      bytes: () => new Uint8Array(words.buffer, 0, (filled / 2) * width),
      bounds: () => longBounds(words, filled),
    },
    append(view, _, at) {
      if (filled === words.length) words = grown(words);
      put(words, filled, view, at);
      filled += 2;
      presence.add(true);
      return width;
    },
    appendNull: () => presence.add(false),
    clear() {
      presence.clear();
      filled = 0;
    },
  };
}

function longBounds(words: Int32Array, filled: number): Bounds {
  if (filled === 0) return { min: undefined, max: undefined };
  let [min, max] = [0, 0];
  for (let at = 2; at < filled; at += 2) {
    if (isLessLong(words, at, min)) min = at;
    else if (isLessLong(words, max, at)) max = at;
  }
  return { min: longAt(words, min), max: longAt(words, max) };
}

function isLessLong(words: Int32Array, one: number, other: number): boolean {
  const [high, otherHigh] = [words[one + 1] ?? 0, words[other + 1] ?? 0];
  if (high !== otherHigh) return high < otherHigh;
  return (words[one] ?? 0) >>> 0 < (words[other] ?? 0) >>> 0;
}

function longAt(words: Int32Array, at: number): bigint {
  return (BigInt(words[at + 1] ?? 0) << 32n) | BigInt((words[at] ?? 0) >>> 0);
}

/** As PostgreSQL sends it: the higher word first. */
function putLong(words: Int32Array, to: number, view: DataView, at: number): void {
  words[to] = view.getInt32(at + 4);
  words[to + 1] = view.getInt32(at);
}

function putBigInt(words: Int32Array, to: number, value: bigint): void {
  words[to] = Number(BigInt.asIntN(32, value));
  words[to + 1] = Number(value >> 32n);
}

/** A vector of values of one length that are no number of the machine's; `write` puts one at the place. */
function fixed(
  width: number,
  write: (target: Uint8Array, to: number, view: DataView, bytes: Uint8Array, at: number) => void,
  bounds: (content: Uint8Array) => Bounds,
): Vector {
  const presence = new Presence();
  let content = new Uint8Array(width * ROWS_FIRST);
  let count = 0;
  const bytes = (): Uint8Array => content.subarray(0, count * width);
  return {
    presence,
    values: {
      kind: 'fixed',
      width,
      get count() {
        return count;
      },
      bytes,
      bounds: () => bounds(bytes()),
    },
    append(view, source, at) {
      if (count * width === content.length) content = grown(content);
      write(content, count * width, view, source, at);
      count += 1;
      presence.add(true);
      return width;
    },
    appendNull: () => presence.add(false),
    clear() {
      presence.clear();
      count = 0;
    },
  };
}

function uuids(): Vector {
  return fixed(
    UUID_BYTES,
    (target, to, _, bytes, at) => {
      for (let i = 0; i < UUID_BYTES; i += 1) target[to + i] = bytes[at + i] ?? 0;
    },
    (content) => byteBounds(content, content.length / UUID_BYTES, (index) => (index + 1) * UUID_BYTES),
  );
}

/** Decimals too long for 64 bits: two's complement, the highest byte first. */
function largeDecimals(precision: number, read: (view: DataView, at: number) => bigint): Vector {
  const width = decimalLength(precision);
  let min: bigint | undefined;
  let max: bigint | undefined;
  const vector = fixed(
    width,
    (target, to, view, _, at) => {
      const value = read(view, at);
      if (min === undefined || value < min) min = value;
      if (max === undefined || value > max) max = value;
      let left = value;
      for (let place = to + width - 1; place >= to; place -= 1) {
        target[place] = Number(left & 0xffn);
        left >>= 8n;
      }
    },
    () => ({ min, max }),
  );
  return {
    ...vector,
    clear() {
      vector.clear();
      min = max = undefined;
    },
  };
}

function booleans(): Vector {
  const presence = new Presence();
  let bits = new Uint8Array(ROWS_FIRST);
  let count = 0;
  return {
    presence,
    values: {
      kind: 'bits',
      get count() {
        return count;
      },
      get bits() {
        return bits.subarray(0, count);
      },
    },
    append(view, _, at) {
      if (count === bits.length) bits = grown(bits);
      bits[count] = view.getUint8(at);
      count += 1;
      presence.add(true);
      return 1;
    },
    appendNull: () => presence.add(false),
    clear() {
      presence.clear();
      count = 0;
    },
  };
}

/** A vector of byte strings, laid end to end. */
function byteStrings(): Vector {
  const presence = new Presence();
  let content = new Uint8Array(TEXT_BYTES_FIRST);
  let ends = new Int32Array(ROWS_FIRST);
  let count = 0;
  let filled = 0;
  return {
    presence,
    values: {
      kind: 'bytes',
      get count() {
        return count;
      },
      get content() {
        return content;
      },
      get ends() {
        return ends;
      },
    },
    append(_, bytes, at, length) {
      if (filled + length > content.length) content = grown(content, filled + length);
      if (length < LOOP_BYTES_MAX)
        for (let i = 0; i < length; i += 1) content[filled + i] = bytes[at + i] ?? 0;
      else content.set(bytes.subarray(at, at + length), filled);
      filled += length;
      if (count === ends.length) ends = grown(ends);
      ends[count] = filled;
      count += 1;
      presence.add(true);
      return length + LENGTH_BYTES;
    },
    appendNull: () => presence.add(false),
    clear() {
      presence.clear();
      count = 0;
      filled = 0;
    },
  };
}

/** The bounds of byte strings that lie one behind the other, by their unsigned bytes. */
export function byteBounds(content: Uint8Array, count: number, endOf: (index: number) => number): Bounds {
  if (count === 0) return { min: undefined, max: undefined };
  let [minFrom, minTo, maxFrom, maxTo, from] = [0, endOf(0), 0, endOf(0), 0];
  for (let index = 0; index < count; index += 1) {
    const to = endOf(index);
    if (isLess(content, from, to, minFrom, minTo)) [minFrom, minTo] = [from, to];
    else if (isLess(content, maxFrom, maxTo, from, to)) [maxFrom, maxTo] = [from, to];
    from = to;
  }
  return { min: content.slice(minFrom, minTo), max: content.slice(maxFrom, maxTo) };
}

function isLess(content: Uint8Array, from: number, to: number, otherFrom: number, otherTo: number): boolean {
  const length = Math.min(to - from, otherTo - otherFrom);
  for (let i = 0; i < length; i += 1) {
    const difference = (content[from + i] ?? 0) - (content[otherFrom + i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return to - from < otherTo - otherFrom;
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
    case 'time':
      return longs(putLong);
    case 'oid':
      return longs((words, to, view, at) => {
        words[to] = view.getInt32(at);
        words[to + 1] = 0;
      });
    case 'float4':
      return numbers(Float32Array, (view, at) => view.getFloat32(at));
    case 'float8':
      return numbers(Float64Array, (view, at) => view.getFloat64(at));
    case 'date':
      return numbers(Int32Array, (view, at) => dateOf(view.getInt32(at)));
    case 'timestamp':
    case 'timestamptz':
      return longs((words, to, view, at) => putMicros(words, to, view, at, name));
    case 'uuid':
      return uuids();
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
      switch (decimalLength(precision)) {
        case Int32Array.BYTES_PER_ELEMENT:
          return numbers(Int32Array, (view, at) => Number(read(view, at)));
        case BigInt64Array.BYTES_PER_ELEMENT:
          return longs((words, to, view, at) => putBigInt(words, to, read(view, at)));
        default:
          return largeDecimals(precision, read);
      }
    }
  }
}

/** Days since 1970; the infinities are the largest number and its negative, as DuckDB has them. */
function dateOf(days: number): number {
  if (days === INT32_MAX) return INT32_MAX;
  return days === -INT32_MAX - 1 ? -INT32_MAX : days + EPOCH_DAYS;
}

/** Microseconds since 1970, the infinities as for dates. */
function putMicros(words: Int32Array, to: number, view: DataView, at: number, column: string): void {
  const [high, low] = [view.getInt32(at), view.getUint32(at + 4)];
  if (high > -HIGH_FAR && high < HIGH_FAR) {
    // The usual: both are far from what 64 bits hold, and the carry is all there is to mind.
    const sum = low + EPOCH_LOW;
    words[to] = sum;
    words[to + 1] = high + EPOCH_HIGH + (sum > WORD_MAX ? 1 : 0);
    return;
  }
  const micros = view.getBigInt64(at);
  if (micros === INT64_MAX) putBigInt(words, to, INT64_MAX);
  else if (micros === INT64_MIN) putBigInt(words, to, -INT64_MAX);
  else if (micros <= MICROS_MAX) putBigInt(words, to, micros + EPOCH_MICROS);
  else {
    throw new ParquetRefusal(
      `Column "${column}" has a time after the year 294246, which Parquet's microseconds do not reach. Ask for CSV, or leave the column out.`,
    );
  }
}
