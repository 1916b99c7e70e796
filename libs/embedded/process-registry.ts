/**
 * The stack's processes, written down where the next start finds them (`processes.json`) and told to a guard that
 * ends them when the supervisor dies: whatever is killed, something that is left knows what to end.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { packageRoot } from './cache-folder.js';
import { endProcesses, type RecordedProcess } from './end-processes.js';
import type { GuardMessage } from './guard.main.js';
import { writePrivateFile } from './private-file.js';
import { identify, isRunning } from './process-identity.js';
import { StackError } from './stack-error.js';

export interface ProcessRegistry {
  /** Writes a process down as soon as it runs. */
  add(process: RecordedProcess): void;
  /** Strikes out one that has ended. */
  remove(pid: number): void;
  /** The guard's process id, for those who watch it. */
  guardPid(): number | undefined;
  /** At the clean end: the guard goes without doing anything. */
  close(): Promise<void>;
}

const GUARD_RESTART_MS = 500;
const LEFTOVER_APP_GRACE_MS = 3_000;
const LEFTOVER_SERVER_GRACE_MS = 10_000;
const GUARD_HEAP_MB = 16;

/**
 * Opens the registry and starts its guard, again when that is killed (`onGuardRestart`). `file` is written anew: see
 * {@link endLeftovers} for what it said.
 */
export function openProcessRegistry(
  file: string,
  onGuardRestart: () => void = () => undefined,
): ProcessRegistry {
  const known = new Map<number, RecordedProcess>();
  let closed = false;
  let guard = startGuard();
  mkdirSync(dirname(file), { recursive: true });
  save();

  function startGuard(): ChildProcess {
    const program = join(packageRoot(), 'dist', 'libs', 'embedded', 'guard.main.js');
    const child = spawn(process.execPath, [`--max-old-space-size=${GUARD_HEAP_MB}`, program], {
      detached: true,
      cwd: '/',
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { PATH: process.env.PATH },
    });
    child.stdin?.on('error', () => undefined); // its end is seen by 'exit' below
    child.once('error', () => undefined);
    child.once('exit', () => {
      if (closed) return;
      setTimeout(() => {
        if (closed) return;
        guard = startGuard();
        for (const process of known.values()) tell({ watch: process });
        save();
        onGuardRestart();
      }, GUARD_RESTART_MS).unref();
    });
    return child;
  }

  function tell(message: GuardMessage): void {
    guard.stdin?.write(`${JSON.stringify(message)}\n`);
  }

  function save(): void {
    const identity = guard.pid === undefined ? undefined : identify(guard.pid);
    // The guard is written down too: after the supervisor's death the next start waits for no second undertaker.
    const own: RecordedProcess[] = identity
      ? [{ ...identity, name: 'guard', tier: 'server', stopSignal: 'SIGTERM', killSignal: 'SIGKILL' }]
      : [];
    // A removed home has no place for it, and nobody who will look for it.
    if (existsSync(dirname(file))) {
      writePrivateFile(file, JSON.stringify([...known.values(), ...own], null, 1));
    }
  }

  return {
    add(process) {
      known.set(process.pid, process);
      tell({ watch: process });
      save();
    },
    remove(pid) {
      if (!known.delete(pid)) return;
      tell({ forget: pid });
      save();
    },
    guardPid: () => guard.pid,
    async close() {
      closed = true;
      if (guard.exitCode !== null || guard.signalCode !== null) return;
      const exited = new Promise((resolve) => guard.once('exit', resolve));
      tell({ done: true });
      guard.stdin?.end();
      await exited;
      rmSync(file, { force: true });
    },
  };
}

/** Ends what an earlier, killed supervisor of this home left running; answers the names. */
export async function endLeftovers(file: string): Promise<string[]> {
  const left = readRecorded(file).filter(isRunning);
  const stubborn = await endProcesses(left, {
    appGraceMs: LEFTOVER_APP_GRACE_MS,
    serverGraceMs: LEFTOVER_SERVER_GRACE_MS,
  });
  if (stubborn.length > 0) {
    const named = left.filter((process) => stubborn.includes(process.name));
    throw new StackError(
      `Left over from an earlier start and not to be ended: ${named.map(({ name, pid }) => `${name} (pid ${pid})`).join(', ')}.`,
    );
  }
  return left.map((process) => process.name);
}

function readRecorded(file: string): RecordedProcess[] {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as RecordedProcess[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new StackError(
      `${file} cannot be read; remove it after making sure that nothing of the stack runs.`,
      {
        cause: error,
      },
    );
  }
}
