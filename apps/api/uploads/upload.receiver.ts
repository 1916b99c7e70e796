/** Brings the bytes of an upload into the artifact store: streamed, counted, sniffed, and taken back where they are no image. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { locationOf, type ArtifactStore } from '../../../libs/artifacts/artifact-store.js';
import { storeFailureOf } from '../../../libs/artifacts/store-failure.js';
import { IMAGE_PIXELS_MAX } from '../../../libs/images/limits.js';
import {
  HEAD_BYTES_MAX,
  sniffSize,
  sniffType,
  TAKEN_NAMES,
  TYPE_BYTES,
  type ImageSize,
} from '../../../libs/images/sniff.js';
import type { Contents } from '../../../libs/uploads/uploads.store.js';
import { UPLOAD_SILENCE_MAX_MS } from '../http/limits.js';
import { Problem } from '../problems/problem.js';

const MIB = 1 << 20;
const RETRY_AFTER_SECONDS = '2';

export interface Incoming {
  /** The upload's id, which is its key in the store. */
  readonly id: string;
  readonly body: Readable;
  readonly bytesMax: number;
  /** How long nothing may come. */
  readonly silenceMaxMs?: number;
}

/** Stores all bytes under the upload's key. Throws Problem; what is stored by then is the caller's to discard. */
export async function receive(
  store: ArtifactStore,
  { id, body, bytesMax, silenceMaxMs = UPLOAD_SILENCE_MAX_MS }: Incoming,
): Promise<Contents> {
  const inspector = createInspector(bytesMax);
  const silence = Promise.withResolvers<never>();
  // It is awaited in races only.
  silence.promise.catch(() => undefined);
  const timer = setTimeout(() => silence.reject(silent(silenceMaxMs)), silenceMaxMs);
  // What breaks off is told to whoever reads it; nobody may be reading.
  body.on('error', () => undefined);
  async function* inspected(): AsyncGenerator<Buffer> {
    // The connection has an answer to carry: it is not destroyed with the loop.
    const chunks = body.iterator({ destroyOnReturn: false });
    for (;;) {
      const next: IteratorResult<Buffer, undefined> = await Promise.race([
        chunks.next() as Promise<IteratorResult<Buffer, undefined>>,
        silence.promise,
      ]);
      if (next.done) break;
      timer.refresh();
      await inspector.take(next.value);
      yield next.value;
    }
    await inspector.end();
  }
  try {
    await store.openUpload(id);
    const { signal } = new AbortController();
    await store.writePart(id, 0, Readable.from(inspected(), { objectMode: false }), signal);
    const { contentType, size, sha256 } = await inspector.end();
    const { bytes, sha256: stored } = await store.publish(id, { parts: 1, filename: id, contentType });
    if (stored !== sha256) throw new Error(`the store has other bytes at ${locationOf(id)} than were sent`);
    return { contentType, ...size, bytes, sha256 };
  } catch (error) {
    throw problemOf(error, body);
  } finally {
    clearTimeout(timer);
  }
}

interface Inspector {
  /** Throws Problem as soon as it is clear that the bytes are not taken. */
  take(chunk: Buffer): Promise<void>;
  end(): Promise<{ contentType: string; size: ImageSize; sha256: string }>;
}

function createInspector(bytesMax: number): Inspector {
  const hash = createHash('sha256');
  let head: Buffer[] = [];
  let headBytes = 0;
  let bytes = 0;
  let contentType: string | undefined;
  let size: ImageSize | undefined;
  let done: Awaited<ReturnType<Inspector['end']>> | undefined;

  async function look(isWhole: boolean): Promise<void> {
    const wanted = contentType === undefined ? TYPE_BYTES : HEAD_BYTES_MAX;
    if (size || (!isWhole && headBytes < wanted)) return;
    const start = Buffer.concat(head);
    if (contentType === undefined) {
      const found = await sniffType(start);
      if ('instead' in found) throw notAnImage(found.instead);
      contentType = found.contentType;
    }
    if (!isWhole && headBytes < HEAD_BYTES_MAX) return;
    size = sniffSize(start);
    head = [];
    if (!size) throw new Problem('image_unreadable', `The ${contentType} has no header that can be read.`);
    if (size.width * size.height > IMAGE_PIXELS_MAX) throw tooManyPixels(size);
  }

  return {
    async take(chunk) {
      bytes += chunk.length;
      if (bytes > bytesMax) throw tooLarge(bytesMax);
      hash.update(chunk);
      if (headBytes < HEAD_BYTES_MAX) {
        head.push(chunk);
        headBytes += chunk.length;
        await look(false);
      }
    },
    async end() {
      if (done) return done;
      await look(true);
      if (contentType === undefined || !size) throw new TypeError('an upload was not looked at');
      done = { contentType, size, sha256: hash.digest('hex') };
      return done;
    },
  };
}

export function tooLarge(bytesMax: number): Problem {
  const limit = bytesMax % MIB === 0 ? `${bytesMax / MIB} MiB` : `${bytesMax} bytes`;
  return new Problem('upload_too_large', `An upload may have ${limit} at most.`);
}

function notAnImage(instead: string): Problem {
  return new Problem('upload_not_an_image', `Expected ${TAKEN_NAMES}; the bytes are ${instead}.`);
}

function tooManyPixels({ width, height }: ImageSize): Problem {
  return new Problem(
    'image_too_large',
    `The image has ${width} × ${height} pixels; ${IMAGE_PIXELS_MAX} are the most.`,
  );
}

function silent(forMs: number): Problem {
  return new Problem('request_timeout', `No byte came for ${forMs} ms.`);
}

/** What became of the connection or the store, as whoever uploads should hear it. */
function problemOf(error: unknown, body: Readable): unknown {
  if (error instanceof Problem) return error;
  if (body.errored || (body.destroyed && !body.readableEnded)) {
    return new Problem('upload_interrupted', 'The connection broke before all bytes were there.', {
      cause: error,
    });
  }
  const failure = storeFailureOf(error);
  if (failure?.verdict !== 'busy') return error;
  return new Problem('store_unavailable', 'The store of files does not take it now. Nothing was kept.', {
    headers: { 'retry-after': RETRY_AFTER_SECONDS },
    cause: error,
  });
}
