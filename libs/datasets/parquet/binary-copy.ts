/**
 * Reads `COPY … TO STDOUT (FORMAT binary)` as its bytes come, cut anywhere: a header, rows of fields with their lengths,
 * a trailer (PostgreSQL manual, COPY, "Binary Format").
 */
import { ParquetRefusal } from './refusal.js';
import { grown, type Vector } from './vector.js';

const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
const HEADER_BYTES = SIGNATURE.length + 8;
const COUNT_BYTES = 2;
const LENGTH_BYTES = 4;
const TRAILER = -1;
/** What is held of a row that is not whole yet; a group of rows is little larger. */
export const ROW_BYTES_MAX = 64 << 20;

export interface BinaryCopyReader {
  /** Takes the next bytes, which are used until it returns. */
  push(chunk: Uint8Array): void;
  /** Throws unless the trailer has come. */
  end(): void;
}

/** Appends every value to its column's vector; `onRow` hears of each whole row with what it costs in memory. */
export function readBinaryCopy(
  vectors: readonly Vector[],
  onRow: (costBytes: number) => void,
  rowBytesMax = ROW_BYTES_MAX,
): BinaryCopyReader {
  /** The bytes of a row that is not whole yet. */
  let rest = new Uint8Array(0);
  let restBytes = 0;
  let begun = false;
  let ended = false;

  /** Takes whole rows; answers where the first that is not whole begins. */
  function take(bytes: Uint8Array): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    if (!begun) {
      if (bytes.length < HEADER_BYTES) return 0;
      if (SIGNATURE.compare(bytes, 0, SIGNATURE.length) !== 0) throw new Error('expected a binary COPY');
      at = HEADER_BYTES + view.getUint32(SIGNATURE.length + 4);
      begun = true;
    }
    while (!ended && hasRow(view, at)) {
      const fields = view.getInt16(at);
      at += COUNT_BYTES;
      if (fields === TRAILER) {
        ended = true;
        break;
      }
      let cost = 0;
      for (let field = 0; field < fields; field += 1) {
        const length = view.getInt32(at);
        at += LENGTH_BYTES;
        const vector = vectors[field] as Vector;
        if (length < 0) vector.appendNull();
        else {
          cost += vector.append(view, bytes, at, length);
          at += length;
        }
      }
      onRow(cost);
    }
    return at;
  }

  /** Whether a whole row, or the trailer, lies there. */
  function hasRow(view: DataView, from: number): boolean {
    const { byteLength } = view;
    if (from + COUNT_BYTES > byteLength) return false;
    const fields = view.getInt16(from);
    if (fields === TRAILER) return true;
    if (fields !== vectors.length)
      throw new Error(`expected rows of ${vectors.length} columns, one has ${fields}`);
    let at = from + COUNT_BYTES;
    for (let field = 0; field < fields; field += 1) {
      if (at + LENGTH_BYTES > byteLength) return false;
      at += LENGTH_BYTES + Math.max(0, view.getInt32(at));
    }
    return at <= byteLength;
  }

  /** Keeps what is left, in a buffer that doubles: a long row comes in many chunks. */
  function keep(chunk: Uint8Array): void {
    const needed = restBytes + chunk.length;
    if (needed > rowBytesMax) {
      throw new ParquetRefusal(
        `A row is longer than ${rowBytesMax >> 20} MiB, which is more than a Parquet export takes. Ask for CSV, or leave a column out.`,
      );
    }
    if (needed > rest.length) rest = grown(rest, needed);
    rest.set(chunk, restBytes);
    restBytes = needed;
  }

  return {
    push(chunk) {
      if (restBytes === 0) {
        const taken = take(chunk);
        if (taken < chunk.length) keep(chunk.subarray(taken));
        return;
      }
      keep(chunk);
      const whole = rest.subarray(0, restBytes);
      const taken = take(whole);
      rest.copyWithin(0, taken, restBytes);
      restBytes -= taken;
    },
    end() {
      if (!ended) throw new Error('a binary COPY ended before its trailer');
    },
  };
}
