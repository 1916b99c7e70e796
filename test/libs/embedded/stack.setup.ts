/** `longhaul up` on a home of its own, as a user of one's choice. */
import { spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { identify } from '../../../libs/embedded/process-identity.js';
import type { RecordedProcess } from '../../../libs/embedded/end-processes.js';
import type { RunFile } from '../../../libs/embedded/run-file.js';
import { eventually } from '../../support/stack.js';

export const LONGHAUL = fileURLToPath(new URL('../../../apps/cli/bin/longhaul.mjs', import.meta.url));
export const NOBODY = { uid: 65_534, gid: 65_534 };
const READY_TIMEOUT_MS = 60_000;

export interface Up {
  readonly pid: number;
  output(): string;
  /** Its exit code; null when a signal ended it. */
  readonly exited: Promise<number | null>;
  kill(signal: NodeJS.Signals): void;
}

/** A folder for a home. `mode` of what is above the home: 0711 lets PostgreSQL's user pass, 0700 does not. */
export function makeHomeFolder(mode = 0o711, owner?: typeof NOBODY): { home: string; above: string } {
  const above = mkdtempSync(join(tmpdir(), 'longhaul-up-'));
  chmodSync(above, mode);
  if (owner) chownSync(above, owner.uid, owner.gid);
  return { home: join(above, 'home'), above };
}

export function up(home: string, env: Record<string, string> = {}, user: Partial<typeof NOBODY> = {}): Up {
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  const child = spawn(process.execPath, [LONGHAUL, 'up', '--no-datasets'], {
    env: { PATH, NODE_COMPILE_CACHE, HOME: '/nonexistent', LONGHAUL_HOME: home, ...env },
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
    ...user,
  });
  if (child.pid === undefined) throw new Error('longhaul did not start');
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return {
    pid: child.pid,
    output: () => output,
    exited: new Promise((resolve) => child.once('exit', (code) => resolve(code))),
    kill: (signal) => void child.kill(signal),
  };
}

/** Waits for the run.json of exactly this start. */
export async function ready(one: Up, home: string): Promise<RunFile> {
  let ended = false;
  void one.exited.then(() => (ended = true));
  try {
    return await eventually(
      'run.json',
      () => {
        if (ended) throw new Error(`It ended:\n${one.output()}`);
        const file = join(home, 'run.json');
        const run = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as RunFile) : undefined;
        return run?.pids.supervisor === one.pid ? run : undefined;
      },
      READY_TIMEOUT_MS,
    );
  } catch (error) {
    one.kill('SIGKILL');
    throw new Error(`Not ready:\n${one.output()}`, { cause: error });
  }
}

/** Every process that the stack has written down, its guard too. */
export function processesOf(run: RunFile): number[] {
  const recorded = JSON.parse(readFileSync(join(run.home, 'processes.json'), 'utf8')) as RecordedProcess[];
  return recorded.map((one) => one.pid);
}

export async function allGone(pids: readonly number[]): Promise<void> {
  await eventually(
    `the end of ${pids.join(', ')}`,
    () => pids.every((pid) => identify(pid) === undefined),
    30_000,
  );
}
