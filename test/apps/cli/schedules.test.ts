import { expect, test } from 'vitest';
import { register } from '../../../apps/cli/commands/schedules.command.js';
import { renderSchedules } from '../../../apps/cli/schedules.view.js';
import type { Schedule } from '../../../libs/client/schedule.types.js';
import { json, problem } from '../../libs/client/faulty-api.js';
import { commandLine } from './command-line.js';

const cli = commandLine([register]);
const schedules = (...args: string[]): Promise<void> => cli.run('schedules', ...args);

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

test('makes, shows, pauses, resumes, runs and deletes a schedule, and tells what is wrong with one', async () => {
  const path = `/schedules/${schedule.id}`;
  cli.api.on('POST /schedules', json(201, schedule));
  const errors = [{ pointer: '/input/dataset', detail: 'There is no dataset "x".' }];
  await schedules(
    ...['add', 'report.export', '--cron', '30 6 * * *', '--input', '{"version":"{{unixSeconds}}"}'],
    ...['--time-zone', 'Europe/Berlin', '--callback', 'https://example.com/done', '--catch-up', '60'],
  );
  expect(JSON.parse(cli.api.seen[0]!.body)).toEqual({
    ...{ kind: 'report.export', input: { version: '{{unixSeconds}}' }, cron: '30 6 * * *' },
    ...{ timeZone: 'Europe/Berlin', catchUpWindowSeconds: 60, callback: { url: 'https://example.com/done' } },
  });
  cli.api.on(`GET ${path}`, json(200, schedule));
  cli.api.on(`PATCH ${path}`, json(200, schedule));
  cli.api.on(`POST ${path}/trigger`, json(202, { id: 'job-1' }));
  cli.api.on(`DELETE ${path}`, (_, response) => response.writeHead(204).end());
  for (const command of ['show', 'pause', 'resume', 'trigger', 'remove'])
    await schedules(command, schedule.id);
  expect(cli.out).toMatch(/schedule 0189[^]*next 2026-11-25[^]*paused\nresumed\njob job-1;[^]*deleted/);
  const changes = cli.api.seen.filter(({ method }) => method === 'PATCH').map(({ body }) => body);
  expect(changes).toEqual(['{"paused":true}', '{"paused":false}']);

  cli.api.on('POST /schedules', problem(422, 'validation_failed', { errors }));
  await schedules('add', 'report.export', '--cron', '30 6 * * *', '--input', '{}');
  expect(process.exitCode).toBe(1);
  expect(cli.err).toContain('/input/dataset: There is no dataset "x".');
});
