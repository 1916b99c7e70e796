import { expect, test } from 'vitest';
import { refusalOfCron, refusalOfTimeZone } from '../../../libs/schedules/cron.js';

test.each([
  '30 6 * * MON-FRI',
  '*/15 * * * *',
  '0 0 31 * *',
  '0 0 29 2 *',
  '0 12 * JAN,dec 7',
  '0-30/10 8-18 * * 1,3,5',
  '0 0 * * SAT-7',
  '0 0 * * SUN-SAT',
])('%s is taken', (line) => expect(refusalOfCron(line)).toBeUndefined());

test.each([
  '',
  '@daily',
  '0 0 6 * * *',
  '60 * * * *',
  '0 0 32 * *',
  '0 0 30 2 *',
  '0 0 ? * *',
  '0 0 * * MON#1',
  'CRON_TZ=UTC 0 0 * * *',
  '5/15 * * * *',
  '0 0 * * SAT-SUN',
  '0 0 * * MON-FRI,5-0/2',
])('%s is refused with a reason', (line) => expect(refusalOfCron(line)).toMatch(/\w+ \w+/));

test.each([
  'UTC',
  'Europe/Berlin',
  'Asia/Kolkata',
  'America/Port-au-Prince',
  'America/Argentina/Buenos_Aires',
  'Etc/GMT+5',
])('%s is a zone', (zone) => expect(refusalOfTimeZone(zone)).toBeUndefined());

test.each(['', 'Berlin', '+01:00', 'Europe/Berlin ', 'europe/berlin', 'utc', 'PST', 'SystemV/AST4', 'Local'])(
  '"%s" is no zone',
  (zone) => expect(refusalOfTimeZone(zone)).toMatch(/IANA/),
);
