/** Records the manifest as the job's artifact, and when it and the files expire, with the step itself. */
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
  const { rows } = await tx.query<{ expires_at: Date }>(
    `insert into longhaul.artifacts
       (job_id, tenant_id, store, location, filename, content_type, bytes, sha256, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, now() + $9 * interval '1 millisecond')
     returning expires_at`,
    [
      job.id,
      job.tenantId,
      artifacts.name,
      location,
      filename,
      contentType,
      bytes,
      sha256,
      imageRenditions.artifactTtlMs,
    ],
  );
  const [row] = rows;
  if (!row) throw new Error('the manifest was not recorded');
  await announceFiles(tx, job.id, row.expires_at);
  return { filename, contentType, expiresAt: row.expires_at.toISOString() };
}
