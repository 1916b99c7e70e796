/** The demo as a user runs it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../../libs/client/client.js';
import type { RunFile } from '../../../libs/embedded/run-file.js';
import { freePort } from '../../support/ports.js';
import { eventually, isAlive, newHome, removeHome, startTestStack } from '../../support/stack.js';

const LONGHAUL = fileURLToPath(new URL('../../../apps/cli/bin/longhaul.mjs', import.meta.url));
const DEMO_TIMEOUT_MS = 150_000;

interface Demo {
  readonly process: ChildProcess;
  readonly ended: Promise<number | null>;
  output(): string;
}

async function runDemo(home: string, ...args: string[]): Promise<Demo> {
  const port = String(await freePort());
  const child = spawn(process.execPath, [LONGHAUL, 'demo', ...args], {
    // As `npm run demo` starts it, whoever runs the tests.
    env: { ...process.env, npm_lifecycle_event: 'demo', PORT: port, LONGHAUL_HOME: home, NO_COLOR: '1' },
    // With a channel, as when an old Node hands over to the project's own: it must not keep the demo from ending.
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  onTestFinished(() => void child.kill('SIGKILL'));
  return {
    process: child,
    ended: new Promise((resolve) => child.once('close', resolve)),
    output: () => output,
  };
}

async function ownHome(): Promise<string> {
  const home = await newHome();
  // Root's PostgreSQL is another user: where it cannot pass through, its data would go, and stay, elsewhere.
  await chmod(home, 0o711);
  onTestFinished(() => removeHome(home));
  return home;
}

const readRunFile = async (home: string): Promise<RunFile> =>
  JSON.parse(await readFile(join(home, 'run.json'), 'utf8')) as RunFile;

it(
  'exports, downloads and verifies, shows each other kind, exits 0 and leaves nothing running',
  async () => {
    const home = await ownHome();
    const demo = await runDemo(home, '--rows', '20000');
    const { pids } = await eventually('run.json', () => readRunFile(home), DEMO_TIMEOUT_MS);
    expect(await demo.ended, demo.output()).toBe(0);

    expect(demo.output()).toMatch(
      /✓ rows +20,000 counted in the download; announced 20,000, asked for 20,000/,
    );
    expect(demo.output()).toMatch(/^ {2}To +Ada Lovelace <ada\.lovelace@example\.com>$/m);
    expect(demo.output()).toMatch(/^ {2}Link +http:.*[?&]signature=/m);
    expect(demo.output()).toMatch(/✓ received +once/);
    expect(demo.output()).toMatch(/✓ its link +200 without a key/);
    expect(demo.output()).toMatch(/✓ delivered +199 of 200: 189 at once, 10 at their second attempt/);
    expect(demo.output()).toMatch(/✓ undone +acct_grace/);
    expect(demo.output()).toMatch(
      /✓ the books +365\.50 EUR spent by ours, 365\.50 EUR paid by the provider’s/,
    );
    expect(demo.output()).toMatch(/INV-2026-0037\.pdf · 1 page · /);
    expect(demo.output()).toMatch(/✓ asked again +the same job and the same file/);
    expect(demo.output()).toMatch(/^ {2}wide +image\/avif +800 × 533 +[0-9.]+ kB$/m);
    expect(demo.output()).toMatch(/✓ refused +the second one, alone: .*premature end/);
    const invoice = await readFile(join(home, 'demo', 'INV-2026-0037.pdf'));
    expect(demo.output()).toContain(createHash('sha256').update(invoice).digest('hex'));
    const file = await readFile(join(home, 'demo', 'flights.csv'));
    const sha256 = createHash('sha256').update(file).digest('hex');
    // As sent, as computed, and as it came through the link in the e-mail.
    expect(demo.output().split(sha256)).toHaveLength(4);
    expect(file.toString().trimEnd().split('\n')).toHaveLength(20_001);
    const { api, relay, workers, postgres, temporal } = pids;
    expect(
      [api, relay, ...workers, postgres, temporal].filter((pid) => pid !== null && isAlive(pid)),
    ).toEqual([]);
  },
  DEMO_TIMEOUT_MS,
);

it(
  'stops cleanly on Ctrl-C in the middle, and the export goes on at the next start',
  async () => {
    const home = await ownHome();
    const demo = await runDemo(home);
    await eventually('the 202', () => /^202 after/m.test(demo.output()), DEMO_TIMEOUT_MS);
    demo.process.kill('SIGINT');
    expect(await demo.ended, demo.output()).toBe(130);
    expect(demo.output()).toContain('The export is not lost: it goes on at the next `npm start`.');
    const jobId = /longhaul watch ([0-9a-f-]{36})/.exec(demo.output())?.[1] ?? '';

    const stack = await startTestStack(home, { PORT: String(await freePort()) });
    onTestFinished(async () => void (await stack.stop()));
    const { api, keys } = await stack.run();
    const job = await createClient({ url: api, key: keys.client }).wait(jobId);
    expect(job).toMatchObject({ status: 'SUCCEEDED', result: { rows: 3_000_000 } });
  },
  2 * DEMO_TIMEOUT_MS,
);

it(
  'leaves the stack running with --keep, and joins the one that runs',
  async () => {
    const home = await ownHome();
    const first = await runDemo(home, '--rows', '1000', '--export-only', '--keep');
    expect(await first.ended, first.output()).toBe(0);
    const { pids } = await readRunFile(home);
    onTestFinished(async () => {
      process.kill(pids.supervisor, 'SIGINT');
      await eventually('the end of the stack', () => !isAlive(pids.supervisor));
    });
    expect(first.output()).toContain(`Stop it: kill -INT ${pids.supervisor}`);

    const second = await runDemo(home, '--rows', '1000', '--export-only');
    expect(await second.ended, second.output()).toBe(0);
    expect(second.output()).toContain('was running already');
    expect(isAlive(pids.supervisor)).toBe(true);
  },
  2 * DEMO_TIMEOUT_MS,
);
