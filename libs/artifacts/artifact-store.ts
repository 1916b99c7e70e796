/** Where finished files are kept. An upload is burnt by aborting it; a publication happens whole or not at all. */
import type { Readable } from 'node:stream';

/** A file that can be served. `sha256` is lower-case hex over the bytes served. */
export interface PublishedArtifact {
  readonly location: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface ArtifactName {
  readonly location: string;
  readonly filename: string;
  readonly contentType: string;
}

export interface PublishOptions {
  /** How many parts there must be: 0…parts−1, served in that order. */
  readonly parts: number;
  readonly filename: string;
  readonly contentType: string;
  readonly signal?: AbortSignal;
  /** Hears, several times a second, how many bytes have been checked so far. */
  readonly onBytes?: (bytes: number) => void;
}

export interface SweepOptions {
  /** What is younger is left alone: its job may be about to say something. */
  readonly olderThanMs: number;
  /** Of these locations and upload keys (in location form), those still wanted. */
  readonly isLive: (locations: readonly string[]) => Promise<ReadonlySet<string>>;
}

export interface SweepCount {
  readonly uploads: number;
  readonly published: number;
}

/** How a part ends, and how long it is. */
export interface PartEnd {
  readonly end: Buffer;
  readonly bytes: number;
}

/** The bytes of a part, or what it is made of, in chunks. */
export interface PartSource extends Readable {
  /** Where it is there: hears of each chunk that is done with, whose memory may be used again. */
  takeBack?(chunk: Buffer): void;
}

export interface ArtifactStore {
  readonly name: 'folder' | 's3';
  /** Makes room for parts; safe to repeat. Throws UploadAborted once the key is burnt or published. */
  openUpload(key: string): Promise<void>;
  /** Writes a part whole, or not at all; the last complete one stays. Throws UploadAborted on a burnt key. */
  writePart(key: string, part: number, source: PartSource, signal: AbortSignal): Promise<{ bytes: number }>;
  /**
   * How a complete part ends: its last bytes, all of them where there are fewer, and its length. Throws UploadAborted
   * once the key is burnt or published, and PartMissing.
   */
  readPartEnd(key: string, part: number, bytesMax: number, signal: AbortSignal): Promise<PartEnd>;
  /** Burns the key: everything written is dropped, and no writer, however late, can write under it again. */
  abortUpload(key: string): Promise<'aborted' | 'absent'>;
  /** Makes the parts one file. A repeat finds what is there. Throws UploadAborted or PartMissing. */
  publish(key: string, options: PublishOptions): Promise<PublishedArtifact>;
  /** Publishes bytes that are there already. A repeat finds what is there. Throws UploadAborted on a burnt key. */
  put(key: string, body: Buffer, name: Omit<ArtifactName, 'location'>): Promise<PublishedArtifact>;
  findPublished(key: string): Promise<PublishedArtifact | undefined>;
  /** All bytes of a published file; undefined where there is none. Throws RangeError where they are more than `bytesMax`. */
  readPublished(location: string, bytesMax: number, signal: AbortSignal): Promise<Buffer | undefined>;
  /** Burns the key whatever became of it: also what is published goes, and nobody can publish under it again. */
  discard(key: string): Promise<'discarded' | 'absent'>;
  /** Deletes a published file; one that is not there is fine. */
  remove(location: string): Promise<void>;
  /** Deletes what no job wants any more: uploads and publications of jobs that are over, and remains of deletions. */
  sweep(options: SweepOptions): Promise<SweepCount>;
  /** A URL that serves the file until `expiresAt`, to whoever has it. */
  signedUrl(artifact: ArtifactName, expiresAt: Date): Promise<string>;
}

/** The upload was aborted or is published already: nothing may be written under its key. */
export class UploadAborted extends Error {
  constructor(readonly key: string) {
    super(`The upload ${key} is closed: it was aborted or published`);
    this.name = 'UploadAborted';
  }
}

/** Publication was asked for before all parts were there. */
export class PartMissing extends Error {
  constructor(
    readonly key: string,
    readonly part: number,
  ) {
    super(`The upload ${key} has no part ${part}`);
    this.name = 'PartMissing';
  }
}

/**
 * What a store's answer means for whoever asked: `busy` may go well later, `denied` is the operator's to mend (rights,
 * names, configuration), `refused` will be refused again.
 */
export type StoreVerdict = 'busy' | 'denied' | 'refused';

/** A store that is a server did not do what it was asked; the cause has its own words. */
export class StoreFailure extends Error {
  constructor(
    readonly verdict: StoreVerdict,
    /** The store's name for it, e.g. `SlowDown`. */
    readonly code: string,
    options?: { cause?: unknown },
  ) {
    super(`The artifact store answered ${code}`, options);
    this.name = 'StoreFailure';
  }
}

/** How long a burnt key is remembered: longer than any job may be open, so that no writer of it can still be about. */
export const TOMBSTONE_KEPT_MS = 14 * 86_400_000;

const KEY_PATTERN = /^[A-Za-z0-9_-]{1,80}(\/[A-Za-z0-9_-]{1,80}){0,3}$/;
const LOCATION_PATTERN = /^[A-Za-z0-9_-]{1,80}(\.[A-Za-z0-9_-]{1,80}){0,3}$/;

/** A file is larger than whoever reads it whole can take. */
export function tooLargeToRead(location: string, bytes: number, bytesMax: number): RangeError {
  return new RangeError(`${location} has ${bytes} bytes; its reader takes ${bytesMax}`);
}

/** The upload's key as one path segment, which is also the location it is published at. */
export function locationOf(key: string): string {
  if (!KEY_PATTERN.test(key))
    throw new TypeError(`"${key}" is not an upload key; expected e.g. <job id>/<number>`);
  return key.replaceAll('/', '.');
}

/** Whether a text that came from outside can be a location: one path segment, no dots but between words. */
export function isLocation(text: string): boolean {
  return LOCATION_PATTERN.test(text);
}

/** The job whose upload or file this is: the first word of key and location. */
export function jobIdOf(location: string): string {
  return location.split('.', 1)[0] ?? '';
}
