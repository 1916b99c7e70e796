/** Lists of recipients (role app, or worker to read them), sealed so many at a time. */
import { canonicalJson } from '../saga/digest.js';
import type { Transaction } from '../saga/implement.js';
import type { TenantCipher } from '../security/tenant-cipher.js';
import { inTenant, type Database } from '../store/database.js';
import type { Recipient } from './recipient-rows.js';

/** Recipients that are sealed, and read, together. */
export const CHUNK_RECIPIENTS = 500;

export interface ListRecord {
  readonly id: string;
  readonly name: string;
  readonly columns: readonly string[];
  readonly recipients: number;
  readonly duplicates: number;
  readonly invalid: number;
  readonly bytes: number;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

const COLUMNS = `id, name, columns, recipients, duplicates, invalid, bytes::float8 as bytes, created_at as "createdAt",
  expires_at as "expiresAt"`;
const SEEN = `state = 'ready' and expires_at > now()`;

/** Begins a list that nobody sees until {@link finishList}. */
export async function beginList(
  tx: Transaction,
  tenantId: string,
  list: { readonly id: string; readonly name: string; readonly ttlDays: number },
): Promise<void> {
  await tx.query(
    `insert into longhaul.recipient_lists (id, tenant_id, name, expires_at) values ($1, $2, $3, now() + make_interval(days => $4))`,
    [list.id, tenantId, list.name, list.ttlDays],
  );
}

/** Adds a chunk, in a transaction of its own: a slow upload holds no connection. */
export async function addChunk(
  { database, cipher }: { readonly database: Database; readonly cipher: TenantCipher },
  tenantId: string,
  {
    listId,
    chunk,
    recipients,
  }: { readonly listId: string; readonly chunk: number; readonly recipients: readonly Recipient[] },
): Promise<void> {
  const plain = Buffer.from(JSON.stringify(recipients));
  const sealed = await cipher.encrypt(tenantId, plain, chunkAad(tenantId, listId, chunk));
  await inTenant(database, tenantId, (tx) =>
    tx.query(
      'insert into longhaul.recipient_chunks (list_id, chunk, tenant_id, recipients, sealed) values ($1, $2, $3, $4, $5)',
      [listId, chunk, tenantId, recipients.length, sealed],
    ),
  );
}

export type ListCounts = Pick<ListRecord, 'columns' | 'recipients' | 'duplicates' | 'invalid' | 'bytes'>;

/** The list is there from now on. */
export async function finishList(tx: Transaction, id: string, counts: ListCounts): Promise<ListRecord> {
  const { rows } = await tx.query<ListRecord>(
    `update longhaul.recipient_lists set state = 'ready', columns = $2, recipients = $3, duplicates = $4, invalid = $5, bytes = $6
      where id = $1 returning ${COLUMNS}`,
    [id, counts.columns, counts.recipients, counts.duplicates, counts.invalid, counts.bytes],
  );
  const [record] = rows;
  if (!record) throw new Error('the list was swept while it was uploaded');
  return record;
}

export async function findList(tx: Transaction, id: string): Promise<ListRecord | undefined> {
  const { rows } = await tx.query<ListRecord>(
    `select ${COLUMNS} from longhaul.recipient_lists where id = $1 and ${SEEN}`,
    [id],
  );
  return rows[0];
}

/** A page, the newest first. */
export async function listLists(
  tx: Transaction,
  { before, limit }: { readonly before: string | undefined; readonly limit: number },
): Promise<ListRecord[]> {
  const { rows } = await tx.query<ListRecord>(
    `select ${COLUMNS} from longhaul.recipient_lists where ${SEEN} and ($1::uuid is null or id < $1) order by id desc limit $2`,
    [before ?? null, limit],
  );
  return rows;
}

/** Deletes a list and all its addresses. False: there is none. */
export async function deleteList(tx: Transaction, id: string): Promise<boolean> {
  const { rowCount } = await tx.query('delete from longhaul.recipient_lists where id = $1', [id]);
  return rowCount === 1;
}

/** Opens a chunk; undefined once the list is deleted or over its time. */
export async function readChunk(
  tx: Transaction,
  cipher: TenantCipher,
  { tenantId, listId, chunk }: { readonly tenantId: string; readonly listId: string; readonly chunk: number },
): Promise<readonly Recipient[] | undefined> {
  const { rows } = await tx.query<{ sealed: Buffer }>(
    `select c.sealed from longhaul.recipient_chunks c join longhaul.recipient_lists l on l.id = c.list_id
      where c.list_id = $1 and c.chunk = $2 and l.expires_at > now()`,
    [listId, chunk],
  );
  const [row] = rows;
  if (!row) return undefined;
  const plain = await cipher.decrypt(tenantId, row.sealed, chunkAad(tenantId, listId, chunk));
  return JSON.parse(plain.toString('utf8')) as Recipient[];
}

function chunkAad(tenantId: string, listId: string, chunk: number): string {
  return canonicalJson([tenantId, 'recipient-list', listId, chunk]);
}

/** Every tenant's that is over its time, and uploads that were cut off (role relay). Answers how many. */
export async function sweepLists(database: Database, uploadsOlderThanMs: number): Promise<number> {
  const { rowCount } = await database.query(
    `delete from longhaul.recipient_lists
      where expires_at <= now() or state = 'uploading' and created_at < now() - $1 * interval '1 millisecond'`,
    [uploadsOlderThanMs],
  );
  return rowCount ?? 0;
}
