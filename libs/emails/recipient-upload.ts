/** An upload becomes a list: rows are judged as they arrive and sealed so many at a time; memory does not grow with the list. */
import { createHash } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { TenantCipher } from '../security/tenant-cipher.js';
import { inTenant, type Database } from '../store/database.js';
import {
  addChunk,
  beginList,
  CHUNK_RECIPIENTS,
  deleteList,
  finishList,
  type ListRecord,
} from './recipient-lists.store.js';
import { readRows, type Recipient, type RowFormat } from './recipient-rows.js';
import { VARIABLES_MAX } from './variables.js';

export const RECIPIENTS_MAX = 100_000;
/** Of bad rows, those that are told of. */
export const BAD_ROWS_TOLD_MAX = 100;
const KEY_BYTES = 16;

export interface BadRow {
  readonly line: number;
  readonly problem: string;
}

export interface UploadOptions {
  readonly tenantId: string;
  readonly name: string;
  readonly ttlDays: number;
  readonly format: RowFormat;
  /** Leave bad rows out, instead of refusing the whole list. */
  readonly skipsBadRows: boolean;
}

export type Upload =
  | { readonly kind: 'stored'; readonly list: ListRecord; readonly bad: readonly BadRow[] }
  /** Nothing is kept of it. */
  | { readonly kind: 'refused'; readonly badCount: number; readonly bad: readonly BadRow[] }
  | { readonly kind: 'empty' }
  | { readonly kind: 'too_long' }
  | { readonly kind: 'too_wide' };

/** Reads and stores a list. What was begun and not finished is deleted, where it throws, too. */
export async function storeUpload(
  parts: { readonly database: Database; readonly cipher: TenantCipher },
  bytes: AsyncIterable<Buffer>,
  options: UploadOptions,
): Promise<Upload> {
  const { database } = parts;
  const { tenantId, name, ttlDays } = options;
  const id = uuidv7();
  await inTenant(database, tenantId, (tx) => beginList(tx, tenantId, { id, name, ttlDays }));
  let upload: Upload | undefined;
  try {
    return (upload = await fill(parts, id, bytes, options));
  } finally {
    if (upload?.kind !== 'stored') await inTenant(database, tenantId, (tx) => deleteList(tx, id));
  }
}

async function fill(
  parts: { readonly database: Database; readonly cipher: TenantCipher },
  listId: string,
  bytes: AsyncIterable<Buffer>,
  { tenantId, format, skipsBadRows }: UploadOptions,
): Promise<Upload> {
  const meter = { bytes: 0 };
  const seen = new Set<string>();
  const columns = new Set<string>();
  const bad: BadRow[] = [];
  let badCount = 0;
  let duplicates = 0;
  let chunk = 0;
  let recipients: Recipient[] = [];
  const flush = async (): Promise<void> => {
    // Of a list that is refused nothing more is stored, and the rest is read for its bad rows.
    if (recipients.length > 0 && (skipsBadRows || badCount === 0)) {
      await addChunk(parts, tenantId, { listId, chunk: chunk++, recipients });
    }
    recipients = [];
  };
  for await (const { line, recipient, problem } of readRows(metered(bytes, meter), format)) {
    if (problem !== undefined) {
      badCount += 1;
      if (bad.length < BAD_ROWS_TOLD_MAX) bad.push({ line, problem });
      continue;
    }
    const key = keyOf(recipient.address);
    if (seen.has(key)) {
      duplicates += 1;
      continue;
    }
    if (seen.size >= RECIPIENTS_MAX) return { kind: 'too_long' };
    seen.add(key);
    for (const name of Object.keys(recipient.values)) columns.add(name);
    if (recipient.name !== undefined) columns.add('name');
    if (columns.size > VARIABLES_MAX + 1) return { kind: 'too_wide' };
    recipients.push(recipient);
    if (recipients.length >= CHUNK_RECIPIENTS) await flush();
  }
  if (badCount > 0 && !skipsBadRows) return { kind: 'refused', badCount, bad };
  if (seen.size === 0) return { kind: 'empty' };
  await flush();
  const counts = {
    columns: [...columns],
    recipients: seen.size,
    duplicates,
    invalid: badCount,
    bytes: meter.bytes,
  };
  const list = await inTenant(parts.database, tenantId, (tx) => finishList(tx, listId, counts));
  return { kind: 'stored', list, bad };
}

/** Short, and the same for each spelling that is one address: a hundred thousand of them are held. */
function keyOf(address: string): string {
  return createHash('sha256').update(address).digest().subarray(0, KEY_BYTES).toString('latin1');
}

async function* metered(
  source: AsyncIterable<Buffer>,
  meter: { bytes: number },
): AsyncGenerator<Buffer, void> {
  for await (const chunk of source) {
    meter.bytes += chunk.length;
    yield chunk;
  }
}
