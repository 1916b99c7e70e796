/** The fuzzer: schemathesis, from the package index by pip, kept beside the other downloads of the tests. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installPythonPackages } from './python-packages.js';

const fuzz = (name: string): string => fileURLToPath(new URL(`../fuzz/${name}`, import.meta.url));

export interface FuzzRun {
  readonly exitCode: number | null;
  readonly output: string;
  /** How many requests it made up. */
  readonly cases: number;
}

/** Installs the pinned versions once; answers the folder. Throws with pip's own last words. */
export const installSchemathesis = (): Promise<string> =>
  installPythonPackages('schemathesis', fuzz('requirements.txt'));

/** Holds an API against its own OpenAPI document with requests made up from it. Ends by itself in `timeoutMs`. */
export async function fuzzApi(options: {
  readonly folder: string;
  readonly url: string;
  readonly key: string;
  readonly examples: number;
  /** Operations that are sent one request each, by their ids. */
  readonly once: readonly string[];
  readonly seed: number;
  readonly timeoutMs: number;
}): Promise<FuzzRun> {
  const { folder, url, key, examples, once, seed, timeoutMs } = options;
  const scratch = await mkdtemp(join(folder, 'run-'));
  const config = join(scratch, 'schemathesis.toml');
  await writeFile(config, (await readFile(fuzz('schemathesis.toml'), 'utf8')) + onceEach(once));
  const child = spawn(
    'python3',
    [
      ...['-m', 'schemathesis.cli', '--no-color', '--config-file', config],
      ...['run', `${url}/openapi.json`, '--header', `Authorization: Bearer ${key}`],
      // Two threads take turns in one interpreter, which is slower, and reading sources in both can fail (CPython 3.11).
      ...['--phases', 'examples,coverage,fuzzing', '--workers', '1'],
      ...['--max-examples', String(examples), '--seed', String(seed)],
    ],
    {
      cwd: scratch,
      env: { ...process.env, PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  }).finally(() => rm(scratch, { recursive: true, force: true }));
  return { exitCode, output, cases: Number(/^\s*(\d+) generated/m.exec(output)?.[1] ?? 0) };
}

function onceEach(operations: readonly string[]): string {
  return `
[[operations]]
include-operation-id = ${JSON.stringify(operations)}
generation.max-examples = 1
phases.examples.enabled = false
phases.coverage.enabled = false
`;
}
