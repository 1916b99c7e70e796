/** Finds what nobody wants any more in a bucket: open uploads, leftovers of closed ones, unannounced files, old tombstones. */
import { TOMBSTONE_KEPT_MS, type SweepCount, type SweepOptions } from './artifact-store.js';
import type { Bucket } from './s3-bucket.js';
import { TOMBSTONE_BYTES, type S3Decisions } from './s3-decision.js';
import type { S3Keys } from './s3-keys.js';
import type { S3Remains } from './s3-remains.js';
import { unwantedOf } from './unwanted.js';

export interface SweepTools {
  readonly bucket: Bucket;
  readonly keys: S3Keys;
  readonly now: () => number;
  readonly remains: S3Remains;
  readonly burn: (location: string) => Promise<unknown>;
  readonly decisions: S3Decisions;
}

interface Seen {
  /** When anything of it was last written. */
  readonly at: number;
  readonly bytes: number;
}

/** Safe to be killed anywhere, and to run beside writers, publishers and another sweep. */
export async function sweepBucket(
  tools: SweepTools,
  { olderThanMs, isLive }: SweepOptions,
): Promise<SweepCount> {
  const { keys, decisions, bucket } = tools;
  const before = tools.now() - olderThanMs;

  const uploads = oldOnes(await uploadsSeen(tools), before);
  const unwanted = new Set(await unwantedOf(uploads, isLive));
  let dropped = 0;
  for (const location of uploads) {
    if (await closeUpload(tools, location, unwanted.has(location))) dropped += 1;
  }

  const files = await seenIn(tools, bucket.list(keys.files));
  const [tombstones, published] = await tellApart(decisions, files, oldOnes(files, before));
  const orphans = await unwantedOf(published, isLive);
  const forgotten = tools.now() - TOMBSTONE_KEPT_MS;
  const outlived = tombstones.filter((location) => (files.get(location)?.at ?? Infinity) <= forgotten);
  for (const location of [...orphans, ...outlived]) await decisions.remove(location);

  // A publisher that was killed before its commit, or that an abort came before.
  const manifests = oldOnes(await seenIn(tools, bucket.list(keys.manifests)), before);
  const strays = manifests.filter((location) => !files.has(location) || tombstones.includes(location));
  for (const location of await unwantedOf(strays, isLive)) await tools.remains.dropManifests(location);
  return { uploads: dropped, published: orphans.length };
}

/** Burns what nobody wants; of what is decided already, takes what a killed publisher or a late writer left. */
async function closeUpload(
  { decisions, remains, burn }: SweepTools,
  location: string,
  unwanted: boolean,
): Promise<boolean> {
  const decision = await decisions.find(location);
  if (decision === undefined && !unwanted) return false;
  await (decision === undefined ? burn(location) : remains.drop(location));
  return true;
}

/** A tombstone is told by its length first, so that files need not be asked about one by one. */
async function tellApart(
  decisions: S3Decisions,
  files: ReadonlyMap<string, Seen>,
  locations: readonly string[],
): Promise<[tombstones: string[], published: string[]]> {
  const tombstones: string[] = [];
  const published: string[] = [];
  for (const location of locations) {
    const perhaps = files.get(location)?.bytes === TOMBSTONE_BYTES;
    const isTombstone = perhaps && (await decisions.find(location)) === 'aborted';
    (isTombstone ? tombstones : published).push(location);
  }
  return [tombstones, published];
}

async function uploadsSeen(tools: SweepTools): Promise<Map<string, Seen>> {
  const { bucket, keys } = tools;
  const seen = await seenIn(tools, bucket.list(keys.uploads));
  for (const prefix of [keys.uploads, keys.files]) {
    for await (const { key, begunAt } of bucket.listUploads(prefix)) see(tools, seen, key, begunAt, 0);
  }
  return seen;
}

async function seenIn(
  tools: SweepTools,
  objects: AsyncIterable<{ key: string; modifiedAt: Date; bytes: number }>,
): Promise<Map<string, Seen>> {
  const seen = new Map<string, Seen>();
  for await (const { key, modifiedAt, bytes } of objects) see(tools, seen, key, modifiedAt, bytes);
  return seen;
}

function see({ keys }: SweepTools, seen: Map<string, Seen>, key: string, at: Date, bytes: number): void {
  const location = keys.locationIn(key);
  if (location === undefined) return;
  seen.set(location, { at: Math.max(seen.get(location)?.at ?? 0, at.getTime()), bytes });
}

function oldOnes(seen: ReadonlyMap<string, Seen>, before: number): string[] {
  return [...seen].filter(([, { at }]) => at <= before).map(([location]) => location);
}
