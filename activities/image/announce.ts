/** Records the manifest as the job's artifact, and when it and the files expire, with the step itself. */
import { announceArtifact } from '../../libs/artifacts/announcements.store.js';
import { announceFiles } from '../../libs/images/renditions.store.js';
import { imageRenditions } from '../../workflows/image-renditions.job.js';
import type { ImageResources } from '../resources.js';
import type { Args, Context, Output } from './context.js';
import { MANIFEST } from './publish.js';

export async function announce(
  { artifacts }: ImageResources,
  { location, bytes, sha256 }: Args<'announce'>,
  { job, tx }: Context<'announce'>,
): Promise<Output<'announce'>> {
  const { filename, contentType } = MANIFEST;
  const expiresAt = await announceArtifact(tx, job, {
    store: artifacts.name,
    ...{ location, filename, contentType, bytes, sha256 },
    rows: null,
    ttlMs: imageRenditions.artifactTtlMs,
  });
  await announceFiles(tx, job.id, expiresAt);
  return { filename, contentType, expiresAt: expiresAt.toISOString() };
}
