/** Looks the sources up, notes those that are not there any more, and keeps the others for as long as the job may take. */
import { noteSources } from '../../libs/images/renditions.store.js';
import { inTenant } from '../../libs/store/database.js';
import { holdUploads } from '../../libs/uploads/uploads.store.js';
import { imageRenditions } from '../../workflows/image-renditions.job.js';
import type { ImageResources } from '../resources.js';
import type { Context, Output } from './context.js';

export const UPLOAD_GONE = {
  reason: 'upload_gone',
  detail: 'The upload has expired or was deleted; upload it again.',
} as const;

export async function inspect(
  { database, artifacts }: ImageResources,
  context: Context<'inspect'>,
): Promise<Output<'inspect'>> {
  const { job, input } = context;
  const { sources, renditions } = input;
  const there = await inTenant(database, job.tenantId, async (tx) => {
    const held = await holdUploads(tx, sources, imageRenditions.deadlineMs);
    const found = sources.map((uploadId) => held.get(uploadId)?.store === artifacts.name);
    await noteSources(
      tx,
      job,
      sources.map((uploadId, source) => ({ uploadId, refusal: found[source] ? undefined : UPLOAD_GONE })),
    );
    return found;
  });
  const usable = there.flatMap((isThere, source) => (isThere ? [source] : []));
  context.progress({ total: usable.length * renditions.length, unit: 'files' });
  return { sources: sources.length, usable };
}
