/** Finished reports as a delivery takes them back (role worker, in the tenant's transaction). */
import type { Transaction } from '../../libs/saga/implement.js';

/** Its file is not to be had from now on, and the sweeper removes it. */
export async function expireArtifact(tx: Transaction, jobId: string): Promise<'undone' | 'noop'> {
  const { rowCount } = await tx.query(
    'update longhaul.artifacts set expires_at = now() where job_id = $1 and expires_at > now()',
    [jobId],
  );
  return rowCount ? 'undone' : 'noop';
}
