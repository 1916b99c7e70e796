/** Publishes the manifest: which files there are of which source, and why there are none. */
import { listSources, type SourceRecord } from '../../libs/images/renditions.store.js';
import type { ProbeOutcome } from '../../libs/saga/implement.js';
import { inTenant } from '../../libs/store/database.js';
import type { ImageResources } from '../resources.js';
import { artifactFailure } from '../store.failures.js';
import { manifestKeyOf, type Call, type Context, type Output } from './context.js';

export const MANIFEST = { filename: 'renditions.json', contentType: 'application/json' } as const;

export async function publishManifest(
  { database, artifacts }: ImageResources,
  context: Context<'publish'>,
): Promise<Output<'publish'>> {
  const { job, input } = context;
  const sources = await inTenant(database, job.tenantId, (tx) =>
    listSources(tx, job.id, { limit: input.sources.length }),
  );
  const manifest = { job: job.id, sources: sources.map((source) => entryOf(job.id, source)) };
  const body = Buffer.from(`${JSON.stringify(manifest, undefined, 1)}\n`);
  try {
    return await artifacts.put(manifestKeyOf(context), body, MANIFEST);
  } catch (error) {
    throw artifactFailure(error, 'unknown');
  }
}

/** A file's `href` is relative to the API's address, and is answered with a signed URL for as long as the file is kept. */
function entryOf(jobId: string, source: SourceRecord): object {
  const { uploadId, state, reason, detail, width, height, frames, files } = source;
  if (state === 'refused') return { upload: uploadId, status: state, reason, detail };
  return {
    upload: uploadId,
    status: state,
    width,
    height,
    frames,
    files: files.map(({ name, format, contentType, bytes, sha256, ...file }) => ({
      name,
      format,
      contentType,
      width: file.width,
      height: file.height,
      bytes,
      sha256,
      href: `/jobs/${jobId}/renditions/${uploadId}/${name}`,
    })),
  };
}

export async function findManifest(
  { artifacts }: ImageResources,
  context: Call,
): Promise<ProbeOutcome<Output<'publish'>>> {
  const found = await artifacts.findPublished(manifestKeyOf(context)).catch((error: unknown) => {
    throw artifactFailure(error, 'no');
  });
  return found ? { happened: true, output: found } : { happened: false };
}
