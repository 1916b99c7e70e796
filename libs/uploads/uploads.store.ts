/** Uploads of a tenant (role app or worker, in the tenant's transaction). */
import type { Transaction } from '../saga/implement.js';

export interface UploadRecord {
  readonly id: string;
  readonly location: string;
  readonly store: string;
  readonly contentType: string;
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

const COLUMNS = `id, location, store, content_type as "contentType", width, height, bytes::float8 as bytes, sha256,
  created_at as "createdAt", expires_at as "expiresAt"`;
/** All its bytes are there, and its time is not over. */
const IS_THERE = 'sha256 is not null and deleted_at is null and expires_at > now()';
/** What was begun and is not done by then was given up by a process that is gone. */
const UNFINISHED_KEPT = '1 hour';

/** Bytes of the tenant's uploads that are kept now. */
export async function bytesKept(tx: Transaction): Promise<number> {
  const { rows } = await tx.query<{ bytes: number }>(
    'select coalesce(sum(bytes), 0)::float8 as bytes from longhaul.uploads where deleted_at is null',
  );
  return rows[0]?.bytes ?? 0;
}

/** Notes that bytes will come: the sweeper spares them for a while. */
export async function beginUpload(
  tx: Transaction,
  upload: {
    readonly id: string;
    readonly tenantId: string;
    readonly store: string;
    readonly location: string;
  },
): Promise<void> {
  await tx.query(
    `insert into longhaul.uploads (id, tenant_id, store, location, expires_at)
       values ($1, $2, $3, $4, now() + interval '${UNFINISHED_KEPT}')`,
    [upload.id, upload.tenantId, upload.store, upload.location],
  );
}

/** Forgets an upload that came to nothing. */
export async function forgetUpload(tx: Transaction, id: string): Promise<void> {
  await tx.query('delete from longhaul.uploads where id = $1 and sha256 is null', [id]);
}

export interface Contents {
  readonly contentType: string;
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
  readonly sha256: string;
}

/** The tenant's upload of these bytes, kept for `ttlMs` from now; undefined where there is none. */
export async function renewUpload(
  tx: Transaction,
  { sha256, store }: { readonly sha256: string; readonly store: string },
  ttlMs: number,
): Promise<UploadRecord | undefined> {
  const { rows } = await tx.query<UploadRecord>(
    `update longhaul.uploads set expires_at = greatest(expires_at, now() + $3 * interval '1 millisecond')
      where sha256 = $1 and store = $2 and deleted_at is null returning ${COLUMNS}`,
    [sha256, store, ttlMs],
  );
  return rows[0];
}

/**
 * Makes a begun upload a whole one. Fails with a unique violation where the tenant has the same bytes; undefined where
 * the sweeper took it for given up.
 */
export async function finishUpload(
  tx: Transaction,
  id: string,
  { contentType, width, height, bytes, sha256 }: Contents,
  ttlMs: number,
): Promise<UploadRecord | undefined> {
  const { rows } = await tx.query<UploadRecord>(
    `update longhaul.uploads set content_type = $2, width = $3, height = $4, bytes = $5, sha256 = $6,
        expires_at = now() + $7 * interval '1 millisecond'
      where id = $1 and deleted_at is null returning ${COLUMNS}`,
    [id, contentType, width, height, bytes, sha256, ttlMs],
  );
  return rows[0];
}

export async function readUpload(tx: Transaction, id: string): Promise<UploadRecord | undefined> {
  const { rows } = await tx.query<UploadRecord>(
    `select ${COLUMNS} from longhaul.uploads where id = $1 and ${IS_THERE}`,
    [id],
  );
  return rows[0];
}

/** Gives an upload up: nobody finds it from now on, and its file may go. Its location; undefined where there is none. */
export async function deleteUpload(tx: Transaction, id: string): Promise<string | undefined> {
  const { rows } = await tx.query<{ location: string }>(
    `update longhaul.uploads set deleted_at = now() where id = $1 and ${IS_THERE} returning location`,
    [id],
  );
  return rows[0]?.location;
}

/** Of these ids, those the tenant ever uploaded something under: also what has expired since. */
export async function everUploaded(tx: Transaction, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const { rows } = await tx.query<{ id: string }>(
    'select id from longhaul.uploads where id = any($1::uuid[]) and sha256 is not null',
    [ids],
  );
  return new Set(rows.map(({ id }) => id));
}

/** Of these uploads, those that are there, kept for `forMs` from now at least. */
export async function holdUploads(
  tx: Transaction,
  ids: readonly string[],
  forMs: number,
): Promise<ReadonlyMap<string, UploadRecord>> {
  // In the order of their ids, as any other job does that holds some of the same.
  const { rows } = await tx.query<UploadRecord>(
    `update longhaul.uploads set expires_at = greatest(expires_at, now() + $2 * interval '1 millisecond')
      where id in (select id from longhaul.uploads where id = any($1::uuid[]) and ${IS_THERE} order by id for update)
      returning ${COLUMNS}`,
    [ids, forMs],
  );
  return new Map(rows.map((row) => [row.id, row]));
}
