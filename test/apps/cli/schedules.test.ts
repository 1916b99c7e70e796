import { expect, test } from 'vitest';
import { renderSchedules } from '../../../apps/cli/schedules.view.js';
import type { Schedule } from '../../../libs/client/schedule.types.js';

const schedule: Schedule = {
  id: '01890a5d-ac96-774b-bcce-b302099a8057',
  ...{ kind: 'report.export', input: {}, cron: '30 6 * * *', timeZone: 'Europe/Berlin' },
  ...{ overlap: 'skip', catchUpWindowSeconds: 3_600, paused: false, note: 'for finance', callback: null },
  ...{ inSync: true, nextRuns: ['2026-11-25T05:30:00.000Z'], lastError: null },
  ...{ createdAt: '', updatedAt: '', links: { self: '', jobs: '', trigger: '' } },
};

test('shows the plan, the next runs, and why the last run made no job', () => {
  const lastError = { at: '2026-11-24T05:30:00.000Z', code: 'input_invalid', detail: 'no such version' };
  const plain = (_style: unknown, text: string): string => text;
  expect(
    renderSchedules([schedule, { ...schedule, paused: true, nextRuns: null, lastError }], plain),
  ).toEqual([
    `${schedule.id}  30 6 * * * Europe/Berlin  report.export  skip  for finance`,
    '  next 2026-11-25T05:30:00.000Z',
    `${schedule.id}  30 6 * * * Europe/Berlin  report.export  paused  for finance`,
    '  2026-11-24T05:30:00.000Z input_invalid: no such version',
  ]);
});
