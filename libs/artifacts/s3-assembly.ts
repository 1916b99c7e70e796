/** How parts of any size become the parts of one S3 object, of which only the last may be below 5 MiB. */
import type { ByteRange } from './range.js';
import { S3_PARTS_MAX } from './s3-upload.js';

const MIB = 1 << 20;
export const S3_PART_BYTES_MIN = 5 * MIB;
/** The server copies so much in one request at most: one that is repeated costs little, and several run at once. */
const COPY_BYTES_MAX = 256 * MIB;
/** What is joined passes through memory. */
const JOIN_BYTES_MIN_LIMIT = 64 * MIB;

/** A range of a source, both ends inclusive. */
export interface SourceRange extends ByteRange {
  /** Which of the sources, from 0. */
  readonly source: number;
}

/** `copy`: one range the server copies itself. `join`: ranges that pass through us to become one part. */
export interface Segment {
  readonly how: 'copy' | 'join';
  readonly ranges: readonly SourceRange[];
  readonly bytes: number;
}

/** The segments of one object made of sources of these lengths, in order; every byte is in exactly one. */
export function planAssembly(lengths: readonly number[]): Segment[] {
  for (let join = S3_PART_BYTES_MIN, copy = COPY_BYTES_MAX; ; join *= 2, copy *= 2) {
    const segments = plan(lengths, join, copy);
    if (segments.length <= S3_PARTS_MAX) return segments;
    if (join >= JOIN_BYTES_MIN_LIMIT) {
      throw new RangeError(`${segments.length} parts would be needed, and S3 takes ${S3_PARTS_MAX} at most`);
    }
  }
}

function plan(lengths: readonly number[], joinBytes: number, copyBytesMax: number): Segment[] {
  const segments: Segment[] = [];
  let joining: SourceRange[] = [];
  let joined = 0;
  const flush = (): void => {
    if (joined > 0) segments.push({ how: 'join', ranges: joining, bytes: joined });
    [joining, joined] = [[], 0];
  };
  for (const [source, length] of lengths.entries()) {
    let start = 0;
    // After small parts a large one gives as much as they lack, and is copied from there on.
    const lacking = joined === 0 ? 0 : joinBytes - joined;
    if (length - lacking >= joinBytes) {
      if (lacking > 0) {
        joining.push({ source, start: 0, end: lacking - 1 });
        joined += lacking;
        start = lacking;
      }
      flush();
      for (const range of cut({ source, start, end: length - 1 }, copyBytesMax)) {
        segments.push({ how: 'copy', ranges: [range], bytes: lengthOf(range) });
      }
      continue;
    }
    if (length > 0) joining.push({ source, start, end: length - 1 });
    joined += length;
    if (joined >= joinBytes) flush();
  }
  flush();
  return segments;
}

/** Cuts a range into about equal ones, none longer than `bytesMax` and so none much shorter than half of it. */
export function cut({ source, start, end }: SourceRange, bytesMax: number): SourceRange[] {
  const bytes = end - start + 1;
  const count = Math.ceil(bytes / bytesMax);
  return Array.from({ length: count }, (_, piece) => ({
    source,
    start: start + Math.floor((bytes * piece) / count),
    end: start + Math.floor((bytes * (piece + 1)) / count) - 1,
  }));
}

export function lengthOf({ start, end }: ByteRange): number {
  return end - start + 1;
}
