/** Python tools of the tests, from the package index by pip, pinned, kept beside the other downloads. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '../../libs/embedded/cache-folder.js';

const run = promisify(execFile);
const INSTALL_TIMEOUT_MS = 240_000;
const PIP = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--root-user-action=ignore'];

/** Installs the versions of a requirements file once; answers the folder for PYTHONPATH. Throws with pip's own last words. */
export async function installPythonPackages(name: string, requirements: string): Promise<string> {
  const digest = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex');
  const cache = cacheFolder();
  const folder = join(cache, `${name}-${digest.slice(0, 12)}`);
  if (existsSync(folder)) return folder;
  await mkdir(cache, { recursive: true });
  const fresh = await mkdtemp(join(cache, `${name}-`));
  try {
    await run('python3', [...PIP, '--target', fresh, '-r', requirements], { timeout: INSTALL_TIMEOUT_MS });
    await rename(fresh, folder);
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}
