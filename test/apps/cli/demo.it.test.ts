/** The demo as a user runs it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../../libs/client/client.js';
import {
  eventually,
  isAlive,
  newHome,
  removeHome,
  startTestStack,
  type RunFile,
} from '../../support/stack.js';

const LONGHAUL = fileURLToPath(new URL('../../../apps/cli/bin/longhaul.mjs', import.meta.url));
const DEMO_TIMEOUT_MS = 150_000;

interface Demo {
  readonly process: ChildProcess;
  readonly ended: Promise<number | null>;
  output(): string;
}

function runDemo(home: string, ...args: string[]): Demo {
  const { PORT: _port, ...env } = process.env;
  const child = spawn(process.execPath, [LONGHAUL, 'demo', ...args], {
    env: { ...env, LONGHAUL_HOME: home, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  onTestFinished(() => void child.kill('SIGKILL'));
  return {
    process: child,
    ended: new Promise((resolve) => child.once('close', resolve)),
    output: () => output,
  };
}

async function ownHome(): Promise<string> {
  const home = await newHome();
  onTestFinished(() => removeHome(home));
  return home;
}

const readRunFile = async (home: string): Promise<RunFile> =>
  JSON.parse(await readFile(join(home, 'run.json'), 'utf8')) as RunFile;

it(
  'exports, downloads, verifies, exits 0 and leaves nothing running',
  async () => {
    const home = await ownHome();
    const demo = runDemo(home, '--rows', '20000');
    const { pids } = await eventually('run.json', () => readRunFile(home), DEMO_TIMEOUT_MS);
    expect(await demo.ended, demo.output()).toBe(0);

    expect(demo.output()).toMatch(
      /✓ rows +20,000 counted in the download; announced 20,000, asked for 20,000/,
    );
    const file = await readFile(join(home, 'demo', 'flights.csv'));
    const sha256 = createHash('sha256').update(file).digest('hex');
    expect(demo.output().split(sha256)).toHaveLength(3);
    expect(file.toString().trimEnd().split('\n')).toHaveLength(20_001);
    const { api, relay, workers, postgres, temporal } = pids;
    expect([api, relay, ...workers, postgres, temporal].filter(isAlive)).toEqual([]);
  },
  DEMO_TIMEOUT_MS,
);

it(
  'stops cleanly on Ctrl-C in the middle, and the export goes on at the next start',
  async () => {
    const home = await ownHome();
    const demo = runDemo(home);
    await eventually('the 202', () => /^202 after/m.test(demo.output()), DEMO_TIMEOUT_MS);
    demo.process.kill('SIGINT');
    expect(await demo.ended, demo.output()).toBe(130);
    expect(demo.output()).toContain('The export is not lost: it goes on at the next `npm start`.');
    const jobId = /longhaul watch ([0-9a-f-]{36})/.exec(demo.output())?.[1] ?? '';

    const stack = await startTestStack(home);
    onTestFinished(async () => void (await stack.stop()));
    const { api, keys } = await stack.run();
    const job = await createClient({ url: api, key: keys.client }).wait(jobId);
    expect(job).toMatchObject({ status: 'SUCCEEDED', result: { rows: 3_000_000 } });
  },
  2 * DEMO_TIMEOUT_MS,
);
