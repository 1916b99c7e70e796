/** Bodies that a route takes as they arrive, instead of JSON: held to a number of bytes, and to how long nothing may come. */
import type { FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import { Problem } from '../problems/problem.js';
import { UPLOAD_DISCARD_MAX_MS, UPLOAD_SILENCE_MAX_MS } from './limits.js';

/** What a route takes. */
export interface Bounds {
  readonly bytesMax: number;
  readonly tooLarge: (bytesMax: number) => Problem;
  /** How long nothing may come. */
  readonly silenceMaxMs?: number;
}

/** What a handler works on. */
export interface StreamedBody {
  /** Without parameters. */
  readonly mediaType: string;
  /** As they come. They throw Problem where they are too many, break off or stay away. */
  readonly bytes: AsyncIterable<Buffer>;
}

/** The body's media type, where its route takes that as it arrives. */
export function streamedType(request: FastifyRequest): string | undefined {
  const mediaType = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  const isTaken = (type: string): boolean =>
    type.endsWith('/*') ? mediaType.startsWith(type.slice(0, -1)) : mediaType === type;
  return request.routeOptions.config?.streams?.some(isTaken) ? mediaType : undefined;
}

/**
 * Works on the body of a request whose route takes it as it arrives. Throws Problem `unsupported_media_type` where it is
 * another. Whoever is refused reads its answer only once it has sent all: for a while the rest is read and thrown away,
 * and then the connection is cut.
 */
export async function receive<T>(
  request: FastifyRequest,
  bounds: Bounds,
  work: (body: StreamedBody) => Promise<T>,
): Promise<T> {
  const mediaType = streamedType(request);
  if (mediaType === undefined) throw wrongMediaType(request);
  const bytes = arriving(request.body as Readable, bounds);
  try {
    if (Number(request.headers['content-length'] ?? 0) > bounds.bytesMax) {
      throw bounds.tooLarge(bounds.bytesMax);
    }
    return await work({ mediaType, bytes });
  } catch (error) {
    discardRest(request, bytes);
    throw error;
  }
}

/** What a route takes instead of what came. */
export function wrongMediaType(request: FastifyRequest): Problem {
  const expected = request.routeOptions.config?.streams?.join(' or ') ?? 'application/json';
  const came = JSON.stringify(request.headers['content-type'] ?? null);
  return new Problem('unsupported_media_type', `Expected Content-Type ${expected}, got ${came}.`);
}

/** The bytes as they come, for as long as some come. What the reader takes its time for is not held against the sender. */
export function arriving(stream: Readable, bounds: Bounds): AsyncGenerator<Buffer, void> {
  // What breaks off is told to whoever reads it; nobody may be reading yet.
  stream.on('error', () => undefined);
  return chunksOf(stream, bounds);
}

async function* chunksOf(
  stream: Readable,
  { bytesMax, tooLarge, silenceMaxMs = UPLOAD_SILENCE_MAX_MS }: Bounds,
): AsyncGenerator<Buffer, void> {
  // The connection has an answer to carry: it is not destroyed with the loop.
  const chunks = stream.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer, undefined>;
  let bytes = 0;
  let isSilent = false;
  try {
    for (;;) {
      const silence = Promise.withResolvers<'silence'>();
      const timer = setTimeout(() => silence.resolve('silence'), silenceMaxMs);
      const next = await Promise.race([chunks.next(), silence.promise])
        .catch((error: unknown) => {
          throw brokenOff(error);
        })
        .finally(() => clearTimeout(timer));
      isSilent = next === 'silence';
      if (next === 'silence') throw silent(silenceMaxMs);
      if (next.done) return;
      bytes += next.value.length;
      if (bytes > bytesMax) throw tooLarge(bytesMax);
      yield next.value;
    }
  } finally {
    // Lets the stream flow again; where it is still waited for, that would wait as well.
    if (!isSilent) await chunks.return?.();
  }
}

function discardRest({ raw }: FastifyRequest, bytes: AsyncGenerator<Buffer, void>): void {
  if (raw.readableEnded || raw.destroyed) return;
  void bytes.return().then(() => raw.resume());
  const timer = setTimeout(() => raw.socket.destroy(), UPLOAD_DISCARD_MAX_MS);
  raw.once('close', () => clearTimeout(timer));
}

function brokenOff(cause: unknown): Problem {
  return new Problem('upload_interrupted', 'The connection broke before all bytes were there.', { cause });
}

function silent(forMs: number): Problem {
  return new Problem('request_timeout', `No byte came for ${forMs} ms.`);
}
