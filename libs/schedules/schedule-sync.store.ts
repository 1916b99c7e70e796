/** Schedules as the relay tells the engine of them (role relay). */
import type { Database } from '../store/database.js';
import type { Overlap } from './schedules.store.js';

/** What the engine has to know of a schedule. */
export interface UnsyncedSchedule {
  readonly id: string;
  readonly tenantId: string;
  readonly cron: string;
  readonly timeZone: string;
  readonly overlap: Overlap;
  readonly catchUpSeconds: number;
  readonly paused: boolean;
  readonly revision: number;
  readonly isDeleted: boolean;
  readonly attempts: number;
}

/** Those the engine does not have as they are, the longest due first. */
export async function listUnsynced(database: Database, limit: number): Promise<UnsyncedSchedule[]> {
  const { rows } = await database.query<UnsyncedSchedule>(
    `select id, tenant_id as "tenantId", cron, time_zone as "timeZone", overlap, catch_up_seconds as "catchUpSeconds", paused,
            revision, deleted_at is not null as "isDeleted", sync_attempts as attempts
       from longhaul.schedules where revision <> synced_revision and sync_due_at <= now() order by sync_due_at limit $1`,
    [limit],
  );
  return rows;
}

/** The engine has it as it was then; what was changed meanwhile is told next. */
export async function markSynced(database: Database, { id, revision }: UnsyncedSchedule): Promise<void> {
  await database.query(
    `update longhaul.schedules set synced_revision = $2, synced_at = now(), sync_attempts = 0 where id = $1`,
    [id, revision],
  );
}

export async function postponeSync(database: Database, id: string, delayMs: number): Promise<void> {
  await database.query(
    `update longhaul.schedules set sync_attempts = sync_attempts + 1,
            sync_due_at = now() + $2 * interval '1 millisecond' where id = $1`,
    [id, delayMs],
  );
}

export interface KnownSchedule {
  readonly id: string;
  readonly paused: boolean;
  readonly isDeleted: boolean;
}

/** Of those the engine was told of a while ago: what it should have. */
export async function listSynced(
  database: Database,
  settledMs: number,
  afterId: string,
  limit: number,
): Promise<KnownSchedule[]> {
  const { rows } = await database.query<KnownSchedule>(
    `select id, paused, deleted_at is not null as "isDeleted" from longhaul.schedules
      where revision = synced_revision and synced_at < now() - $1 * interval '1 millisecond' and id > $2
      order by id limit $3`,
    [settledMs, afterId, limit],
  );
  return rows;
}

/** Has the engine told again. */
export async function unsync(database: Database, ids: readonly string[]): Promise<void> {
  await database.query(
    `update longhaul.schedules set synced_revision = 0, sync_due_at = now() where id = any ($1)`,
    [ids],
  );
}
