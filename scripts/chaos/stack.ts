/** The stack under chaos: `longhaul up` as a process on a home of its own, as `npm start` runs it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep } from '../../libs/client/backoff.js';
import { locateHome, type Home } from '../../libs/embedded/home.js';
import { findRunning, type RunFile } from '../../libs/embedded/run-file.js';
import { commandLineProgram } from '../../libs/embedded/stack.processes.js';
import { tailOf } from '../../libs/embedded/log-file.js';

export interface StackUnderChaos {
  readonly home: Home;
  /** Where things are; the ports stay as they are over restarts. */
  readonly run: RunFile;
  readonly env: NodeJS.ProcessEnv;
  /** Settles with a sentence when the stack ends by itself, which it must not. */
  readonly gone: Promise<string>;
  /** Ctrl-C; answers its exit code. */
  stop(): Promise<number | null>;
}

const START_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 60_000;
const POLL_MS = 100;
/** The embedded servers are what is killed, never somebody's own. */
const NOT_INHERITED = {
  PORT: undefined,
  DATABASE_URL: undefined,
  TEMPORAL_ADDRESS: undefined,
  S3_BUCKET: undefined,
  LONGHAUL_EMBEDDED_PORT_BASE: undefined,
  npm_lifecycle_event: undefined,
};

/** A home that PostgreSQL's own user may pass, when we are root. */
export function makeChaosHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'longhaul-chaos-'));
  chmodSync(home, 0o711);
  return home;
}

/** Starts it and waits until it is ready. Ends what it started when that fails. */
export async function startStackUnderChaos(
  root: string,
  added: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<StackUnderChaos> {
  const env: NodeJS.ProcessEnv = {
    LOG_LEVEL: 'warn',
    ...process.env,
    ...NOT_INHERITED,
    ...added,
    LONGHAUL_HOME: root,
  };
  const home = locateHome(env);
  const logFile = join(root, 'up.log');
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(process.execPath, [commandLineProgram(), 'up', '--no-datasets'], {
    env,
    // In a session of its own Ctrl-C does not reach it; by the channel it hears of our death, and ends.
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  let stopping = false;
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const gone = exited.then((code) =>
    stopping
      ? new Promise<never>(() => undefined)
      : `The stack ended by itself (${code}):\n${tailOf(logFile)}`,
  );
  const stop = async (): Promise<number | null> => {
    stopping = true;
    return end(child, exited);
  };
  try {
    const run = await ready(home, gone, signal);
    return { home, run, env, gone, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function ready(home: Home, gone: Promise<string>, signal: AbortSignal): Promise<RunFile> {
  let ended: string | undefined;
  void gone.then((why) => (ended = why));
  for (const giveUpAt = Date.now() + START_TIMEOUT_MS; Date.now() < giveUpAt; await sleep(POLL_MS, signal)) {
    if (ended !== undefined) throw new Error(ended);
    const run = findRunning(home);
    if (run) return run;
  }
  throw new Error(`The stack was not ready within ${START_TIMEOUT_MS / 1000} s.`);
}

async function end(child: ChildProcess, exited: Promise<number | null>): Promise<number | null> {
  child.kill('SIGINT');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  const code = await exited;
  clearTimeout(timer);
  return code;
}

/** Removes the home and all in it. */
export function removeChaosHome(root: string): void {
  rmSync(root, { recursive: true, force: true });
}
