/** A baseline in a process of its own, as a person would run it. */
import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';

const OUTPUT_MAX_CHARS = 100_000;

/** Runs a program to its end and answers what it printed; throws with its last words when it fails. */
export async function runToEnd(
  command: string,
  args: readonly string[],
  options: {
    readonly env: NodeJS.ProcessEnv;
    readonly signal: AbortSignal;
    readonly onPid: (pid: number) => void;
  },
): Promise<string> {
  const { env, signal, onPid } = options;
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const kill = (): boolean => child.kill('SIGKILL');
  signal.addEventListener('abort', kill, { once: true });
  if (child.pid !== undefined) onPid(child.pid);
  let [output, errors] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (output = keepEnd(output + chunk.toString())));
  child.stderr.on('data', (chunk: Buffer) => (errors = keepEnd(errors + chunk.toString())));
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    signal.throwIfAborted();
    if (code !== 0) throw new Error(`${command} ended with ${code}: ${errors.trim()}`);
    return output;
  } finally {
    signal.removeEventListener('abort', kill);
  }
}

function keepEnd(text: string): string {
  return text.slice(-OUTPUT_MAX_CHARS);
}

/** Flushes a file to the disk, as the store of artifacts does with a part. */
export async function flush(file: string): Promise<void> {
  const handle = await open(file, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
