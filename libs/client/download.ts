/** Brings an artifact to disk: streamed, resumed by `Range` after a break, and believed only when size and SHA-256 are right. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { backoffMs, sleep, type RetryPolicy } from './backoff.js';
import type { ArtifactLink } from './job.types.js';
import { toProblemError } from './problem.error.js';
import { isNetworkError, isTransient } from './transport.js';

export interface DownloadOptions {
  /** The file to write. It appears, whole and verified, at the end; until then its bytes are in a `.part` beside it. */
  readonly to: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (received: { bytes: number; bytesTotal: number }) => void;
}

export interface Downloaded {
  readonly path: string;
  readonly bytes: number;
  /** As computed from the bytes received; equal to what was announced, or the download would have thrown. */
  readonly sha256: string;
  readonly link: ArtifactLink;
  /** How many times it went on after a break, or from an earlier `.part`. */
  readonly resumes: number;
}

/** What arrived is not what was announced. Nothing is left at the destination. */
export class ArtifactMismatchError extends Error {
  constructor(
    readonly expected: { readonly bytes: number; readonly sha256: string },
    readonly received: { readonly bytes: number; readonly sha256: string },
  ) {
    super(
      `The download is not the artifact: expected ${expected.bytes} bytes with SHA-256 ${expected.sha256}, ` +
        `received ${received.bytes} with ${received.sha256}. Nothing was kept; download again.`,
    );
    this.name = 'ArtifactMismatchError';
  }
}

/** A break that the next request may mend: the body ended early. */
class CutOff extends Error {}

interface Sink {
  readonly file: FileHandle;
  readonly hash: Hash;
  bytes: number;
}

const SILENCE_MAX_MS = 60_000;
const RESTARTS_MAX = 1;

/** Downloads what `getLink` points to; the link is asked for again when it expires on the way. */
export async function downloadArtifact(
  getLink: () => Promise<ArtifactLink>,
  retry: RetryPolicy,
  options: DownloadOptions,
): Promise<Downloaded> {
  let link = await getLink();
  // The hash in the name: a `.part` of another artifact is never taken for the beginning of this one.
  const partPath = `${options.to}.${link.sha256.slice(0, 12)}.part`;
  let resumes = 0;
  for (let restarts = 0; ; restarts++) {
    const sink = await openPart(partPath, link.bytes);
    if (sink.bytes > 0) resumes++;
    try {
      for (let failures = 0; sink.bytes < link.bytes;) {
        const before = sink.bytes;
        try {
          await fetchFrom(link, sink, options);
        } catch (error) {
          options.signal?.throwIfAborted();
          failures = sink.bytes > before ? 1 : failures + 1;
          const expired = isExpired(error);
          if (failures >= retry.attempts || !(expired || isMendable(error))) throw error;
          await sleep(backoffMs(retry, failures), options.signal);
          if (expired) link = await sameArtifact(link, getLink);
          resumes++;
        }
      }
      await sink.file.sync();
    } finally {
      await sink.file.close();
    }
    const received = { bytes: sink.bytes, sha256: sink.hash.digest('hex') };
    if (received.bytes === link.bytes && received.sha256 === link.sha256) {
      await rename(partPath, options.to);
      return { path: options.to, ...received, link, resumes };
    }
    await rm(partPath, { force: true });
    // A rotten `.part` from an earlier run deserves a fresh start; rotten bytes from the server do not.
    if (resumes === 0 || restarts >= RESTARTS_MAX) throw new ArtifactMismatchError(link, received);
  }
}

/** Opens the `.part`, feeding what it holds already to the hash. */
async function openPart(path: string, bytesMax: number): Promise<Sink> {
  const hash = createHash('sha256');
  const size = await sizeOf(path);
  if (size === 0 || size > bytesMax) return { file: await open(path, 'w'), hash, bytes: 0 };
  for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>) {
    hash.update(chunk);
  }
  return { file: await open(path, 'a'), hash, bytes: size };
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}

/** One request from where the sink is. The URL carries its own signature: the API key never goes there. */
async function fetchFrom(link: ArtifactLink, sink: Sink, options: DownloadOptions): Promise<void> {
  const silence = new AbortController();
  const timer = setTimeout(
    () => silence.abort(new CutOff(`no byte for ${SILENCE_MAX_MS} ms`)),
    SILENCE_MAX_MS,
  );
  const signal = options.signal ? AbortSignal.any([options.signal, silence.signal]) : silence.signal;
  try {
    const response = await fetch(link.url, {
      headers: {
        'accept-encoding': 'identity',
        ...(sink.bytes > 0 ? { range: `bytes=${sink.bytes}-` } : {}),
      },
      signal,
    });
    if (response.status >= 400) throw await toProblemError(response);
    if (!response.body) throw new CutOff('an answer without a body');
    let skip = bytesToSkip(response, sink.bytes);
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      timer.refresh();
      const fresh = chunk.subarray(Math.min(skip, chunk.length));
      skip -= chunk.length - fresh.length;
      if (fresh.length > 0) await append(sink, fresh, link, options);
    }
    if (sink.bytes < link.bytes)
      throw new CutOff(`the body ended after ${sink.bytes} of ${link.bytes} bytes`);
  } finally {
    clearTimeout(timer);
  }
}

/** A server that ignores `Range` sends everything again: then what is there already is skipped. */
function bytesToSkip(response: Response, offset: number): number {
  if (response.status !== 206) return offset;
  const start = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1];
  if (Number(start) !== offset)
    throw new Error(`Asked for bytes from ${offset}, was given those from ${start ?? 'nowhere'}.`);
  return 0;
}

async function append(
  sink: Sink,
  chunk: Uint8Array,
  link: ArtifactLink,
  options: DownloadOptions,
): Promise<void> {
  if (sink.bytes + chunk.length > link.bytes) {
    throw new Error(`More arrived than the ${link.bytes} bytes that were announced.`);
  }
  await sink.file.appendFile(chunk);
  sink.hash.update(chunk);
  sink.bytes += chunk.length;
  options.onProgress?.({ bytes: sink.bytes, bytesTotal: link.bytes });
}

function isExpired(error: unknown): boolean {
  return (
    error instanceof Error &&
    error.name === 'ProblemError' &&
    [403, 410].includes((error as Error & { status: number }).status)
  );
}

function isMendable(error: unknown): boolean {
  if (error instanceof CutOff || isNetworkError(error)) return true;
  return (
    error instanceof Error &&
    error.name === 'ProblemError' &&
    isTransient(error as Parameters<typeof isTransient>[0])
  );
}

async function sameArtifact(old: ArtifactLink, getLink: () => Promise<ArtifactLink>): Promise<ArtifactLink> {
  const fresh = await getLink();
  if (fresh.sha256 !== old.sha256 || fresh.bytes !== old.bytes) throw new ArtifactMismatchError(old, fresh);
  return fresh;
}
