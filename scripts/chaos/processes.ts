/** The stack's processes by name, as the supervisor wrote them down. */
import { readdirSync, readFileSync } from 'node:fs';
import type { RecordedProcess } from '../../libs/embedded/end-processes.js';
import { WORKER_QUEUES } from '../../libs/embedded/stack.processes.js';
import type { Home } from '../../libs/embedded/home.js';
import {
  identify,
  isRunning,
  signalProcess,
  type ProcessIdentity,
} from '../../libs/embedded/process-identity.js';

const PARENT_FIELD = 1; // the fourth field of /proc/PID/stat, counted from the one after the command

/** The names of the workers, as the supervisor gives them: twins are numbered. */
export function workerNames(): string[] {
  const lists = WORKER_QUEUES.map((queues) => `worker ${queues.join(',')}`);
  return lists.map((name, index) => {
    const twins = lists.filter((other) => other === name).length;
    return twins > 1 ? `${name} ${lists.slice(0, index + 1).filter((other) => other === name).length}` : name;
  });
}

/** All that are written down, whether or not they still run; none once the stack has stopped. */
export function recordedProcesses(home: Home): RecordedProcess[] {
  try {
    return JSON.parse(readFileSync(home.processesFile, 'utf8')) as RecordedProcess[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** The one of that name; undefined while it is being restarted. */
export function findProcess(home: Home, name: string): RecordedProcess | undefined {
  return recordedProcesses(home).find((process) => process.name === name && isRunning(process));
}

/**
 * Stops a process and its children where they stand: PostgreSQL's connections are processes of their own. The parent
 * first, so that it makes no more. Answers what makes them go on.
 */
export function freeze(process: ProcessIdentity): () => void {
  signalProcess(process, 'SIGSTOP');
  const children = childrenOf(process.pid);
  for (const child of children) signalProcess(child, 'SIGSTOP');
  return () => {
    for (const frozen of [...children, process]) signalProcess(frozen, 'SIGCONT');
  };
}

function childrenOf(parent: number): ProcessIdentity[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name) || parentOf(name) !== parent) return [];
    return identify(Number(name)) ?? [];
  });
}

function parentOf(pid: string): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[PARENT_FIELD]);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined; // it ended meanwhile
    throw error;
  }
}
