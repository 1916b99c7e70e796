/** The stack under the demo: the one that runs on this home, or a new one; stopped afterwards or left running. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '../../libs/client/backoff.js';
import { locateHome, makeHome } from '../../libs/embedded/home.js';
import { findRunning, type RunFile } from '../../libs/embedded/run-file.js';
import { joinOrStartStack, type StackEvent } from '../../libs/embedded/stack.js';
import { commandLineProgram } from '../../libs/embedded/stack.processes.js';
import { CommandError } from './command.error.js';

export interface StackUnderDemo {
  readonly run: RunFile;
  /** Whether it ran before; then `stop` leaves it alone. */
  readonly joined: boolean;
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 120_000;
const POLL_MS = 100;

/** A stack of this process's own, or the one that is there. */
export async function attachedStack(
  signal: AbortSignal,
  onEvent: (event: StackEvent) => void,
): Promise<StackUnderDemo> {
  const stack = await joinOrStartStack({ onEvent, stop: signal });
  return { run: stack.runFile, joined: stack.joined, stop: () => stack.stop() };
}

/** The one that is there, or `longhaul up` as a process that outlives this one. */
export async function lastingStack(signal: AbortSignal): Promise<StackUnderDemo> {
  const home = locateHome();
  const there = findRunning(home);
  if (there) return { run: there, joined: true, stop: async () => undefined };
  makeHome(home);
  mkdirSync(home.logs, { recursive: true });
  const logFile = join(home.logs, 'up.log');
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(process.execPath, [commandLineProgram(), 'up'], {
    detached: true,
    stdio: ['ignore', log, log],
    // Under npm, `up` ends with its parent; this one is to outlive it.
    env: { ...process.env, npm_lifecycle_event: undefined },
  });
  closeSync(log);
  child.unref();
  const stop = (): Promise<void> => stopChild(child);
  try {
    for (
      const giveUpAt = Date.now() + START_TIMEOUT_MS;
      Date.now() < giveUpAt;
      await sleep(POLL_MS, signal)
    ) {
      if (child.exitCode !== null) throw new CommandError(`The stack did not start; ${logFile} says why.`);
      const run = findRunning(home);
      if (run) return { run, joined: false, stop };
    }
    throw new CommandError(`The stack was not ready within ${START_TIMEOUT_MS / 1000} s; see ${logFile}.`);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.ref();
  child.kill('SIGINT');
  await exited;
}
