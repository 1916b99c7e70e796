/** The artifacts' rows as the sweeper sees them (role `longhaul_relay`): every tenant's. */
import type { Database } from '../store/database.js';
import { jobIdOf } from './artifact-store.js';

/** A submission that is repeated is answered as before, though what it names has expired since. */
const UPLOAD_ROWS_KEPT = '30 days';
const UUID_PATTERN = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export interface ExpiredArtifact {
  readonly jobId: string;
  readonly location: string;
}

/** Files past their time that are still there, the oldest first. */
export async function expiredArtifacts(
  database: Database,
  now: Date,
  limit: number,
): Promise<ExpiredArtifact[]> {
  const { rows } = await database.query<ExpiredArtifact>(
    `select job_id as "jobId", location from longhaul.artifacts
      where deleted_at is null and expires_at <= $1 order by expires_at limit $2`,
    [now, limit],
  );
  return rows;
}

/** Records that the files are gone. */
export async function markDeleted(database: Database, jobIds: readonly string[], now: Date): Promise<void> {
  await database.query(
    'update longhaul.artifacts set deleted_at = $2 where job_id = any($1::uuid[]) and deleted_at is null',
    [jobIds, now],
  );
}

/**
 * Of these locations, those a job that is still open may want, and those a row points to. What names no job at all
 * is somebody else's, and left alone.
 */
export async function liveLocations(
  database: Database,
  locations: readonly string[],
): Promise<ReadonlySet<string>> {
  const byJob = locations.map((location) => [location, jobIdOf(location)] as const);
  const jobIds = byJob.flatMap(([, jobId]) => (UUID_PATTERN.test(jobId) ? [jobId] : []));
  const { rows } = await database.query<{ live: string }>(
    `select id::text as live from longhaul.jobs where id = any($1::uuid[]) and ended_at is null
     union all select location from longhaul.artifacts where location = any($2::text[]) and deleted_at is null
     union all select location from longhaul.uploads where location = any($2::text[]) and deleted_at is null
     union all select location from longhaul.rendition_files where location = any($2::text[]) and deleted_at is null`,
    [jobIds, locations],
  );
  const live = new Set(rows.map((row) => row.live));
  return new Set(
    byJob
      .filter(([location, jobId]) => live.has(jobId) || live.has(location) || !UUID_PATTERN.test(jobId))
      .map(([location]) => location),
  );
}

/** Drops the plans of jobs that have ended; answers how many rows went. */
export async function dropEndedPlans(database: Database): Promise<number> {
  const { rowCount } = await database.query(
    `delete from longhaul.export_parts p using longhaul.jobs j where j.id = p.job_id and j.ended_at is not null`,
  );
  return rowCount ?? 0;
}

/**
 * Gives up to `limit` files up that are past their time: uploads (those that were begun and never finished too) and
 * renditions. Whoever renews one does it before or finds it gone; the answer's locations are nobody's any more.
 */
export async function giveUpExpired(database: Database, now: Date, limit: number): Promise<string[]> {
  const { rows } = await database.query<{ location: string }>(
    `with old_uploads as (
       update longhaul.uploads set deleted_at = $1 where id in (
         select id from longhaul.uploads where deleted_at is null and expires_at <= $1
           order by expires_at limit $2 for update skip locked)
         returning location),
     old_files as (
       update longhaul.rendition_files f set deleted_at = $1 where location in (
         select location from longhaul.rendition_files where deleted_at is null and expires_at <= $1
           order by expires_at limit $2 for update skip locked)
         returning location)
     select location from old_uploads union all select location from old_files`,
    [now, limit],
  );
  return rows.map(({ location }) => location);
}

/** Forgets uploads that have been gone so long that nobody names them any more; answers how many. */
export async function forgetOldUploads(database: Database, now: Date): Promise<number> {
  const { rowCount } = await database.query(
    `delete from longhaul.uploads where deleted_at < $1::timestamptz - interval '${UPLOAD_ROWS_KEPT}'`,
    [now],
  );
  return rowCount ?? 0;
}

/** Drops the rows of renditions whose job ended without announcing them; answers how many went. */
export async function dropUnannouncedFiles(database: Database): Promise<number> {
  const { rowCount } = await database.query(
    `delete from longhaul.rendition_files f using longhaul.jobs j
      where j.id = f.job_id and f.expires_at is null and j.ended_at is not null`,
  );
  return rowCount ?? 0;
}
