/** Brings the bytes of an image into the artifact store: streamed, sniffed, and refused as soon as they are none. */
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
import { Problem } from '../problems/problem.js';

const RETRY_AFTER_SECONDS = '2';

/** Stores all bytes under the upload's key, its id. Throws Problem; what is stored by then is the caller's to discard. */
export async function receiveImage(
  store: ArtifactStore,
  id: string,
  bytes: AsyncIterable<Buffer>,
): Promise<Contents> {
  const inspector = createInspector();
  async function* inspected(): AsyncGenerator<Buffer> {
    for await (const chunk of bytes) {
      await inspector.take(chunk);
      yield chunk;
    }
    await inspector.end();
  }
  try {
    await store.openUpload(id);
    const { signal } = new AbortController();
    await store.writePart(id, 0, Readable.from(inspected(), { objectMode: false }), signal);
    const { contentType, size, sha256 } = await inspector.end();
    const published = await store.publish(id, { parts: 1, filename: id, contentType });
    if (published.sha256 !== sha256)
      throw new Error(`the store has other bytes at ${locationOf(id)} than were sent`);
    return { contentType, ...size, bytes: published.bytes, sha256 };
  } catch (error) {
    throw problemOf(error);
  }
}

interface Inspector {
  /** Throws Problem as soon as it is clear that the bytes are not taken. */
  take(chunk: Buffer): Promise<void>;
  end(): Promise<{ contentType: string; size: ImageSize; sha256: string }>;
}

function createInspector(): Inspector {
  const hash = createHash('sha256');
  let head: Buffer[] = [];
  let headBytes = 0;
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

function notAnImage(instead: string): Problem {
  return new Problem('upload_not_an_image', `Expected ${TAKEN_NAMES}; the bytes are ${instead}.`);
}

function tooManyPixels({ width, height }: ImageSize): Problem {
  return new Problem(
    'image_too_large',
    `The image has ${width} × ${height} pixels; ${IMAGE_PIXELS_MAX} are the most.`,
  );
}

/** What became of the store, as whoever uploads should hear it. */
function problemOf(error: unknown): unknown {
  if (error instanceof Problem) return error;
  const failure = storeFailureOf(error);
  if (failure?.verdict !== 'busy') return error;
  return new Problem('store_unavailable', 'The store of files does not take it now. Nothing was kept.', {
    headers: { 'retry-after': RETRY_AFTER_SECONDS },
    cause: error,
  });
}
