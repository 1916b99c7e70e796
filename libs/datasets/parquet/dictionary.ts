/** Dictionaries: each value once, and for each row which one it is. Made only where that is much shorter. */
import { startOf, type ByteValues, type FixedValues } from './vector.js';

/** Indexes stay below 16 bits; more different values than this are hardly a dictionary. */
const VALUES_MAX = 1 << 15;
const PLACES = VALUES_MAX * 2;
/** After so many values it is clear whether most are new. */
const SAMPLE = 4_096;
const SAMPLE_DISTINCT_MAX = 0.5;
/** A dictionary costs its reader a look-up for each value: it must save a quarter at least. */
const WORTH = 0.75;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const LENGTH_BYTES = 4;

export interface Dictionary {
  /** How many values it has. */
  readonly size: number;
  /** Its values' numbers among those of the vector: where each first came. */
  readonly firsts: Int32Array;
  /** Of each value that is not NULL. */
  readonly indexes: Int32Array;
  readonly bitWidth: number;
}

export interface DictionaryMaker {
  /** Undefined where plain values are the better choice. Valid until the next is made. */
  make(values: FixedValues | ByteValues): Dictionary | undefined;
}

/** Memory for one dictionary after the other. */
export function createDictionaryMaker(): DictionaryMaker {
  const places = new Int32Array(PLACES);
  const firsts = new Int32Array(VALUES_MAX);
  let indexes = new Int32Array(PLACES);

  function number(
    count: number,
    hashOf: (index: number) => number,
    isSame: (index: number, other: number) => boolean,
  ): number | undefined {
    places.fill(0);
    if (indexes.length < count) indexes = new Int32Array(count);
    let size = 0;
    for (let index = 0; index < count; index += 1) {
      let place = hashOf(index) & (PLACES - 1);
      for (;;) {
        const known = places[place] ?? 0;
        if (known === 0) {
          if (size === VALUES_MAX || (index === SAMPLE && size > SAMPLE * SAMPLE_DISTINCT_MAX))
            return undefined;
          firsts[size] = index;
          size += 1;
          places[place] = size;
          indexes[index] = size - 1;
          break;
        }
        if (isSame(index, firsts[known - 1] ?? 0)) {
          indexes[index] = known - 1;
          break;
        }
        place = (place + 1) & (PLACES - 1);
      }
    }
    return size;
  }

  function numberOf(values: FixedValues | ByteValues): number | undefined {
    if (values.kind === 'bytes') {
      const { content, ends } = values;
      return number(values.count, hashOfBytes(content, ends), isSameBytes(content, ends));
    }
    const { buffer, byteOffset, length } = values.bytes();
    const words = new Int32Array(buffer, byteOffset, length / Int32Array.BYTES_PER_ELEMENT);
    if (values.width === 4)
      return number(
        values.count,
        (index) => mix(words[index] ?? 0),
        (index, other) => words[index] === words[other],
      );
    return number(
      values.count,
      (index) => mix((words[2 * index] ?? 0) ^ Math.imul(words[2 * index + 1] ?? 0, FNV_PRIME)),
      (index, other) =>
        words[2 * index] === words[2 * other] && words[2 * index + 1] === words[2 * other + 1],
    );
  }

  return {
    make(values) {
      // Longer ones are UUIDs and large decimals, which do not come twice as a rule.
      if (values.count === 0 || (values.kind === 'fixed' && values.width > 8)) return undefined;
      const size = numberOf(values);
      if (size === undefined) return undefined;
      const bitWidth = Math.max(1, 32 - Math.clz32(size - 1));
      const plain = plainBytes(values, values.count, (index) => index);
      const dictionary = plainBytes(values, size, (index) => firsts[index] ?? 0);
      if (dictionary + (values.count * bitWidth) / 8 > plain * WORTH) return undefined;
      return { size, firsts, indexes: indexes.subarray(0, values.count), bitWidth };
    },
  };
}

/** How long so many values are when they lie as they are. */
function plainBytes(values: FixedValues | ByteValues, count: number, nth: (index: number) => number): number {
  if (values.kind === 'fixed') return count * values.width;
  const { ends } = values;
  if (count === values.count) return (ends[count - 1] ?? 0) + count * LENGTH_BYTES;
  let bytes = count * LENGTH_BYTES;
  for (let index = 0; index < count; index += 1) {
    const value = nth(index);
    bytes += (ends[value] ?? 0) - startOf(ends, value);
  }
  return bytes;
}

function mix(word: number): number {
  const mixed = Math.imul(word ^ (word >>> 15), 0x2c1b3c6d);
  return mixed ^ (mixed >>> 13);
}

const hashOfBytes =
  (content: Uint8Array, ends: Int32Array) =>
  (index: number): number => {
    let hash = FNV_OFFSET;
    const to = ends[index] ?? 0;
    for (let at = startOf(ends, index); at < to; at += 1)
      hash = Math.imul(hash ^ (content[at] ?? 0), FNV_PRIME);
    return hash ^ (hash >>> 15);
  };

const isSameBytes =
  (content: Uint8Array, ends: Int32Array) =>
  (index: number, other: number): boolean => {
    const from = startOf(ends, index);
    const otherFrom = startOf(ends, other);
    const length = (ends[index] ?? 0) - from;
    if (length !== (ends[other] ?? 0) - otherFrom) return false;
    for (let i = 0; i < length; i += 1) if (content[from + i] !== content[otherFrom + i]) return false;
    return true;
  };
