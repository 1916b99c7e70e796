/**
 * Artifacts in an S3 bucket (docs/decisions/0006). The object at `files/<location>` decides over a key: a published
 * file and the tombstone of an aborted upload are both written there only where nothing is, so one of them wins.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { S3Settings } from '../config/settings.js';
import {
  isLocation,
  locationOf,
  PartMissing,
  StoreFailure,
  tooLargeToRead,
  UploadAborted,
  type ArtifactStore,
  type PublishedArtifact,
  type PublishOptions,
} from './artifact-store.js';
import { attachment } from './attachment.js';
import { assemble, readWhole } from './s3-assemble.js';
import { planAssembly, S3_PART_BYTES_MIN } from './s3-assembly.js';
import {
  MultipartGone,
  openBucket,
  SourceChanged,
  type Bucket,
  type BucketOptions,
  type ListedObject,
  type MultipartUpload,
} from './s3-bucket.js';
import { createS3Decisions, type S3Decisions } from './s3-decision.js';
import { keysUnder, type S3Keys } from './s3-keys.js';
import { createS3Remains } from './s3-remains.js';
import { sweepBucket } from './s3-sweep.js';
import { sendStream } from './s3-upload.js';

const MS_PER_SECOND = 1_000;
/** No signature of S3 lives longer. */
const URL_SECONDS_MAX = 7 * 86_400;
const TRIES_MAX = 3;
const BEAT_MS = 500;
const PART_NUMBER_MAX = 99_999;

const OPEN_MARK = 'open\n';
/** Which attempt wrote a part. */
const WRITER = 'longhaul-writer';

export interface S3StoreOptions extends BucketOptions {
  /** Default: `Date.now`. */
  readonly now?: () => number;
}

interface Tools {
  readonly bucket: Bucket;
  readonly keys: S3Keys;
  readonly decisions: S3Decisions;
}

/** Opens the store; the bucket must be there, and nothing is asked of it until it is needed. */
export function createS3Store(settings: S3Settings, options: S3StoreOptions = {}): ArtifactStore {
  const now = options.now ?? Date.now;
  const bucket = openBucket(settings, options);
  const keys = keysUnder(settings.prefix);
  const decisions = createS3Decisions(bucket, keys);
  const remains = createS3Remains(bucket, keys);

  async function refuseClosed(key: string, location: string): Promise<void> {
    if (await decisions.find(location)) throw new UploadAborted(key);
  }

  async function burn(location: string): Promise<'aborted' | 'absent'> {
    if (!(await decisions.bury(location))) return 'absent';
    // Only now: whoever begins from here on finds the tombstone, whoever began before is found here.
    return (await remains.drop(location)) ? 'aborted' : 'absent';
  }

  /** It is published whatever comes of this: the sweeper does what is not done here. */
  async function tidy(location: string): Promise<void> {
    await remains.drop(location).catch(() => undefined);
  }

  return {
    name: 's3',

    async openUpload(key) {
      const location = locationOf(key);
      await bucket.put(keys.opened(location), OPEN_MARK);
      // After the mark: an abort that comes after the look finds it, and takes it away.
      await refuseClosed(key, location).catch(async (error: unknown) => {
        await bucket.delete([keys.opened(location)]);
        throw error;
      });
    },

    async writePart(key, part, source, signal) {
      const location = locationOf(key);
      if (!Number.isInteger(part) || part < 0 || part > PART_NUMBER_MAX)
        throw new RangeError(`there is no part ${part}`);
      const target = keys.part(location, part);
      const writer = randomUUID();
      let upload: MultipartUpload | undefined;
      // It may fail before anybody reads it; whoever reads it hears of that.
      source.on('error', () => undefined);
      try {
        // Begun before the look: an abort that comes after the look finds this upload, and ends it.
        upload = await bucket.begin(target, { metadata: { [WRITER]: writer } });
        const [opened] = await Promise.all([bucket.head(keys.opened(location)), refuseClosed(key, location)]);
        if (!opened) throw new UploadAborted(key);
        const { parts, bytes } = await sendStream(bucket, upload, source, signal);
        signal.throwIfAborted();
        await bucket.complete(upload, parts).catch(async (error: unknown) => {
          // The answer to an earlier try may have been lost: then it is there, and by us.
          const there = error instanceof MultipartGone ? await bucket.head(target) : undefined;
          if (there?.metadata[WRITER] !== writer) throw error;
        });
        return { bytes };
      } catch (error) {
        source.destroy();
        // Not having told the server changes nothing: the sweeper will.
        if (upload) await bucket.abandon(upload).catch(() => undefined);
        throw error instanceof MultipartGone ? new UploadAborted(key) : error;
      }
    },

    async readPartEnd(key, part, bytesMax, signal) {
      const location = locationOf(key);
      const target = keys.part(location, part);
      return untilItHolds(async () => {
        const source = await findObject(bucket, target);
        if (!source) {
          await refuseClosed(key, location);
          throw new PartMissing(key, part);
        }
        const { bytes } = source;
        const end = Buffer.alloc(Math.min(bytes, bytesMax));
        if (end.length > 0)
          await bucket.readRange(source, { start: bytes - end.length, end: bytes - 1 }, end, signal);
        return { end, bytes };
      });
    },

    async abortUpload(key) {
      return burn(locationOf(key));
    },

    async publish(key, publication) {
      const location = locationOf(key);
      return untilItHolds(async () => {
        const decision = await decisions.find(location);
        if (decision === 'aborted') throw new UploadAborted(key);
        const published =
          decision ?? (await publishOnce({ bucket, keys, decisions }, { key, location }, publication));
        if (!published) throw new SourceChanged(keys.file(location));
        await tidy(location);
        return published;
      });
    },

    async put(key, body, { contentType }) {
      const location = locationOf(key);
      const sha256 = createHash('sha256').update(body).digest('hex');
      const metadata = decisions.metadataOf({ sha256 });
      const put = await bucket.put(keys.file(location), body, { ifAbsent: true, contentType, metadata });
      if (put === 'put') return { location, bytes: body.length, sha256 };
      const decision = await decisions.find(location);
      // It went away this moment: swept, which only happens to what nobody wants.
      if (decision === undefined || decision === 'aborted') throw new UploadAborted(key);
      return decision;
    },

    async readPublished(location, bytesMax, signal) {
      const decision = isLocation(location) ? await decisions.find(location) : undefined;
      if (decision === undefined || decision === 'aborted') return undefined;
      if (decision.bytes > bytesMax) throw tooLargeToRead(location, decision.bytes, bytesMax);
      const source = await findObject(bucket, keys.file(location));
      return source && readWhole(bucket, [source], signal);
    },

    async discard(key) {
      const location = locationOf(key);
      const was = await decisions.find(location);
      await decisions.overwrite(location);
      const dropped = await remains.drop(location);
      await remains.dropManifests(location);
      return dropped || (was !== undefined && was !== 'aborted') ? 'discarded' : 'absent';
    },

    async findPublished(key) {
      const decision = await decisions.find(locationOf(key));
      return decision === 'aborted' ? undefined : decision;
    },

    async remove(location) {
      if (isLocation(location)) await decisions.remove(location);
    },

    sweep: (swept) => sweepBucket({ bucket, keys, now, remains, burn, decisions }, swept),

    async signedUrl({ location, filename, contentType }, expiresAt) {
      if (!isLocation(location)) throw new TypeError(`"${location}" is not a location`);
      const seconds = Math.floor((expiresAt.getTime() - now()) / MS_PER_SECOND);
      return bucket.presign(keys.file(location), {
        expiresInSeconds: Math.min(Math.max(seconds, 1), URL_SECONDS_MAX),
        contentType,
        contentDisposition: attachment(filename),
      });
    },
  };
}

