/** Links to other jobs' files, signed anew when a message is written. */
import type { ArtifactStore } from '../../libs/artifacts/artifact-store.js';
import type { Transaction } from '../../libs/saga/implement.js';

/** S3 signs for a week at most. */
const LINK_MS_MAX = 7 * 86_400_000;

export type Link =
  | { readonly kind: 'there'; readonly url: string }
  /** The job has not got so far; it may yet. */
  | { readonly kind: 'not_yet' }
  | { readonly kind: 'never'; readonly reason: string };

interface Row {
  readonly ended: boolean;
  readonly location: string | null;
  readonly filename: string | null;
  readonly contentType: string | null;
  readonly expiresAt: Date | null;
}

/** The link to a job's file, good for as long as the file is kept. */
export async function linkTo(tx: Transaction, artifacts: ArtifactStore, jobId: string): Promise<Link> {
  const { rows } = await tx.query<Row>(
    `select j.ended_at is not null as ended, a.location, a.filename, a.content_type as "contentType", a.expires_at as "expiresAt"
       from longhaul.jobs j left join longhaul.artifacts a on a.job_id = j.id where j.id = $1`,
    [jobId],
  );
  const [row] = rows;
  if (!row) return { kind: 'never', reason: 'artifact_unknown' };
  const { location, filename, contentType, expiresAt } = row;
  if (!location || !filename || !contentType || !expiresAt) {
    return row.ended ? { kind: 'never', reason: 'artifact_missing' } : { kind: 'not_yet' };
  }
  if (expiresAt.getTime() <= Date.now()) return { kind: 'never', reason: 'artifact_expired' };
  const until = new Date(Math.min(expiresAt.getTime(), Date.now() + LINK_MS_MAX));
  return { kind: 'there', url: await artifacts.signedUrl({ location, filename, contentType }, until) };
}
