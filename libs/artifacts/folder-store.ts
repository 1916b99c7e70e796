/**
 * Artifacts in a folder. An upload is a folder of part files; publishing it is one rename, aborting it another, so
 * whoever comes late finds nothing to write into. The parts stay as they are and are served as one stream.
 *
 *     uploads/<location>/part-00000 …      being written (temporary names until complete)
 *     published/<location>/manifest.json   and its parts
 *     aborted/<location>                   burnt keys
 *     trash/…                              on its way out
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, type Stats } from 'node:fs';
import {
  mkdir,
  open,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  writeFile,
  type FileHandle,
} from 'node:fs/promises';
import { join } from 'node:path';
import { addAbortSignal, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  isLocation,
  locationOf,
  PartMissing,
  TOMBSTONE_KEPT_MS,
  tooLargeToRead,
  UploadAborted,
  type ArtifactStore,
  type PartSource,
  type PublishedArtifact,
  type PublishOptions,
  type SweepCount,
  type SweepOptions,
} from './artifact-store.js';
import type { ByteRange } from './range.js';
import { signUrl } from './signed-url.js';
import { unwantedOf } from './unwanted.js';

const HASH_CHUNK_BYTES = 1 << 20;
const PART_DIGITS = 5;

interface Manifest {
  readonly filename: string;
  readonly contentType: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly parts: readonly number[];
}

/** A file, or a range of it, on its way to a client. */
export interface ArtifactBody {
  readonly stream: Readable;
  /** Of the whole file. */
  readonly bytes: number;
  readonly sha256: string;
}

export interface FolderStore extends ArtifactStore {
  readonly name: 'folder';
  /** What is known of a published file; undefined when it is not there (any more). */
  head(location: string): Promise<{ readonly bytes: number; readonly sha256: string } | undefined>;
  /** The bytes served, whole or a range of them (both ends inclusive). */
  read(location: string, range?: ByteRange): Promise<ArtifactBody | undefined>;
}

/** Whether files are served by us; another store has a server of its own. */
export function isFolderStore(store: ArtifactStore): store is FolderStore {
  return store.name === 'folder';
}

export interface FolderStoreOptions {
  readonly root: string;
  /** The base of signed URLs: the API, which serves them. */
  readonly publicUrl: string;
  readonly secret: Buffer;
}

