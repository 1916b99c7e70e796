/** A tenant's schedules (roles app and worker, in the tenant's transaction). */
import type { Transaction } from '../saga/implement.js';

export const OVERLAPS = ['skip', 'bufferOne', 'bufferAll', 'allowAll', 'cancelOther'] as const;
export type Overlap = (typeof OVERLAPS)[number];

/** What is sealed of a schedule. */
export interface ScheduleTemplate {
  /** With its placeholders. */
  readonly input: unknown;
  readonly callback: { readonly url: string } | null;
}

export interface ScheduleRecord {
  readonly id: string;
  readonly kind: string;
  /** Sealed {@link ScheduleTemplate}. */
  readonly template: Buffer;
  readonly cron: string;
  readonly timeZone: string;
  readonly overlap: Overlap;
  readonly catchUpSeconds: number;
  readonly paused: boolean;
  readonly note: string | null;
  readonly isSynced: boolean;
  readonly lastError: { readonly at: string; readonly code: string; readonly detail: string } | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export type ScheduleWish = Omit<ScheduleRecord, 'id' | 'isSynced' | 'lastError' | 'createdAt' | 'updatedAt'>;

const COLUMNS = `id, kind, template, cron, time_zone as "timeZone", overlap, catch_up_seconds as "catchUpSeconds", paused, note,
  revision = synced_revision as "isSynced", last_error as "lastError", created_at as "createdAt", updated_at as "updatedAt"`;

/** What a template's seal is bound to. */
export function templateAad(tenantId: string, scheduleId: string): string {
  return `${tenantId}/${scheduleId}/schedule`;
}

export async function insertSchedule(
  tx: Transaction,
  { id, ...wish }: ScheduleWish & { readonly id: string },
): Promise<ScheduleRecord> {
  const { rows } = await tx.query<ScheduleRecord>(
    `insert into longhaul.schedules
         (id, tenant_id, kind, template, cron, time_zone, overlap, catch_up_seconds, paused, note)
       values ($1, longhaul.current_tenant(), $2, $3, $4, $5, $6, $7, $8, $9) returning ${COLUMNS}`,
    [id, ...valuesOf(wish)],
  );
  return rows[0] as ScheduleRecord;
}

/** Undefined where there is none, or no more. `lock`: until the transaction ends. */
export async function readSchedule(
  tx: Transaction,
  id: string,
  { lock = false } = {},
): Promise<ScheduleRecord | undefined> {
  const { rows } = await tx.query<ScheduleRecord>(
    `select ${COLUMNS} from longhaul.schedules where id = $1 and deleted_at is null ${lock ? 'for update' : ''}`,
    [id],
  );
  return rows[0];
}

/** A page, the newest first. */
export async function listSchedules(
  tx: Transaction,
  { before, limit }: { readonly before: string | undefined; readonly limit: number },
): Promise<ScheduleRecord[]> {
  const { rows } = await tx.query<ScheduleRecord>(
    `select ${COLUMNS} from longhaul.schedules
      where deleted_at is null and ($1::uuid is null or id < $1) order by id desc limit $2`,
    [before ?? null, limit],
  );
  return rows;
}

/** Writes the whole wish; the engine is told after that. */
export async function updateSchedule(
  tx: Transaction,
  id: string,
  wish: ScheduleWish,
): Promise<ScheduleRecord> {
  const { rows } = await tx.query<ScheduleRecord>(
    `update longhaul.schedules
        set kind = $2, template = $3, cron = $4, time_zone = $5, overlap = $6, catch_up_seconds = $7, paused = $8, note = $9,
            revision = revision + 1, sync_due_at = now(), sync_attempts = 0, updated_at = now()
      where id = $1 and deleted_at is null returning ${COLUMNS}`,
    [id, ...valuesOf(wish)],
  );
  return rows[0] as ScheduleRecord;
}

/** No run begins from now on; its input goes at once. False: there is none. */
export async function deleteSchedule(tx: Transaction, id: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update longhaul.schedules
        set deleted_at = now(), template = '', note = null, revision = revision + 1, sync_due_at = now(), sync_attempts = 0
      where id = $1 and deleted_at is null`,
    [id],
  );
  return rowCount === 1;
}

/** Keeps why a run did not become a job; null once one did. */
export async function noteRunError(
  tx: Transaction,
  id: string,
  error: ScheduleRecord['lastError'],
): Promise<void> {
  await tx.query(
    `update longhaul.schedules set last_error = $2 where id = $1 and last_error is distinct from $2::jsonb`,
    [id, error === null ? null : JSON.stringify(error)],
  );
}

function valuesOf(wish: ScheduleWish): unknown[] {
  const { kind, template, cron, timeZone, overlap, catchUpSeconds, paused, note } = wish;
  return [kind, template, cron, timeZone, overlap, catchUpSeconds, paused, note];
}
