/** Keeps no file longer than promised, and nothing of jobs that are over: called on a schedule by the relay. */
import type { Database } from '../store/database.js';
import type { ArtifactStore } from './artifact-store.js';
import {
  dropEndedPlans,
  dropUnannouncedFiles,
  expiredArtifacts,
  forgetOldUploads,
  giveUpExpired,
  liveLocations,
  markDeleted,
} from './artifacts.store.js';

const EXPIRED_BATCH_MAX = 500;
/** An upload this young may belong to a job whose end is being recorded this moment. */
const GRACE_MS = 60_000;

export interface Swept {
  readonly expired: number;
  readonly uploads: number;
  readonly orphans: number;
  readonly plannedParts: number;
}

/**
 * Deletes expired files, uploads of clients too, and marks their rows; drops uploads and unannounced files of ended jobs, and their plans.
 * `database` is open as `relay`. Safe to run twice at once, and to be killed anywhere.
 */
export async function sweepArtifacts(options: {
  readonly database: Database;
  readonly store: ArtifactStore;
  readonly now?: Date;
  readonly graceMs?: number;
}): Promise<Swept> {
  const { database, store, now = new Date(), graceMs = GRACE_MS } = options;
  const expired = await expiredArtifacts(database, now, EXPIRED_BATCH_MAX);
  // The file first: a row that says "deleted" must be true.
  for (const { location } of expired) await store.remove(location);
  if (expired.length > 0) {
    await markDeleted(
      database,
      expired.map(({ jobId }) => jobId),
      now,
    );
  }
  // Their rows first: an upload is renewed by a row alone. A file that stays behind is an orphan, and goes below.
  const givenUp = await giveUpExpired(database, now, EXPIRED_BATCH_MAX);
  for (const location of givenUp) await store.remove(location);
  await dropUnannouncedFiles(database);
  await forgetOldUploads(database, now);
  const { uploads, published } = await store.sweep({
    olderThanMs: graceMs,
    isLive: (locations) => liveLocations(database, locations),
  });
  return {
    expired: expired.length + givenUp.length,
    uploads,
    orphans: published,
    plannedParts: await dropEndedPlans(database),
  };
}
