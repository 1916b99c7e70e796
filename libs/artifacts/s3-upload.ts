/** Streams a source of unknown length into a multipart upload: bounded buffers, and parts that grow with the file. */
import { addAbortSignal } from 'node:stream';
import { StoreFailure, type PartSource } from './artifact-store.js';
import { createLanes } from './lanes.js';
import type { Bucket, MultipartUpload, UploadedPart } from './s3-bucket.js';

const MIB = 1 << 20;
/** S3 takes no more, and none but the last below 5 MiB. */
export const S3_PARTS_MAX = 10_000;
const FIRST_PART_BYTES = 8 * MIB;
const LAST_PART_BYTES = 64 * MIB;
const PARTS_PER_SIZE = 1_000;
/** One is filled while these are sent. */
const SENDS_AT_ONCE = 2;

/** The length of part `part` (from 1): doubles every thousand parts up to 64 MiB, which makes room for 0.5 TiB. */
export function partBytes(part: number): number {
  return Math.min(FIRST_PART_BYTES * 2 ** Math.floor((part - 1) / PARTS_PER_SIZE), LAST_PART_BYTES);
}

/** Sends all of `source`; throws what the source, the server or the signal said, with the source destroyed. */
export async function sendStream(
  bucket: Bucket,
  upload: MultipartUpload,
  source: PartSource,
  signal: AbortSignal,
): Promise<{ parts: UploadedPart[]; bytes: number }> {
  const stop = new AbortController();
  const stopped = AbortSignal.any([signal, stop.signal]);
  const parts: UploadedPart[] = [];
  const free: Buffer[] = [];
  const failed: unknown[] = [];
  // A source may be slow to come to its next chunk: it must hear at once that nobody can take it.
  const lanes = createLanes(SENDS_AT_ONCE, (error) => {
    failed.push(error);
    source.destroy(error as Error);
  });
  let bytes = 0;
  let part = 1;
  let buffer: Buffer | undefined;
  let filled = 0;
  const take = (): Buffer => {
    const length = partBytes(part);
    const used = free.pop();
    return used?.length === length ? used : Buffer.allocUnsafeSlow(length);
  };
  const sendFilled = async (): Promise<void> => {
    const [full, number, body] = [buffer, part, (buffer ?? Buffer.alloc(0)).subarray(0, filled)];
    if (number > S3_PARTS_MAX) throw new StoreFailure('refused', 'EntityTooLarge');
    await lanes.start(async () => {
      parts.push(await bucket.send(upload, number, body, stopped));
      if (full) free.push(full);
    });
    part += 1;
    filled = 0;
    buffer = undefined;
  };
  try {
    addAbortSignal(signal, source);
    for await (const chunk of source as AsyncIterable<Buffer | string>) {
      const given = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      for (let offset = 0; offset < given.length;) {
        buffer ??= take();
        const copied = given.copy(buffer, filled, offset);
        offset += copied;
        filled += copied;
        bytes += copied;
        if (filled === buffer.length) await sendFilled();
      }
      source.takeBack?.(given);
    }
    // An empty file is one empty part.
    if (filled > 0 || part === 1) await sendFilled();
    await lanes.finish();
  } catch (error) {
    const [cause = error] = failed;
    stop.abort();
    source.destroy();
    // What was under way ends before the upload is given up, or it would leave parts behind.
    await lanes.finish().catch(() => undefined);
    throw cause;
  }
  return { parts: parts.sort((a, b) => a.PartNumber - b.PartNumber), bytes };
}
