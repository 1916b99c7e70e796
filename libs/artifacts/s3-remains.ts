/** What a closed key leaves in the bucket, and its removal. */
import type { Bucket } from './s3-bucket.js';
import type { S3Keys } from './s3-keys.js';

/** A server may take a moment between the end of a multipart upload and its object: looked until nothing is found. */
const ROUNDS_MAX = 5;

export interface S3Remains {
  /**
   * Ends every multipart upload of a closed key and deletes its parts and its mark. Answers whether anything was
   * there. Manifests stay: a publisher that lost may have been let in all the same, by a server that looks before it
   * writes and does not keep the two together.
   */
  drop(location: string): Promise<boolean>;
  /** For a key that has no file. */
  dropManifests(location: string): Promise<void>;
}

export function createS3Remains(bucket: Bucket, keys: S3Keys): S3Remains {
  return {
    async drop(location) {
      let found = false;
      for (let round = 0; round < ROUNDS_MAX; round += 1) {
        const [parts, files] = await Promise.all([
          endUploads(keys.upload(location), () => true),
          endUploads(keys.file(location), (key) => key === keys.file(location)),
        ]);
        // After the uploads, so that what one of them completed at the last moment is seen.
        const objects = await all(keys.upload(location));
        await bucket.delete(objects);
        if (parts + files + objects.length === 0) break;
        found = true;
      }
      return found;
    },

    async dropManifests(location) {
      await bucket.delete(await all(keys.manifestsOf(location)));
    },
  };

  async function endUploads(prefix: string, isOurs: (key: string) => boolean): Promise<number> {
    let ended = 0;
    for await (const upload of bucket.listUploads(prefix)) {
      if (!isOurs(upload.key)) continue;
      await bucket.abandon(upload);
      ended += 1;
    }
    return ended;
  }

  async function all(prefix: string): Promise<string[]> {
    const found: string[] = [];
    for await (const { key } of bucket.list(prefix)) found.push(key);
    return found;
  }
}
