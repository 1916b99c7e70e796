/** The stack under a bench: the embedded one on a home of its own, stopped and removed whatever happens. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { locateHome } from '../../libs/embedded/home.js';
import type { RunFile } from '../../libs/embedded/run-file.js';
import { startStack } from '../../libs/embedded/stack.js';

export interface StackUnderBench {
  readonly run: () => RunFile;
  readonly home: string;
  /** Files of the bench's own, on the disk the artifacts are on. */
  readonly scratch: string;
  /** Aborted when the time is up or somebody asks the bench to end. */
  readonly signal: AbortSignal;
}

export interface StackOptions {
  /** Kept afterwards; without it a temporary one, removed at the end. */
  readonly home?: string | undefined;
  readonly limitMs: number;
  /** Added to the environment of the stack's processes; given the home. */
  readonly env?: (home: string) => NodeJS.ProcessEnv;
  /** Default: yes. */
  readonly loadDatasets?: boolean;
  readonly say: (text: string) => void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** A bench measures the embedded servers, never somebody's own. */
const NOT_INHERITED = { PORT: undefined, DATABASE_URL: undefined, TEMPORAL_ADDRESS: undefined };

export async function withStack<R>(
  options: StackOptions,
  work: (stack: StackUnderBench) => Promise<R>,
): Promise<R> {
  const home = options.home === undefined ? makeTemporaryHome() : resolve(options.home);
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort(new Error('Interrupted.'));
  for (const name of SIGNALS) process.on(name, interrupt);
  const signal = AbortSignal.any([interrupted.signal, AbortSignal.timeout(options.limitMs)]);
  const env = { LOG_LEVEL: 'warn', ...process.env, ...NOT_INHERITED, LONGHAUL_HOME: home };
  const scratch = join(locateHome(env).root, 'bench');
  try {
    mkdirSync(scratch, { recursive: true });
    options.say('Starting PostgreSQL, Temporal, API, relay and workers');
    const stack = await startStack({
      env: { ...env, ...options.env?.(home) },
      stop: signal,
      loadDatasets: options.loadDatasets ?? true,
    });
    try {
      return await unlessAborted(signal, work({ run: () => stack.runFile, home, scratch, signal }));
    } finally {
      await stack.stop();
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
    if (options.home === undefined) rmSync(home, { recursive: true, force: true });
    for (const name of SIGNALS) process.off(name, interrupt);
  }
}

/** Holds up the API, the relay and the stock workers while something else is measured; the answer lets them go on. */
export function pauseApps({ run, signal }: StackUnderBench): () => void {
  const { api, relay, workers } = run().pids;
  const pids = [api, relay, ...workers].filter((pid) => pid !== null);
  const resume = (): void => pids.forEach((pid) => process.kill(pid, 'SIGCONT'));
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  // Stopped, they could not end when the stack does.
  signal.addEventListener('abort', resume, { once: true });
  return resume;
}

function makeTemporaryHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'longhaul-bench-'));
  // As root, PostgreSQL's own user has to pass.
  chmodSync(home, 0o711);
  return home;
}

async function unlessAborted<R>(signal: AbortSignal, work: Promise<R>): Promise<R> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.throwIfAborted();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
    // Whichever of the two lost the race has nobody left to tell.
    aborted.promise.catch(() => undefined);
    work.catch(() => undefined);
  }
}
