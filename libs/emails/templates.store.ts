/** Templates and their versions (role app or worker, in the tenant's transaction). */
import type { Transaction } from '../saga/implement.js';
import { canonicalJson } from '../saga/digest.js';
import type { TemplateText } from './template.js';

export interface TemplateRecord extends TemplateText {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly createdAt: Date;
}

const COLUMNS = `id, name, version, subject, text, html, variables, created_at as "createdAt"`;

/** Writes a new version, or finds that the newest says the same. */
export async function putTemplate(
  tx: Transaction,
  tenantId: string,
  { id, name, ...text }: TemplateText & { readonly id: string; readonly name: string },
): Promise<{ readonly record: TemplateRecord; readonly isNew: boolean }> {
  // One writer of a name at a time: versions have no gaps, and none is lost.
  await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [
    `email-template/${tenantId}/${name}`,
  ]);
  const newest = await findTemplate(tx, name);
  if (newest && isSame(newest, text)) return { record: newest, isNew: false };
  const { rows } = await tx.query<TemplateRecord>(
    `insert into longhaul.email_templates (id, tenant_id, name, version, subject, text, html, variables)
       select $1, $2, $3, coalesce(max(version), 0) + 1, $4, $5, $6, $7 from longhaul.email_templates where name = $3
       returning ${COLUMNS}`,
    [id, tenantId, name, text.subject, text.text, text.html, JSON.stringify(text.variables)],
  );
  return { record: rows[0] as TemplateRecord, isNew: true };
}

/** A version, by default the newest. Of a deleted template only `evenDeleted`, for jobs that were accepted before. */
export async function findTemplate(
  tx: Transaction,
  name: string,
  {
    version,
    evenDeleted = false,
  }: { readonly version?: number | undefined; readonly evenDeleted?: boolean } = {},
): Promise<TemplateRecord | undefined> {
  const { rows } = await tx.query<TemplateRecord>(
    `select ${COLUMNS} from longhaul.email_templates
      where name = $1 and ($2::int is null or version = $2) and ($3 or deleted_at is null) order by version desc limit 1`,
    [name, version ?? null, evenDeleted],
  );
  return rows[0];
}

/** A page of newest versions, the one changed last first. */
export async function listTemplates(
  tx: Transaction,
  { before, limit }: { readonly before: string | undefined; readonly limit: number },
): Promise<TemplateRecord[]> {
  const { rows } = await tx.query<TemplateRecord>(
    `select ${COLUMNS} from longhaul.email_templates t
      where deleted_at is null and ($1::uuid is null or id < $1)
        and not exists (select 1 from longhaul.email_templates n where n.tenant_id = t.tenant_id and n.name = t.name and n.version > t.version)
      order by id desc limit $2`,
    [before ?? null, limit],
  );
  return rows;
}

/** Takes it off the list; jobs that were accepted with it are sent. False: there is none. */
export async function deleteTemplate(tx: Transaction, name: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    'update longhaul.email_templates set deleted_at = now() where name = $1 and deleted_at is null',
    [name],
  );
  return (rowCount ?? 0) > 0;
}

function isSame(record: TemplateRecord, { subject, text, html, variables }: TemplateText): boolean {
  return (
    record.subject === subject &&
    record.text === text &&
    record.html === html &&
    canonicalJson(record.variables) === canonicalJson(variables)
  );
}