/** Opens the store; folders are made as they are needed. */
export function createFolderStore({ root, publicUrl, secret }: FolderStoreOptions): FolderStore {
  const upload = (location: string): string => join(root, 'uploads', location);
  const published = (location: string): string => join(root, 'published', location);
  const tombstone = (location: string): string => join(root, 'aborted', location);

  async function manifestOf(location: string): Promise<Manifest | undefined> {
    if (!isLocation(location)) return undefined;
    const text = await unlessAbsent(readFile(join(published(location), 'manifest.json'), 'utf8'));
    return text === undefined ? undefined : (JSON.parse(text) as Manifest);
  }

  async function refuseClosed(key: string, location: string): Promise<void> {
    const [burnt, served] = await Promise.all([exists(tombstone(location)), exists(published(location))]);
    if (burnt || served) throw new UploadAborted(key);
  }

  /** Renames a folder out of every path that is read or written, then deletes it. */
  async function discard(folder: string): Promise<boolean> {
    await mkdir(join(root, 'trash'), { recursive: true });
    const grave = join(root, 'trash', randomUUID());
    const moved = await unlessAbsent(rename(folder, grave).then(() => true));
    if (!moved) return false;
    await rm(grave, { recursive: true, force: true });
    return true;
  }

  async function findPublished(key: string): Promise<PublishedArtifact | undefined> {
    const location = locationOf(key);
    const manifest = await manifestOf(location);
    return manifest && { location, bytes: manifest.bytes, sha256: manifest.sha256 };
  }

  async function publish(key: string, options: PublishOptions): Promise<PublishedArtifact> {
    const location = locationOf(key);
    const there = await findPublished(key);
    if (there) return there;
    await refuseClosed(key, location);
    try {
      const folder = upload(location);
      const { parts, bytes, sha256 } = await checkParts(key, folder, options);
      const { filename, contentType } = options;
      const manifest: Manifest = { filename, contentType, bytes, sha256, parts };
      await writeDurably(join(folder, 'manifest.json'), JSON.stringify(manifest));
      await removeStrays(folder);
      await syncFolder(folder);
      await mkdir(join(root, 'published'), { recursive: true });
      await rename(folder, published(location));
      await syncFolder(join(root, 'published'));
      return { location, bytes, sha256 };
    } catch (error) {
      if (!hasCode(error, 'ENOENT', 'ENOTEMPTY', 'EEXIST')) throw error;
      // The folder went away under us: another attempt published it, or somebody aborted it.
      const won = await findPublished(key);
      if (won) return won;
      throw new UploadAborted(key);
    }
  }

  async function sweep({ olderThanMs, isLive }: SweepOptions): Promise<SweepCount> {
    const before = Date.now() - olderThanMs;
    const unwanted = async (kind: 'uploads' | 'published'): Promise<string[]> =>
      unwantedOf(await entriesOlderThan(join(root, kind), before), isLive);
    const uploads = await unwanted('uploads');
    for (const location of uploads) await burn(location);
    const files = await unwanted('published');
    for (const location of files) await discard(published(location));
    for (const grave of await entriesOlderThan(join(root, 'trash'), before)) {
      await rm(join(root, 'trash', grave), { recursive: true, force: true });
    }
    for (const old of await entriesOlderThan(join(root, 'aborted'), Date.now() - TOMBSTONE_KEPT_MS)) {
      await rm(join(root, 'aborted', old), { force: true });
    }
    return { uploads: uploads.length, published: files.length };
  }

  async function burn(location: string): Promise<boolean> {
    // The tombstone first: whoever opens the upload again after the folder is gone must find it.
    await mkdir(join(root, 'aborted'), { recursive: true });
    await writeFile(tombstone(location), '');
    await syncFolder(join(root, 'aborted'));
    return discard(upload(location));
  }

  const store: FolderStore = {
    name: 'folder',
    findPublished,
    publish,
    sweep,

    async openUpload(key) {
      const location = locationOf(key);
      await refuseClosed(key, location);
      await mkdir(upload(location), { recursive: true });
      // An abort may have come between the look and the folder.
      await refuseClosed(key, location).catch(async (error: unknown) => {
        await discard(upload(location));
        throw error;
      });
    },

    async put(key, body, name) {
      const there = await findPublished(key);
      if (there) return there;
      try {
        await store.openUpload(key);
        await store.writePart(key, 0, Readable.from([body]), new AbortController().signal);
      } catch (error) {
        // Closed: by another attempt, which published it, or by somebody who discarded it.
        const won = error instanceof UploadAborted ? await findPublished(key) : undefined;
        if (won) return won;
        throw error;
      }
      return publish(key, { parts: 1, ...name });
    },

    async writePart(key, part, source, signal) {
      const folder = upload(locationOf(key));
      // It may fail before anybody reads it; whoever reads it hears of that.
      source.on('error', () => undefined);
      const temporary = join(folder, `.part-${randomUUID()}`);
      const file = await unlessAbsent(open(temporary, 'wx'));
      if (!file) {
        source.destroy();
        throw new UploadAborted(key);
      }
      try {
        const bytes = await writeDown(file, source, signal);
        await rename(temporary, join(folder, partName(part)));
        return { bytes };
      } catch (error) {
        await rm(temporary, { force: true });
        if (hasCode(error, 'ENOENT') && !(await exists(folder))) throw new UploadAborted(key);
        throw error;
      }
    },

    async readPartEnd(key, part, bytesMax, signal) {
      signal.throwIfAborted();
      const folder = upload(locationOf(key));
      const file = await unlessAbsent(open(join(folder, partName(part)), 'r'));
      if (!file) throw (await exists(folder)) ? new PartMissing(key, part) : new UploadAborted(key);
      try {
        const { size: bytes } = await file.stat();
        const end = Buffer.alloc(Math.min(bytes, bytesMax));
        await readAt(file, end, bytes - end.length);
        return { end, bytes };
      } finally {
        await file.close();
      }
    },

    async abortUpload(key) {
      const location = locationOf(key);
      if (await exists(published(location))) return 'absent';
      return (await burn(location)) ? 'aborted' : 'absent';
    },

    async discard(key) {
      const location = locationOf(key);
      // A publication under way moves the folder before we do, and is found, or after, and finds nothing to move.
      const wasOpen = await burn(location);
      return (await discard(published(location))) || wasOpen ? 'discarded' : 'absent';
    },

    async readPublished(location, bytesMax, signal) {
      const body = await store.read(location);
      if (!body) return undefined;
      if (body.bytes > bytesMax) throw tooLargeToRead(location, body.bytes, bytesMax);
      const chunks = await unlessAbsent(addAbortSignal(signal, body.stream).toArray());
      return chunks && Buffer.concat(chunks as Buffer[]);
    },

    async remove(location) {
      if (isLocation(location)) await discard(published(location));
    },

    signedUrl: (artifact, expiresAt) => Promise.resolve(signUrl(publicUrl, secret, artifact, expiresAt)),

    async head(location) {
      const manifest = await manifestOf(location);
      return manifest && { bytes: manifest.bytes, sha256: manifest.sha256 };
    },

    async read(location, range) {
      const manifest = await manifestOf(location);
      if (!manifest) return undefined;
      const { bytes, sha256, parts } = manifest;
      const wanted = range ?? { start: 0, end: bytes - 1 };
      return { stream: Readable.from(bytesOf(published(location), parts, wanted)), bytes, sha256 };
    },
  };
  return store;
}

