/** Records the published file and when it expires, in the transaction that also records the step. */
import { announceArtifact } from '../../libs/artifacts/announcements.store.js';
import { reportExport } from '../../workflows/report-export.job.js';
import type { ExportResources } from '../resources.js';
import { fileOf, type Args, type Context, type Output } from './context.js';

export async function announce(
  { artifacts }: ExportResources,
  published: Args<'announce'>,
  { input, job, tx }: Context<'announce'>,
): Promise<Output<'announce'>> {
  const file = fileOf(input);
  const expiresAt = await announceArtifact(tx, job, {
    ...published,
    ...file,
    store: artifacts.name,
    ttlMs: reportExport.artifactTtlMs,
  });
  return { ...file, expiresAt: expiresAt.toISOString() };
}
