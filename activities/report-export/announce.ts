/** Records the published file and when it expires, in the transaction that also records the step. */
import { reportExport } from '../../workflows/report-export.job.js';
import type { ExportResources } from '../resources.js';
import { fileOf, type Args, type Context, type Output } from './context.js';

export async function announce(
  { artifacts }: ExportResources,
  { location, bytes, sha256, rows }: Args<'announce'>,
  { input, job, tx }: Context<'announce'>,
): Promise<Output<'announce'>> {
  const { filename, contentType } = fileOf(input);
  const { rows: recorded } = await tx.query<{ expires_at: Date }>(
    `insert into longhaul.artifacts
       (job_id, tenant_id, store, location, filename, content_type, bytes, rows, sha256, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + $10 * interval '1 millisecond')
     returning expires_at`,
    [
      job.id,
      job.tenantId,
      artifacts.name,
      location,
      filename,
      contentType,
      bytes,
      rows,
      sha256,
      reportExport.artifactTtlMs,
    ],
  );
  const [row] = recorded;
  if (!row) throw new Error('the artifact was not recorded');
  return { filename, contentType, expiresAt: row.expires_at.toISOString() };
}
