/** What became of a key: the object at `files/<location>`, which is written only where nothing is. */
import type { PublishedArtifact } from './artifact-store.js';
import type { Bucket } from './s3-bucket.js';
import type { S3Keys } from './s3-keys.js';

const STATE = 'longhaul-state';
const SHA256 = 'longhaul-sha256';
const MANIFEST = 'longhaul-manifest';
const ABORTED = 'aborted';
const TOMBSTONE = 'aborted\n';
export const TOMBSTONE_BYTES = Buffer.byteLength(TOMBSTONE);

/** Length and checksum of a file made of several parts: known when its last part is, too late for its metadata. */
export interface Manifest {
  readonly bytes: number;
  readonly sha256: string;
}

export interface S3Decisions {
  find(location: string): Promise<'aborted' | PublishedArtifact | undefined>;
  /** Puts a tombstone where nothing is; answers whether there is one now. */
  bury(location: string): Promise<boolean>;
  /** Puts a tombstone whatever is there: one write, before or after which a publication comes, and is refused or gone. */
  overwrite(location: string): Promise<void>;
  /** Deletes file or tombstone, and all manifests. */
  remove(location: string): Promise<void>;
  /** Each publisher writes one of its own; the file names the one that is good. */
  writeManifest(location: string, number: string, manifest: Manifest): Promise<void>;
  /** What a file must carry: its checksum, or the number of its manifest. */
  metadataOf(file: { readonly sha256: string } | { readonly manifest: string }): Record<string, string>;
}

export function createS3Decisions(bucket: Bucket, keys: S3Keys): S3Decisions {
  const find: S3Decisions['find'] = async (location) => {
    const there = await bucket.head(keys.file(location));
    if (!there) return undefined;
    const { [STATE]: state, [SHA256]: sha256, [MANIFEST]: manifest } = there.metadata;
    if (state === ABORTED) return ABORTED;
    if (sha256 !== undefined) return { location, bytes: there.bytes, sha256 };
    if (manifest === undefined) throw new Error(`${keys.file(location)} was not written by this store`);
    const text = await bucket.readText(keys.manifest(location, manifest));
    // A file that is removed goes before its manifest; it was removed since we looked.
    if (text === undefined) return undefined;
    const known = JSON.parse(text) as Manifest;
    if (known.bytes !== there.bytes) {
      throw new Error(`${keys.file(location)} has ${there.bytes} bytes; its manifest says ${known.bytes}`);
    }
    return { location, ...known };
  };
  return {
    find,

    async bury(location) {
      const put = await bucket.put(keys.file(location), TOMBSTONE, {
        ifAbsent: true,
        metadata: { [STATE]: ABORTED },
      });
      return put === 'put' || (await find(location)) === ABORTED;
    },

    async overwrite(location) {
      await bucket.put(keys.file(location), TOMBSTONE, { metadata: { [STATE]: ABORTED } });
    },

    async remove(location) {
      await bucket.delete([keys.file(location)]);
      const manifests: string[] = [];
      for await (const { key } of bucket.list(keys.manifestsOf(location))) manifests.push(key);
      await bucket.delete(manifests);
    },

    async writeManifest(location, number, { bytes, sha256 }) {
      await bucket.put(keys.manifest(location, number), JSON.stringify({ bytes, sha256 }));
    },

    metadataOf: (file) => ('sha256' in file ? { [SHA256]: file.sha256 } : { [MANIFEST]: file.manifest }),
  };
}
