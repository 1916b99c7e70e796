/** A small chaos run, as `npm run chaos` makes a large one: nothing lost, nothing twice, nothing left behind. */
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const CHAOS = fileURLToPath(new URL('../../dist/scripts/chaos/main.js', import.meta.url));
const LIMIT_MINUTES = 4;

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'longhaul-test-chaos-'));
  // As root PostgreSQL's own user has to pass.
  await chmod(folder, 0o711);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test(
  '24 jobs of two kinds end as they should while processes are killed and servers stopped',
  async () => {
    const { code, output } = await chaos(
      '--seed',
      '1',
      '--jobs',
      '24',
      '--every',
      '300',
      '--fault-every',
      '3000',
    );
    expect(output, output).toMatch(/^chaos: seed 1, 24 jobs, \d+ faults: nothing lost, nothing twice$/m);
    expect(output).toMatch(/^faults +[4-9], /m);
    expect(code).toBe(0);
    expect(await readdir(folder), 'no home is left').toEqual([]);
    expect(await processesIn(folder), 'no process is left').toEqual([]);
  },
  LIMIT_MINUTES * 60_000 + 30_000,
);

test('asked to end in the middle it leaves nothing behind', async () => {
  const { code, output } = await chaos('--jobs', '500', { interruptAt: 'The plan of seed' });
  expect(output).toContain('Interrupted.');
  expect(code).toBe(130);
  expect(await readdir(folder), 'no home is left').toEqual([]);
  expect(await processesIn(folder), 'no process is left').toEqual([]);
}, 120_000);

type Interrupt = { readonly interruptAt: string };

async function chaos(...args: (string | Interrupt)[]): Promise<{ code: number | null; output: string }> {
  const flags = args.filter((arg) => typeof arg === 'string');
  const interrupt = args.find((arg) => typeof arg === 'object');
  const child = spawn(process.execPath, [CHAOS, ...flags, '--limit', String(LIMIT_MINUTES)], {
    env: { ...process.env, TMPDIR: folder, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let interrupted = false;
  const hear = (chunk: Buffer): void => {
    output += chunk.toString();
    if (interrupted || interrupt === undefined || !output.includes(interrupt.interruptAt)) return;
    interrupted = child.kill('SIGINT');
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output };
}

/** Processes that work in the folder, or were told of it. */
async function processesIn(place: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const told = await Promise.all([
      readFile(`/proc/${pid}/environ`, 'utf8').catch(unlessGone),
      readlink(`/proc/${pid}/cwd`).catch(unlessGone),
    ]);
    if (told.some((text) => text.includes(place))) found.push(pid);
  }
  return found;
}

/** It ended while we looked, or is somebody else's. */
function unlessGone(error: NodeJS.ErrnoException): string {
  if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(error.code ?? '')) return '';
  throw error;
}
