/** A postmaster that outlived its supervisor and every record of it: found by its own `postmaster.pid`. */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { endProcesses } from './end-processes.js';
import { identify } from './process-identity.js';

const GRACE_MS = 10_000;

/**
 * Ends the postmaster of this data folder if one runs; true when it did. A lock file whose process id belongs to
 * another program by now is removed: PostgreSQL would take that program for itself and refuse to start.
 */
export async function endLeftoverPostmaster(data: string): Promise<boolean> {
  const lockFile = join(data, 'postmaster.pid');
  const pid = readPid(lockFile);
  const identity = pid === undefined ? undefined : identify(pid);
  if (!identity) return false;
  if (!isPostmasterOf(data, identity.pid)) {
    rmSync(lockFile, { force: true });
    return false;
  }
  const record = {
    ...identity,
    name: 'postgres',
    tier: 'server',
    stopSignal: 'SIGINT',
    killSignal: 'SIGQUIT',
  } as const;
  const stubborn = await endProcesses([record], { appGraceMs: 0, serverGraceMs: GRACE_MS });
  if (stubborn.length > 0)
    throw new Error(`PostgreSQL (pid ${identity.pid}) still runs on ${data} and does not end.`);
  return true;
}

function readPid(lockFile: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(lockFile, 'utf8'), 10);
    return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function isPostmasterOf(data: string, pid: number): boolean {
  try {
    const command =
      process.platform === 'linux'
        ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ')
        : execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
    return command.includes('postgres') && command.includes(`-D ${data} `);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
