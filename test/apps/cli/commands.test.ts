import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { locateApi } from '../../../apps/cli/api-location.js';
import { CommandError, describeFailure } from '../../../apps/cli/command.error.js';
import { register as registerCancel } from '../../../apps/cli/commands/cancel.command.js';
import { register as registerJobs } from '../../../apps/cli/commands/jobs.command.js';
import {
  parseInput,
  readInput,
  register as registerSubmit,
} from '../../../apps/cli/commands/submit.command.js';
import { register as registerWatch } from '../../../apps/cli/commands/watch.command.js';
import type { CancelPreview, Job } from '../../../libs/client/job.types.js';
import { events, jobAt, json, openFaultyApi, problem } from '../../libs/client/faulty-api.js';
import { commandLine } from './command-line.js';

const cli = commandLine([registerCancel, registerJobs, registerSubmit, registerWatch], {
  LONGHAUL_URL: undefined,
  LONGHAUL_KEY: undefined,
});
const longhaul = (...args: string[]): Promise<void> => cli.run(...args);

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'longhaul-cli-'));
  vi.stubEnv('LONGHAUL_HOME', home);
});
afterEach(() => rm(home, { recursive: true, force: true }));

const writeRunFile = (run: unknown): Promise<void> => writeFile(join(home, 'run.json'), JSON.stringify(run));

describe('where the API is', () => {
  it('takes options before the environment before run.json', async () => {
    await writeRunFile({ api: 'http://run', keys: { client: 'run-key' } });
    expect(await locateApi({}, { LONGHAUL_HOME: home })).toEqual({ url: 'http://run', key: 'run-key' });
    const env = { LONGHAUL_HOME: home, LONGHAUL_URL: 'http://env', LONGHAUL_KEY: 'env-key' };
    expect(await locateApi({}, env)).toEqual({ url: 'http://env', key: 'env-key' });
    expect(await locateApi({ url: 'http://option' }, env)).toEqual({ url: 'http://option', key: 'env-key' });
  });

  it('says how to start when nothing runs here', async () => {
    await longhaul('jobs');
    expect(cli.err).toMatch(/^Nothing runs here \(no .*run\.json\)\. Start it with `npm start`/);
    expect(process.exitCode).toBe(1);
  });

  it('does not send the key of this home to another address', async () => {
    await writeRunFile({ api: cli.api.url, keys: { client: 'run-key' } });
    await expect(locateApi({ url: 'http://elsewhere.example' }, { LONGHAUL_HOME: home })).rejects.toThrow(
      'Which key',
    );
    expect(await locateApi({ url: cli.api.url }, { LONGHAUL_HOME: home })).toEqual({
      url: cli.api.url,
      key: 'run-key',
    });
  });

  it('refuses what is no address', async () => {
    await expect(locateApi({ url: 'localhost:3000', key: 'k' }, {})).rejects.toThrow(
      'is no address of an API',
    );
  });
});

