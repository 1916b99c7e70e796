/** Where downloads are kept: beside the installed packages, so that a removed home does not cost them again. */
import { accessSync, constants, mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The folder for downloaded binaries: `node_modules/.cache/longhaul` of the installation. Where that cannot be
 * written (packages installed by another user), `$LONGHAUL_HOME/cache`.
 */
export function cacheFolder(home = process.env.LONGHAUL_HOME || '.longhaul'): string {
  const folders = cacheFolders(home);
  return folders.find(canWrite) ?? folders[0];
}

/** Where something cached may be, first choice first; the installing user may have filled what we cannot write. */
export function cacheFolders(home = process.env.LONGHAUL_HOME || '.longhaul'): readonly [string, string] {
  return [join(packageRoot(), 'node_modules', '.cache', 'longhaul'), join(resolve(home), 'cache')];
}

/** The folder of Longhaul's package.json, from the sources and from `dist` alike. */
export function packageRoot(): string {
  const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
  return root.endsWith('/dist') ? dirname(root) : root;
}

function canWrite(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') return false;
    throw error;
  }
}
