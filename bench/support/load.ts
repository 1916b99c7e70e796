/** Load over HTTP from a process of its own, so that the one that measures does not slow it. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Load {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON; `NUMBER` in it is replaced by a number that counts up from `firstNumber`. */
  readonly body: string;
  readonly firstNumber: number;
  readonly connections: number;
  readonly seconds: number;
  /** Requests a second, each when it is due; without it, as many as are answered. */
  readonly rate?: number;
}

export interface LoadResult {
  readonly requests: number;
  /** Answers a second. */
  readonly rate: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  /** Of the process that made the load. */
  readonly cpuSeconds: number;
}

export const NUMBER = 'NUMBER';
const PROGRAM = fileURLToPath(new URL('../load.main.js', import.meta.url));

/** Throws unless every answer was 202. */
export async function applyLoad(load: Load, signal: AbortSignal): Promise<LoadResult> {
  const child = spawn(process.execPath, [PROGRAM, JSON.stringify(load)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  });
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (text: Buffer) => (said.stdout += text.toString()));
  child.stderr.on('data', (text: Buffer) => (said.stderr += text.toString()));
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code !== 0) throw new Error(`The load on ${load.url} ended with ${String(code)}:\n${said.stderr}`);
  return JSON.parse(said.stdout) as LoadResult;
}