describe('cancel --dry-run', () => {
  const preview = async (answer: CancelPreview): Promise<string> => {
    cli.api.on('POST /jobs/x/cancel', json(200, answer));
    await longhaul('cancel', 'x', '--dry-run', '--url', cli.api.url, '--key', 'k');
    return cli.out;
  };

  it('says that a job has ended, and fails as the cancel would', async () => {
    const lines = await preview({ possible: false, reason: 'job_finished', wouldUndo: [] });
    expect(lines).toBe('Not possible: the job has ended; there is nothing left to cancel.\n');
    expect(process.exitCode).toBe(1);
  });

  it('says what would be waited for, and what be undone then', async () => {
    const wouldUndo = [{ step: 'reserve', undo: 'release' }];
    const lines = await preview({ possible: true, waitsFor: { step: 'pay', parked: true }, wouldUndo });
    expect(lines).toMatch(/^Nobody can tell whether pay has happened: .* an operator's decision\.\n/);
    expect(lines).toMatch(/Possible; would undo:\n {2}reserve by release\n$/);
    expect(process.exitCode).toBeUndefined();
  });
});

describe('submit', () => {
  const input = '{"dataset":"flights"}';

  it('prints the id and how to follow it', async () => {
    cli.api.on('POST /jobs', json(202, jobAt(1)));
    await longhaul(
      'submit',
      'report.export',
      '--input',
      input,
      '--url',
      cli.api.url,
      '--key',
      'k',
      '--idempotency-key',
      'mine',
    );
    expect(cli.out).toMatch(/^Accepted in .*: 0199aaaa-.*\nFollow it: .\/longhaul watch 0199aaaa-/);
    expect(cli.api.seen[0]?.headers['idempotency-key']).toBe('mine');
    expect(process.exitCode).toBeUndefined();
  });

  it('waits for the end, and fails with the job', async () => {
    const failed: Partial<Job> = { status: 'FAILED', phase: 'done', error: { code: 'gone', title: 'Gone' } };
    cli.api.on('POST /jobs', json(202, jobAt(1)));
    cli.api.on(`GET /jobs/${jobAt(1).id}/events`, events([jobAt(2), jobAt(3, failed)], 'close'));
    await longhaul(
      'submit',
      'report.export',
      '--input',
      input,
      '--url',
      cli.api.url,
      '--key',
      'k',
      '--wait',
      '--json',
    );
    expect(JSON.parse(cli.out)).toMatchObject({ status: 'FAILED', revision: 3 });
    expect(cli.err).toContain('FAILED: gone: Gone');
    expect(process.exitCode).toBe(1);
  });

  it('shows every field the API refuses', async () => {
    const errors = [{ pointer: '/input/format', detail: 'expected csv' }];
    cli.api.on('POST /jobs', problem(422, 'validation_failed', { detail: 'One field is wrong.', errors }));
    await longhaul('submit', 'report.export', '--input', input, '--url', cli.api.url, '--key', 'k');
    expect(cli.err).toBe(
      '422 validation_failed: One field is wrong.\n  /input/format: expected csv\n  trace: trace-1\n',
    );
    expect(process.exitCode).toBe(1);
  });

  it('reads the input from a file, and says what is wrong with it', async () => {
    await writeFile(join(home, 'input.json'), input);
    expect(parseInput(await readInput(`@${join(home, 'input.json')}`))).toEqual({ dataset: 'flights' });
    await expect(readInput('@/no/such/file')).rejects.toThrow(CommandError);
    expect(() => parseInput('{dataset:1}')).toThrow('--input is not JSON');
  });
});

describe('watch and jobs', () => {
  it('prints lines where nothing can be drawn over, and exits 0 for a success', async () => {
    cli.api.on(
      'GET /jobs/x/events',
      events([jobAt(2), jobAt(3, { status: 'SUCCEEDED', phase: 'done' })], 'close'),
    );
    await longhaul('watch', 'x', '--url', cli.api.url, '--key', 'k');
    expect(cli.out.split('\n').slice(0, 2)).toEqual(['STARTED, forward: 2%', 'SUCCEEDED: 3%']);
    expect(cli.out).not.toContain('\u001b');
    expect(process.exitCode).toBeUndefined();
  });

  it('prints each state as JSON', async () => {
    cli.api.on(
      'GET /jobs/x/events',
      events([jobAt(2), jobAt(3, { status: 'CANCELLED', phase: 'done' })], 'close'),
    );
    await longhaul('watch', 'x', '--json', '--url', cli.api.url, '--key', 'k');
    expect(
      cli.out
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as Job).revision),
    ).toEqual([2, 3]);
    expect(process.exitCode).toBe(1);
  });

  it('lists no more than was asked for', async () => {
    cli.api.on(
      'GET /jobs',
      json(200, { items: [jobAt(1), jobAt(2), jobAt(3)] }, { link: '</jobs?cursor=n>; rel="next"' }),
    );
    await longhaul('jobs', '--limit', '2', '--status', 'started', '--url', cli.api.url, '--key', 'k');
    expect(cli.out.trim().split('\n')).toHaveLength(3);
    expect(cli.api.seen.map(({ url }) => url)).toEqual(['/jobs?status=STARTED&limit=2']);
  });
});

describe('describeFailure', () => {
  it('says that nobody answers', async () => {
    const gone = await openFaultyApi();
    await gone.close();
    await longhaul('jobs', '--url', gone.url, '--key', 'k');
    expect(cli.err).toMatch(/^Nobody answers there .*npm start/);
  });

  it('keeps the stack of what nobody expected', () => {
    expect(describeFailure(new RangeError('odd'))).toContain('RangeError: odd\n    at ');
  });
});
