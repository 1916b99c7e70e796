/** A postmaster that outlived its supervisor and every record of it: found by its own `postmaster.pid`. */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { endProcesses } from './end-processes.js';
import { identify, type ProcessIdentity } from './process-identity.js';
import { StackError } from './stack-error.js';

const GRACE_MS = 10_000;
const DETACH_WAIT_MS = 10_000;
const POLL_MS = 25;
const SHARED_MEMORY_LINE = 6;

interface LockFile {
  readonly pid: number;
  /** The System V segment all its backends are attached to. */
  readonly sharedMemoryId: number | undefined;
}

/**
 * Ends the postmaster of this data folder if one runs; true when it did. Of a dead one the lock file is removed once
 * its last backend is gone: PostgreSQL itself is satisfied with less (any process under that id, a dead one that
 * nobody has reaped yet too) and would refuse to start.
 */
export async function endLeftoverPostmaster(data: string): Promise<boolean> {
  const path = join(data, 'postmaster.pid');
  const lock = readLockFile(path);
  if (!lock) return false;
  const postmaster = identify(lock.pid);
  const runs = postmaster !== undefined && isPostmasterOf(data, postmaster.pid);
  if (runs) await endPostmaster(postmaster, data);
  await lastBackendGone(lock.sharedMemoryId, data);
  rmSync(path, { force: true });
  return runs;
}

async function endPostmaster(postmaster: ProcessIdentity, data: string): Promise<void> {
  const record = {
    ...postmaster,
    name: 'postgres',
    tier: 'server',
    stopSignal: 'SIGINT',
    killSignal: 'SIGQUIT',
  } as const;
  const stubborn = await endProcesses([record], { appGraceMs: 0, serverGraceMs: GRACE_MS });
  if (stubborn.length > 0) {
    throw new StackError(`PostgreSQL (pid ${postmaster.pid}) still runs on ${data} and does not end.`);
  }
}

function readLockFile(path: string): LockFile | undefined {
  try {
    const lines = readFileSync(path, 'utf8').split('\n');
    const pid = Number.parseInt(lines[0] ?? '', 10);
    const [, id] = (lines[SHARED_MEMORY_LINE] ?? '').trim().split(/\s+/);
    if (!Number.isSafeInteger(pid) || pid <= 1) return undefined;
    return { pid, sharedMemoryId: id === undefined ? undefined : Number(id) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Backends notice their postmaster's death by themselves; two generations on the same files would destroy them. */
async function lastBackendGone(sharedMemoryId: number | undefined, data: string): Promise<void> {
  const giveUpAt = performance.now() + DETACH_WAIT_MS;
  while (sharedMemoryId !== undefined && attachedTo(sharedMemoryId) > 0) {
    if (performance.now() > giveUpAt) {
      throw new StackError(`Processes of an earlier PostgreSQL still work on ${data}; end them first.`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** How many processes are attached to a System V segment; 0 where it is gone, or this system does not tell. */
function attachedTo(sharedMemoryId: number): number {
  if (process.platform !== 'linux') return 0;
  const [header = '', ...segments] = readFileSync('/proc/sysvipc/shm', 'utf8').trim().split('\n');
  const columns = header.trim().split(/\s+/);
  const idColumn = columns.indexOf('shmid');
  const attachedColumn = columns.indexOf('nattch');
  for (const segment of segments) {
    const values = segment.trim().split(/\s+/);
    if (Number(values[idColumn]) === sharedMemoryId) return Number(values[attachedColumn]);
  }
  return 0;
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
