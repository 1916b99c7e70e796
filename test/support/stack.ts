/** `longhaul up` as a user runs it: a process on a home of its own, found through its run.json. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import { loadDemoSource } from '../../libs/datasets/demo-source.js';

const LONGHAUL = fileURLToPath(new URL('../../apps/cli/bin/longhaul.mjs', import.meta.url));
const READY_TIMEOUT_MS = 90_000;
const STOP_TIMEOUT_MS = 30_000;
const POLL_MS = 100;

export interface RunFile {
  readonly api: string;
  readonly metrics: unknown;
  readonly temporal: string;
  readonly temporalUi: string;
  readonly databaseUrl: string;
  readonly keys: { readonly client: string; readonly operator: string; readonly admin: string };
  readonly pids: {
    readonly api: number;
    readonly relay: number;
    readonly workers: readonly number[];
    readonly postgres: number;
    readonly temporal: number;
    readonly supervisor: number;
    readonly guard: number;
  };
}

export interface TestStack {
  readonly home: string;
  readonly process: ChildProcess;
  /** What run.json says now; it follows restarts. */
  run(): Promise<RunFile>;
  /** Ctrl-C, and waits until the process is gone; its exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  /** Everything the stack printed. */
  output(): string;
  /** Calls the API as the seeded tenant, wherever it is now. */
  call(path: string, init?: RequestInit): Promise<Response>;
  job(id: string): Promise<TestJob>;
  /** Submits an export; the job's id. */
  submitExport(input: object): Promise<string>;
  /** The job as it ended; throws what it was last seen as when time is up. */
  ended(id: string, timeoutMs: number): Promise<TestJob>;
  /** Downloads a job's result through its signed URL. */
  result(id: string): Promise<TestResult>;
}

/** What the tests read of a job. */
export interface TestJob {
  readonly id: string;
  readonly status: string;
  readonly finishedAt: string | null;
  readonly error: unknown;
  readonly progress: { readonly percent: number } | null;
}

export interface TestResult {
  readonly sha256: string;
  readonly bytes: number;
  readonly rows: number;
  readonly file: Uint8Array;
}

/** Waits until `probe` answers something, asking every 100 ms; says `what` it waited for when time is up. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 30_000,
): Promise<T> {
  const giveUpAt = Date.now() + timeoutMs;
  let lastError: unknown;
  while (Date.now() < giveUpAt) {
    try {
      const answer = await probe();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      lastError = error;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  const last = lastError instanceof Error ? `; last: ${lastError.message}` : '';
  throw new Error(`After ${timeoutMs} ms still waiting for ${what}${last}`, { cause: lastError });
}

export async function newHome(): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'longhaul-home-'));
  // As root PostgreSQL's user has to pass; else its data goes outside the home, and stays when the home is removed.
  await chmod(home, 0o711);
  return home;
}

/** The reader's login to the demo's datasets on the run's own server. Whoever asks first loads them; the others wait. */
export async function sharedDatasets(): Promise<string> {
  const { ownerUrl, readerUrl } = inject('datasets');
  await loadDemoSource(ownerUrl);
  return readerUrl;
}

export async function removeHome(home: string): Promise<void> {
  await rm(home, { recursive: true, force: true });
}

/**
 * Starts the stack and waits until it is ready. Its datasets: `own`, loaded as a user's are, in the background; `shared`,
 * those that are loaded once a run; or `none`.
 */
export async function startTestStack(
  home: string,
  env: Record<string, string> = {},
  datasets: 'own' | 'shared' | 'none' = 'own',
): Promise<TestStack> {
  const { PORT: _anyPort, ...inherited } = process.env;
  const source = datasets === 'shared' ? { LONGHAUL_SOURCE_DEMO_URL: await sharedDatasets() } : {};
  const child = spawn(process.execPath, [LONGHAUL, 'up', ...(datasets === 'own' ? [] : ['--no-datasets'])], {
    env: { ...inherited, LONGHAUL_HOME: home, ...source, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const run = async (): Promise<RunFile> =>
    JSON.parse(await readFile(join(home, 'run.json'), 'utf8')) as RunFile;
  await eventually(
    'run.json',
    async () => {
      if (child.exitCode !== null) throw new Error(`longhaul up ended with ${child.exitCode}:\n${output}`);
      const { api, pids } = await run();
      // A run.json of a stack that was killed names another supervisor's processes: wait for one that answers.
      return pids.api > 0 && (await fetch(`${api}/readyz`)).ok;
    },
    READY_TIMEOUT_MS,
  ).catch((error: unknown) => {
    child.kill('SIGKILL');
    throw new Error(`The stack did not become ready:\n${output}`, { cause: error });
  });
  const call = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const { api, keys } = await run();
    return fetch(new URL(path, api), {
      ...init,
      headers: {
        authorization: `Bearer ${keys.client}`,
        'content-type': 'application/json',
        ...init.headers,
      },
    });
  };
  /** While a process is down the API may say 503, which is no job: whoever waits asks again. */
  const job = async (id: string): Promise<TestJob> => {
    const response = await call(`/jobs/${id}`);
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    return (await response.json()) as TestJob;
  };
  return {
    home,
    process: child,
    run,
    output: () => output,
    call,
    job,
    async submitExport(input) {
      const body = JSON.stringify({ kind: 'report.export', input });
      const response = await call('/jobs', { method: 'POST', body });
      if (response.status !== 202) throw new Error(`${response.status} ${await response.text()}`);
      return ((await response.json()) as TestJob).id;
    },
    async ended(id, timeoutMs) {
      let seen: TestJob | undefined;
      const look = async (): Promise<TestJob | false> => {
        seen = await job(id);
        return seen.finishedAt !== null && seen;
      };
      return eventually(`job ${id} to end`, look, timeoutMs).catch((error: unknown) => {
        throw new Error(`The job stays as it is: ${JSON.stringify(seen)}`, { cause: error });
      });
    },
    async result(id) {
      const response = await call(`/jobs/${id}/result`, { headers: { accept: 'application/json' } });
      const result = (await response.json()) as Omit<TestResult, 'file'> & { url: string };
      return { ...result, file: new Uint8Array(await (await fetch(result.url)).arrayBuffer()) };
    },
    async stop(signal = 'SIGINT') {
      child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      const code = await exited;
      clearTimeout(timer);
      return code;
    },
  };
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
