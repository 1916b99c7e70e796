/** A published file's row, as a step's own transaction writes it (role `longhaul_worker`). */
import type { JobRef, Transaction } from '../saga/implement.js';
import type { ArtifactStore, PublishedArtifact } from './artifact-store.js';

export interface AnnouncedFile extends PublishedArtifact {
  readonly store: ArtifactStore['name'];
  readonly filename: string;
  readonly contentType: string;
  /** Where rows are what it has. */
  readonly rows: number | null;
  readonly ttlMs: number | undefined;
}

/** Records it; answers when it expires. */
export async function announceArtifact(tx: Transaction, job: JobRef, file: AnnouncedFile): Promise<Date> {
  const { store, location, filename, contentType, bytes, rows: count, sha256, ttlMs } = file;
  const { rows } = await tx.query<{ expires_at: Date }>(
    `insert into longhaul.artifacts
       (job_id, tenant_id, store, location, filename, content_type, bytes, rows, sha256, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + $10 * interval '1 millisecond')
     returning expires_at`,
    [job.id, job.tenantId, store, location, filename, contentType, bytes, count, sha256, ttlMs],
  );
  const [row] = rows;
  if (!row) throw new Error('the artifact was not recorded');
  return row.expires_at;
}
