import { Command } from 'commander';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { register } from '../../../apps/cli/commands/schedules.command.js';
import { renderSchedules } from '../../../apps/cli/schedules.view.js';
import type { Schedule } from '../../../libs/client/schedule.types.js';
import { json, openFaultyApi, problem, type FaultyApi } from '../../libs/client/faulty-api.js';

let api: FaultyApi;
let out: string;

beforeEach(async () => {
  api = await openFaultyApi();
  out = '';
  vi.stubEnv('LONGHAUL_URL', api.url);
  vi.stubEnv('LONGHAUL_KEY', 'client-key');
  vi.stubEnv('NO_COLOR', '1');
  const write = (text: unknown): boolean => ((out += String(text)), true);
  vi.spyOn(process.stdout, 'write').mockImplementation(write);
  vi.spyOn(process.stderr, 'write').mockImplementation(write);
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  process.exitCode = undefined;
  await api.close();
});

async function schedules(...args: string[]): Promise<void> {
  const program = new Command().exitOverride();
  register(program);
  await program.parseAsync(['schedules', ...args], { from: 'user' });
}

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
  api.on('POST /schedules', json(201, schedule));
  const errors = [{ pointer: '/input/dataset', detail: 'There is no dataset "x".' }];
  await schedules(
    ...['add', 'report.export', '--cron', '30 6 * * *', '--input', '{"version":"{{unixSeconds}}"}'],
    ...['--time-zone', 'Europe/Berlin', '--callback', 'https://example.com/done', '--catch-up', '60'],
  );
  expect(JSON.parse(api.seen[0]!.body)).toEqual({
    ...{ kind: 'report.export', input: { version: '{{unixSeconds}}' }, cron: '30 6 * * *' },
    ...{ timeZone: 'Europe/Berlin', catchUpWindowSeconds: 60, callback: { url: 'https://example.com/done' } },
  });
  api.on(`GET ${path}`, json(200, schedule));
  api.on(`PATCH ${path}`, json(200, schedule));
  api.on(`POST ${path}/trigger`, json(202, { id: 'job-1' }));
  api.on(`DELETE ${path}`, (_, response) => response.writeHead(204).end());
  for (const command of ['show', 'pause', 'resume', 'trigger', 'remove'])
    await schedules(command, schedule.id);
  expect(out).toMatch(/schedule 0189[^]*next 2026-11-25[^]*paused\nresumed\njob job-1;[^]*deleted/);
  const changes = api.seen.filter(({ method }) => method === 'PATCH').map(({ body }) => body);
  expect(changes).toEqual(['{"paused":true}', '{"paused":false}']);

  api.on('POST /schedules', problem(422, 'validation_failed', { errors }));
  await schedules('add', 'report.export', '--cron', '30 6 * * *', '--input', '{}');
  expect(process.exitCode).toBe(1);
  expect(out).toContain('/input/dataset: There is no dataset "x".');
});
