/** What became a document, per version of an object: written by the worker, read by the API. */
import type { Transaction } from '../saga/implement.js';
import type { DocumentObject } from './document-rows.js';

export interface DocumentRef extends DocumentObject {
  readonly template: string;
}

export interface DocumentRecord {
  readonly version: number;
  readonly sha256: string;
  readonly rowsSha256: string;
  readonly jobId: string;
}

const COLUMNS = `version, sha256, rows_sha256 as "rowsSha256", job_id as "jobId"`;

/** A version of an object; without a version the newest there is. `tx` has its tenant set. */
export async function findDocument(
  tx: Transaction,
  { template, object, version }: Omit<DocumentRef, 'version'> & { readonly version?: number | undefined },
): Promise<DocumentRecord | undefined> {
  const { rows } = await tx.query<DocumentRecord>(
    `select ${COLUMNS} from longhaul.documents
      where tenant_id = longhaul.current_tenant() and template = $1 and object = $2
        and ($3::int is null or version = $3) order by version desc limit 1`,
    [template, object, version ?? null],
  );
  return rows[0];
}

/** Records a version, or that its file has been made again; answers false where the one recorded is another. */
export async function recordDocument(
  tx: Transaction,
  { template, object, version }: DocumentRef,
  made: {
    readonly sha256: string;
    readonly rowsSha256: string;
    readonly pages: number;
    readonly jobId: string;
  },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `insert into longhaul.documents as d (tenant_id, template, object, version, sha256, rows_sha256, pages, job_id)
     values (longhaul.current_tenant(), $1, $2, $3, $4, $5, $6, $7)
     on conflict (tenant_id, template, object, version) do update set job_id = excluded.job_id
       where d.sha256 = excluded.sha256`,
    [template, object, version, made.sha256, made.rowsSha256, made.pages, made.jobId],
  );
  return rowCount === 1;
}
