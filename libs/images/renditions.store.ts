/** What became of a job's sources, and the files made of them (role app or worker, in the tenant's transaction). */
import type { Transaction } from '../saga/implement.js';

export type SourceState = 'waiting' | 'rendered' | 'refused' | 'withdrawn';

export interface Refusal {
  readonly reason: string;
  readonly detail: string;
}

export interface FileRecord {
  /** Its place in the set. */
  readonly place: number;
  readonly name: string;
  readonly location: string;
  readonly format: string;
  readonly contentType: string;
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
  readonly sha256: string;
  /** RFC 3339, as PostgreSQL writes it; null until the job has announced it. */
  readonly expiresAt: string | null;
  readonly expired: boolean;
}

export interface SourceRecord {
  readonly source: number;
  readonly uploadId: string;
  readonly state: SourceState;
  readonly reason: string | null;
  readonly detail: string | null;
  /** Of the source as shown; null until it was decoded. */
  readonly width: number | null;
  readonly height: number | null;
  readonly frames: number | null;
  readonly files: readonly FileRecord[];
}

/** Notes the sources of a job, those refused already with their reason. A second attempt's replace the first's. */
export async function noteSources(
  tx: Transaction,
  job: { readonly id: string; readonly tenantId: string },
  sources: readonly { readonly uploadId: string; readonly refusal?: Refusal | undefined }[],
): Promise<void> {
  await tx.query(
    `insert into longhaul.rendition_sources (job_id, tenant_id, source, upload_id, state, reason, detail)
       select $1, $2, place - 1, upload_id, case when reason is null then 'waiting' else 'refused' end, reason, detail
         from unnest($3::uuid[], $4::text[], $5::text[]) with ordinality as given (upload_id, reason, detail, place)
       on conflict (job_id, source) do update set state = excluded.state, reason = excluded.reason, detail = excluded.detail`,
    [
      job.id,
      job.tenantId,
      sources.map(({ uploadId }) => uploadId),
      sources.map(({ refusal }) => refusal?.reason ?? null),
      sources.map(({ refusal }) => refusal?.detail ?? null),
    ],
  );
}

export interface SourceRef {
  readonly jobId: string;
  readonly source: number;
  readonly generation: number;
}

/** Notes why nothing is made of a source. */
export async function noteRefusal(
  tx: Transaction,
  { jobId, source, generation }: SourceRef,
  { reason, detail }: Refusal,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update longhaul.rendition_sources set state = 'refused', reason = $4, detail = $5
      where job_id = $1 and source = $2 and withdrawn < $3`,
    [jobId, source, generation, reason, detail],
  );
  return (rowCount ?? 0) > 0;
}

export type NewFile = Omit<FileRecord, 'expiresAt' | 'expired'>;

/** Notes the files made of a source; false where they were withdrawn meanwhile. */
export async function noteFiles(
  tx: Transaction,
  { jobId, source, generation }: SourceRef,
  size: { readonly width: number; readonly height: number; readonly frames: number },
  files: readonly NewFile[],
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update longhaul.rendition_sources set state = 'rendered', reason = null, detail = null, width = $4, height = $5, frames = $6
      where job_id = $1 and source = $2 and withdrawn < $3`,
    [jobId, source, generation, size.width, size.height, size.frames],
  );
  if (!rowCount) return false;
  await tx.query(
    `insert into longhaul.rendition_files
         (job_id, source, tenant_id, place, name, location, format, content_type, width, height, bytes, sha256)
       select $1, $2, longhaul.current_tenant(), f.place, f.name, f.location, f.format, f."contentType", f.width, f.height,
           f.bytes, f.sha256
         from jsonb_to_recordset($3::jsonb) as f (place int, name text, location text, format text, "contentType" text,
           width int, height int, bytes bigint, sha256 text)
       on conflict (job_id, source, place) do update set location = excluded.location, width = excluded.width,
         height = excluded.height, bytes = excluded.bytes, sha256 = excluded.sha256`,
    [jobId, source, JSON.stringify(files)],
  );
  return true;
}

/** Takes back what was noted of a source, and lets nothing more be noted under this generation; answers how many files. */
export async function withdrawSource(
  tx: Transaction,
  { jobId, source, generation }: SourceRef,
): Promise<number> {
  await tx.query(
    `update longhaul.rendition_sources set withdrawn = greatest(withdrawn, $3),
        state = case when state = 'refused' then state else 'withdrawn' end
      where job_id = $1 and source = $2`,
    [jobId, source, generation],
  );
  const { rowCount } = await tx.query(
    'delete from longhaul.rendition_files where job_id = $1 and source = $2',
    [jobId, source],
  );
  return rowCount ?? 0;
}

/** The files expire with the job's artifact, in the transaction that records it. */
export async function announceFiles(tx: Transaction, jobId: string, expiresAt: Date): Promise<void> {
  await tx.query('update longhaul.rendition_files set expires_at = $2 where job_id = $1', [jobId, expiresAt]);
}

const FILE_JSON = `jsonb_build_object('place', f.place, 'name', f.name, 'location', f.location, 'format', f.format,
  'contentType', f.content_type, 'width', f.width, 'height', f.height, 'bytes', f.bytes, 'sha256', f.sha256,
  'expiresAt', f.expires_at, 'expired', f.deleted_at is not null or f.expires_at <= now())`;

/** A job's sources in their order, with their files. */
export async function listSources(
  tx: Transaction,
  jobId: string,
  {
    after,
    limit,
  }: { readonly after?: string | undefined; /** The upload a page ended with. */ readonly limit: number },
): Promise<SourceRecord[]> {
  const { rows } = await tx.query<SourceRecord>(
    `select s.source, s.upload_id as "uploadId", s.state, s.reason, s.detail, s.width, s.height, s.frames,
        coalesce((select jsonb_agg(${FILE_JSON} order by f.place) from longhaul.rendition_files f
          where f.job_id = s.job_id and f.source = s.source), '[]') as files
      from longhaul.rendition_sources s
      where s.job_id = $1 and ($2::uuid is null
        or s.source > (select source from longhaul.rendition_sources where job_id = $1 and upload_id = $2))
      order by s.source limit $3`,
    [jobId, after ?? null, limit],
  );
  return rows;
}

/** One file of a job. */
export async function readFile(
  tx: Transaction,
  jobId: string,
  uploadId: string,
  name: string,
): Promise<FileRecord | undefined> {
  const { rows } = await tx.query<{ file: FileRecord }>(
    `select ${FILE_JSON} as file from longhaul.rendition_files f join longhaul.rendition_sources s using (job_id, source)
      where f.job_id = $1 and s.upload_id = $2 and f.name = $3`,
    [jobId, uploadId, name],
  );
  return rows[0]?.file;
}