/** Writes all of the source, flushes it to the disk and closes the file. */
async function writeDown(file: FileHandle, source: PartSource, signal: AbortSignal): Promise<number> {
  let bytes = 0;
  try {
    const write = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
      for await (const chunk of chunks) {
        await file.writeFile(chunk);
        bytes += chunk.length;
        source.takeBack?.(chunk);
      }
    };
    await pipeline(source, write, { signal });
    await file.sync();
  } finally {
    await file.close();
  }
  return bytes;
}

function partName(part: number): string {
  return `part-${String(part).padStart(PART_DIGITS, '0')}`;
}

/** Fills the buffer from the file, which is complete and does not change. */
async function readAt(file: FileHandle, into: Buffer, from: number): Promise<void> {
  for (let filled = 0; filled < into.length;) {
    const { bytesRead } = await file.read(into, filled, into.length - filled, from + filled);
    if (bytesRead === 0) throw new Error('a part is shorter than its length');
    filled += bytesRead;
  }
}

/** Reads every part once, in order: its length, and the checksum of all of them as they will be served. */
async function checkParts(
  key: string,
  folder: string,
  { parts: count, signal, onBytes }: PublishOptions,
): Promise<{ parts: number[]; bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(HASH_CHUNK_BYTES);
  const parts: number[] = [];
  let bytes = 0;
  for (let part = 0; part < count; part += 1) {
    const file = await unlessAbsent(open(join(folder, partName(part)), 'r'));
    if (!file) {
      if (await exists(folder)) throw new PartMissing(key, part);
      throw new UploadAborted(key);
    }
    try {
      const before = bytes;
      for (;;) {
        signal?.throwIfAborted();
        const { bytesRead } = await file.read(buffer, 0, HASH_CHUNK_BYTES);
        if (bytesRead === 0) break;
        hash.update(buffer.subarray(0, bytesRead));
        bytes += bytesRead;
        onBytes?.(bytes);
      }
      parts.push(bytes - before);
    } finally {
      await file.close();
    }
  }
  return { parts, bytes, sha256: hash.digest('hex') };
}

/** The bytes from `start` to `end` of parts laid end to end. */
async function* bytesOf(
  folder: string,
  parts: readonly number[],
  { start, end }: ByteRange,
): AsyncGenerator<Buffer> {
  let offset = 0;
  for (const [part, length] of parts.entries()) {
    const [from, to] = [Math.max(start - offset, 0), Math.min(end - offset, length - 1)];
    offset += length;
    if (from > to) continue;
    const chunks = createReadStream(join(folder, partName(part)), {
      start: from,
      end: to,
      highWaterMark: 1 << 18,
    });
    yield* chunks as AsyncIterable<Buffer>;
  }
}

/** Half-written parts of attempts that died; a writer that still lives fails at its rename. */
async function removeStrays(folder: string): Promise<void> {
  const strays = (await readdir(folder)).filter((name) => name.startsWith('.part-'));
  await Promise.all(strays.map((name) => rm(join(folder, name), { force: true })));
}

async function writeDurably(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}`;
  await writeFile(temporary, text, { flush: true });
  await rename(temporary, path).catch(async (error: unknown) => {
    await rm(temporary, { force: true });
    throw error;
  });
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function entriesOlderThan(folder: string, beforeMs: number): Promise<string[]> {
  const names = (await unlessAbsent(readdir(folder))) ?? [];
  const old: string[] = [];
  for (const name of names) {
    const stats: Stats | undefined = await unlessAbsent(stat(join(folder, name)));
    if (stats && stats.mtimeMs <= beforeMs) old.push(name);
  }
  return old;
}

async function exists(path: string): Promise<boolean> {
  return (await unlessAbsent(stat(path))) !== undefined;
}

async function unlessAbsent<T>(result: Promise<T>): Promise<T | undefined> {
  return result.catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  });
}

function hasCode(error: unknown, ...codes: string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException | undefined)?.code ?? '');
}
