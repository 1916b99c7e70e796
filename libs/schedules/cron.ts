/** Which cron lines and time zones a schedule may have: those on which every reader agrees. Pure. */
import { Cron } from 'croner';

const FIELDS = 5;
const NAMES = /JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC|SUN|MON|TUE|WED|THU|FRI|SAT/gi;
/** But for the one from Sunday to Sunday. */
const RANGE_UP_TO_SUNDAY = /\b(?!SUN|0)\w+-(?:SUN|0)\b/i;
const DAY_OF_MONTH = 2;
const DAY_OF_WEEK = 4;

/** Why a cron line is refused; undefined where it is fine. */
export function refusalOfCron(line: string): string | undefined {
  const fields = line.trim().split(/\s+/);
  if (fields.length !== FIELDS) {
    return 'expected five fields, minute, hour, day of the month, month and day of the week, e.g. "30 6 * * MON-FRI"';
  }
  const strange = fields.find((field) => !/^[\d*,/-]+$/.test(field.replace(NAMES, '0')));
  if (strange !== undefined) {
    return `"${strange}" has more than numbers, names (MON, JAN), *, lists, ranges and steps`;
  }
  const endless = fields[DAY_OF_WEEK]?.match(RANGE_UP_TO_SUNDAY)?.[0];
  if (endless !== undefined) {
    return `"${endless}" ends with Sunday, which is the first day (0) to the engine: write ${endless.replace(/SUN|0$/i, '7')}`;
  }
  if (fields[DAY_OF_MONTH] !== '*' && fields[DAY_OF_WEEK] !== '*') {
    return 'a day of the month and a day of the week together are read differently by different programs: leave one of them *, or make two schedules';
  }
  try {
    const cron = new Cron(fields.join(' '), { mode: '5-part', timezone: 'UTC', paused: true });
    return cron.nextRun() === null ? 'there is no such day: it would never run' : undefined;
  } catch (error) {
    return (error as Error).message.replace(/^CronPattern: /, '');
  }
}

/** Why a time zone is refused; undefined where it is fine. */
export function refusalOfTimeZone(zone: string): string | undefined {
  const refusal = 'expected an IANA time zone, e.g. Europe/Berlin, or UTC';
  if (!/^[A-Za-z][A-Za-z0-9_+/-]*$/.test(zone)) return refusal;
  try {
    const known = new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone;
    // The engine's list has these names in this case, and none of Java's old ones (PST, SystemV/AST4).
    const isCommon = /^(UTC|GMT|(?!SystemV)[A-Z][A-Za-z_]*(\/[A-Z][A-Za-z0-9_+-]*)+)$/.test(zone);
    if (known.toLowerCase() === zone.toLowerCase() && known !== zone) return `${refusal}: write ${known}`;
    return isCommon ? undefined : refusal;
  } catch {
    return refusal;
  }
}
