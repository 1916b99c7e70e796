/** Schedules as text. */
import type { Schedule } from '../../libs/client/schedule.types.js';
import type { Terminal } from './terminal.js';

export function renderSchedules(schedules: readonly Schedule[], paint: Terminal['paint']): string[] {
  const width = Math.max(...schedules.map(({ cron, timeZone }) => cron.length + timeZone.length + 1));
  return schedules.flatMap((schedule) => {
    const { id, kind, cron, timeZone, overlap, paused, note, nextRuns, lastError } = schedule;
    const state = paused ? paint('yellow', 'paused') : overlap;
    return [
      `${id}  ${`${cron} ${timeZone}`.padEnd(width)}  ${kind}  ${state}${note === null ? '' : `  ${paint('dim', note)}`}`,
      ...(nextRuns ?? []).slice(0, 5).map((time) => `  next ${time}`),
      ...(lastError ? [paint('red', `  ${lastError.at} ${lastError.code}: ${lastError.detail}`)] : []),
    ];
  });
}
