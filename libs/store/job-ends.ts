/** Word of a job's end, from whoever recorded it to those who follow the job. They look by themselves, too. */
import type { Logger } from 'pino';
import type { Database } from './database.js';
import { listenTo, type Listener } from './notifications.js';

/** Carries the ids of jobs that ended. */
export const JOB_ENDS_CHANNEL = 'longhaul_job_ends';

/** After the end was committed: inside that transaction it would serialise commits. Never throws, and is not waited for. */
export function tellJobEnd(database: Database, jobId: string): void {
  // Whoever does not hear of it sees it at the next look.
  database.query('select pg_notify($1, $2)', [JOB_ENDS_CHANNEL, jobId]).catch(() => undefined);
}

/** Calls `onEnd` with the id of each job that ended, until closed. */
export function listenToJobEnds(url: string, onEnd: (jobId: string) => void, logger: Logger): Listener {
  const onNotify = (jobId: string | undefined): void => {
    if (jobId !== undefined) onEnd(jobId);
  };
  return listenTo({ url, channel: JOB_ENDS_CHANNEL, name: 'longhaul-api-listen', onNotify, logger });
}