/** Begins anew where a part was replaced while it was read, by an attempt that was thought dead; that one ends. */
async function untilItHolds<R>(work: () => Promise<R>): Promise<R> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const mayGoWell = error instanceof SourceChanged || error instanceof MultipartGone;
      if (!mayGoWell) throw error;
      if (attempt === TRIES_MAX) throw new StoreFailure('busy', error.name, { cause: error });
    }
  }
}

async function findObject(bucket: Bucket, key: string): Promise<ListedObject | undefined> {
  for await (const object of bucket.list(key)) if (object.key === key) return object;
  return undefined;
}

/** One try; undefined when somebody else decided meanwhile. */
async function publishOnce(
  { bucket, keys, decisions }: Tools,
  { key, location }: { readonly key: string; readonly location: string },
  options: PublishOptions,
): Promise<PublishedArtifact | undefined> {
  const { parts: count, contentType, onBytes, signal = new AbortController().signal } = options;
  const sources = await listParts({ bucket, keys, decisions }, { key, location }, count);
  const bytes = sources.reduce((sum, source) => sum + source.bytes, 0);
  let read = 0;
  // The server's own work has no progress to tell, but it is work.
  const beat = setInterval(() => onBytes?.(read), BEAT_MS);
  const tell = (sum: number): void => {
    read = sum;
    onBytes?.(sum);
  };
  try {
    if (bytes < S3_PART_BYTES_MIN) {
      const whole = await readWhole(bucket, sources, signal);
      tell(bytes);
      const sha256 = createHash('sha256').update(whole).digest('hex');
      const metadata = decisions.metadataOf({ sha256 });
      const put = await bucket.put(keys.file(location), whole, { ifAbsent: true, contentType, metadata });
      return put === 'put' ? { location, bytes, sha256 } : undefined;
    }
    const segments = planAssembly(sources.map((source) => source.bytes));
    const manifest = randomUUID();
    const upload = await bucket.begin(keys.file(location), {
      contentType,
      metadata: decisions.metadataOf({ manifest }),
    });
    let outcome: 'completed' | 'exists' | undefined;
    try {
      const { parts, sha256 } = await assemble(bucket, upload, sources, segments, { signal, onBytes: tell });
      await decisions.writeManifest(location, manifest, { bytes, sha256 });
      signal.throwIfAborted();
      outcome = await bucket.complete(upload, parts, { ifAbsent: true });
      return outcome === 'completed' ? { location, bytes, sha256 } : undefined;
    } finally {
      // Not having told the server changes nothing: the sweeper will.
      if (outcome !== 'completed') await bucket.abandon(upload).catch(() => undefined);
    }
  } finally {
    clearInterval(beat);
  }
}

/** The parts as they are now; each is read and copied only as it was here. */
async function listParts(
  { bucket, keys, decisions }: Tools,
  { key, location }: { readonly key: string; readonly location: string },
  count: number,
): Promise<ListedObject[]> {
  const found = new Map<number, ListedObject>();
  let opened = false;
  for await (const object of bucket.list(keys.upload(location))) {
    const part = keys.partIn(object.key);
    if (part !== undefined) found.set(part, object);
    opened ||= object.key === keys.opened(location);
  }
  const sources = Array.from({ length: count }, (_, part) => found.get(part));
  const missing = sources.indexOf(undefined);
  if (opened && missing === -1) return sources as ListedObject[];
  // Another publisher may have finished, and cleared away, since we looked: then there is a decision to be found.
  if (await decisions.find(location)) throw new SourceChanged(keys.upload(location));
  throw opened ? new PartMissing(key, missing) : new UploadAborted(key);
}
