/** Peak resident memory of processes, as the kernel counts it (/proc; elsewhere nothing is told). */
import { readFileSync, writeFileSync } from 'node:fs';
import type { RunFile } from '../../libs/embedded/run-file.js';

const LOOK_EVERY_MS = 50;
const BYTES_PER_KB = 1024;
/** Written to clear_refs it sets the peak back to what is resident now (proc(5)). */
const RESET_PEAK = '5';

/** Notes the peaks of named processes from now on; a process that starts meanwhile counts, too. */
export function watchMemory(processes: () => Iterable<readonly [name: string, pid: number]>): {
  /** Ends it: bytes by name, the highest of those of one name. */
  stop(): Record<string, number>;
} {
  const peaks: Record<string, number> = {};
  const look = (): void => {
    for (const [name, pid] of processes()) {
      peaks[name] = Math.max(peaks[name] ?? 0, peakOf(pid) ?? 0);
    }
  };
  for (const [, pid] of processes()) resetPeak(pid);
  look();
  const timer = setInterval(look, LOOK_EVERY_MS);
  return {
    stop() {
      clearInterval(timer);
      look();
      return peaks;
    },
  };
}

/** The processes of a stack under names that say what they do; backends of PostgreSQL as one. */
export function processesOf(run: RunFile): [string, number][] {
  const { api, relay, workers, postgres, temporal } = run.pids;
  const named = (name: string, pid: number | null): [string, number][] => (pid === null ? [] : [[name, pid]]);
  return [
    ...named('api', api),
    ...named('relay', relay),
    ...workers.map((pid): [string, number] => [`worker ${queuesOf(pid)}`, pid]),
    ...named('temporal', temporal),
    ...(postgres === null
      ? []
      : childrenOf(postgres).map((pid): [string, number] => ['postgres, a backend', pid])),
  ];
}

function queuesOf(pid: number): string {
  const args = (readProcess(pid, 'cmdline') ?? '').split('\0');
  return args[args.indexOf('--queues') + 1] ?? '';
}

/** Of a process on this machine; undefined when it is gone. */
export function peakOf(pid: number): number | undefined {
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readProcess(pid, 'status') ?? '')?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * BYTES_PER_KB;
}

/** The processes a process has started and that run. */
export function childrenOf(pid: number): number[] {
  return (readProcess(pid, `task/${pid}/children`) ?? '').split(' ').filter(Boolean).map(Number);
}

function resetPeak(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, RESET_PEAK);
  } catch (error) {
    // Another user's process, or one that is gone: its peak since its start is told instead.
    if (!isGone(error) && (error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
  }
}

function readProcess(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return ['ENOENT', 'ESRCH', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
}
