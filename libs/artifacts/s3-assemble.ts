/** Carries out a plan of assembly: every byte is read once, in order, for the checksum; large parts the server copies. */
import { createHash } from 'node:crypto';
import { createLanes } from './lanes.js';
import { cut, type Segment, type SourceRange } from './s3-assembly.js';
import type { Bucket, ListedObject, MultipartUpload, UploadedPart } from './s3-bucket.js';

const READ_BYTES = 8 << 20;
/** Read ahead of the checksum: what bounds memory, with the joined parts under way. */
const READS_AT_ONCE = 4;
const COPIES_AT_ONCE = 4;
const JOINS_AT_ONCE = 2;

export interface Assembled {
  readonly parts: UploadedPart[];
  readonly sha256: string;
}

export interface AssembleOptions {
  readonly signal: AbortSignal;
  /** Hears how many bytes have gone into the checksum. */
  readonly onBytes: (bytes: number) => void;
}

/** Makes each segment a part of the upload. Throws SourceChanged or MultipartGone; nothing runs on afterwards. */
export async function assemble(
  bucket: Bucket,
  upload: MultipartUpload,
  sources: readonly ListedObject[],
  segments: readonly Segment[],
  { signal, onBytes }: AssembleOptions,
): Promise<Assembled> {
  const stop = new AbortController();
  const stopped = AbortSignal.any([signal, stop.signal]);
  const parts: UploadedPart[] = [];
  const failures: unknown[] = [];
  const fail = (error: unknown): void => {
    failures.push(error);
    stop.abort(error);
  };

  const copying = async (): Promise<void> => {
    const lanes = createLanes(COPIES_AT_ONCE, fail);
    try {
      for (const [index, { how, ranges }] of segments.entries()) {
        const [range] = ranges;
        if (how !== 'copy' || !range) continue;
        const source = sourceOf(sources, range);
        await lanes.start(async () => {
          parts.push(await bucket.copy(upload, index + 1, source, range, stopped));
        });
      }
    } finally {
      await lanes.finish();
    }
  };

  const hashing = async (): Promise<string> => {
    const hash = createHash('sha256');
    const lanes = createLanes(JOINS_AT_ONCE, fail);
    const reads = segments.flatMap(({ ranges }, index) =>
      ranges.flatMap((range) => cut(range, READ_BYTES).map((piece) => ({ ...piece, index }))),
    );
    let bytes = 0;
    let joined: { readonly whole: Buffer; filled: number } | undefined;
    try {
      for await (const { piece, body } of readAhead(bucket, sources, reads, stopped)) {
        hash.update(body);
        bytes += body.length;
        onBytes(bytes);
        const segment = segments[piece.index];
        if (segment?.how !== 'join') continue;
        joined ??= { whole: Buffer.allocUnsafeSlow(segment.bytes), filled: 0 };
        joined.filled += body.copy(joined.whole, joined.filled);
        if (joined.filled < segment.bytes) continue;
        const { whole } = joined;
        joined = undefined;
        await lanes.start(async () => {
          parts.push(await bucket.send(upload, piece.index + 1, whole, stopped));
        });
      }
    } finally {
      await lanes.finish();
    }
    return hash.digest('hex');
  };

  const [copied, hashed] = await Promise.allSettled([
    copying().catch(rethrowTo(fail)),
    hashing().catch(rethrowTo(fail)),
  ]);
  signal.throwIfAborted();
  if (failures.length > 0) throw failures[0];
  if (copied.status === 'rejected') throw copied.reason;
  if (hashed.status === 'rejected') throw hashed.reason;
  return { parts: parts.sort((a, b) => a.PartNumber - b.PartNumber), sha256: hashed.value };
}

/** Everything, in order, where it is little enough to be held. */
export async function readWhole(
  bucket: Bucket,
  sources: readonly ListedObject[],
  signal: AbortSignal,
): Promise<Buffer> {
  const reads = sources.flatMap(({ bytes }, source) =>
    bytes === 0 ? [] : [{ source, start: 0, end: bytes - 1, index: 0 }],
  );
  const whole = Buffer.alloc(sources.reduce((sum, { bytes }) => sum + bytes, 0));
  let filled = 0;
  for await (const { body } of readAhead(bucket, sources, reads, signal)) filled += body.copy(whole, filled);
  return whole;
}

type Read = SourceRange & { readonly index: number };

/** The ranges' bytes in order, with some being fetched ahead. A body is good until the next one is asked for. */
async function* readAhead(
  bucket: Bucket,
  sources: readonly ListedObject[],
  reads: readonly Read[],
  signal: AbortSignal,
): AsyncGenerator<{ piece: Read; body: Buffer }> {
  const ahead: { piece: Read; into: Buffer; body: Promise<Buffer> }[] = [];
  const free: Buffer[] = [];
  let next = 0;
  for (;;) {
    for (; ahead.length < READS_AT_ONCE && next < reads.length; next += 1) {
      const piece = reads[next] as Read;
      const into = free.pop() ?? Buffer.allocUnsafeSlow(READ_BYTES);
      const body = bucket.readRange(sourceOf(sources, piece), piece, into, signal);
      // Awaited in its turn; an earlier one may fail first.
      body.catch(() => undefined);
      ahead.push({ piece, into, body });
    }
    const first = ahead.shift();
    if (!first) return;
    yield { piece: first.piece, body: await first.body };
    free.push(first.into);
  }
}

function sourceOf(sources: readonly ListedObject[], { source }: SourceRange): ListedObject {
  const found = sources[source];
  if (!found) throw new RangeError(`there is no source ${source}`);
  return found;
}

function rethrowTo(fail: (error: unknown) => void) {
  return (error: unknown): never => {
    fail(error);
    throw error;
  };
}
