/** Processor time of the stack and of the bench's own children, as the kernel counts it (/proc; elsewhere 0). */
import { readFileSync } from 'node:fs';
import type { RunFile } from '../../libs/embedded/run-file.js';
import { childrenOf } from './memory.js';

/** USER_HZ: 100 on every Linux that Node runs on. */
const TICKS_A_SECOND = 100;
/** utime and stime, then those of children that ended (proc(5)), counted from behind the program's name. */
const OWN = [11, 12];
const CHILDREN = [13, 14];

/** Seconds so far of all the stack's processes and of every child of ours that has ended. */
export function processorSeconds({ pids }: RunFile): number {
  const { api, relay, workers, postgres, temporal } = pids;
  const ours = [api, relay, temporal, ...workers].map((pid) => ticksOf(pid, OWN));
  // A backend's time goes over to the postmaster when it ends.
  const database = postgres === null ? [] : childrenOf(postgres).map((pid) => ticksOf(pid, OWN));
  const ended = [ticksOf(postgres, [...OWN, ...CHILDREN]), ticksOf(process.pid, CHILDREN)];
  return [...ours, ...database, ...ended].reduce((sum, ticks) => sum + ticks, 0) / TICKS_A_SECOND;
}

/** Seconds so far of these processes. */
export function processorSecondsOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + ticksOf(pid, OWN), 0) / TICKS_A_SECOND;
}

function ticksOf(pid: number | null, fields: readonly number[]): number {
  const stat = pid === null ? undefined : readStat(pid);
  const numbers = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
  return fields.reduce((sum, field) => sum + Number(numbers[field] ?? 0), 0);
}

function readStat(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
