/** Where the embedded PostgreSQL's data and programs are, and who runs it. */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Home } from './home.js';
import { postgresProgram, type PostgresBinaries } from './postgres-binaries.js';
import { endLeftoverPostmaster } from './postgres-leftover.js';
import { StackError } from './stack-error.js';
import { canReach, unprivilegedUser, type SystemUser } from './system-user.js';

export interface PostgresPlace {
  readonly data: string;
  readonly binaries: PostgresBinaries;
  /** Undefined: as ourselves. */
  readonly user: SystemUser | undefined;
  /** The folder outside the home, where the home's own could not be used. */
  readonly outside: string | undefined;
}

export interface PlaceOptions {
  /** Stands for the home's contents: data kept outside for a home that was removed and made anew is not its data. */
  readonly fingerprint: string;
  /** Default `/var/lib/longhaul`. */
  readonly outsideRoot?: string;
  readonly log?: (line: string) => void;
}

const OUTSIDE_ROOT = '/var/lib/longhaul';
const HASH_LENGTH = 16;

/**
 * Ourselves in the home, as a normal user. As root another user has to reach the folders: what it cannot reach (a
 * home or an installation below a 0700 folder) goes to `/var/lib/longhaul/<hash of the home's path>`.
 */
export async function placePostgres(
  home: Home,
  binaries: PostgresBinaries,
  options: PlaceOptions,
): Promise<PostgresPlace> {
  if (process.getuid?.() !== 0) return { data: home.postgres, binaries, user: undefined, outside: undefined };

  const hash = createHash('sha256').update(home.root).digest('hex').slice(0, HASH_LENGTH);
  const outside = join(options.outsideRoot ?? OUTSIDE_ROOT, hash);
  const user = ownerOf(home.postgres) ?? ownerOf(join(outside, 'data')) ?? unprivilegedUser();
  const homeIsOpen = canReach(user, home.root);
  if (!homeIsOpen && existsSync(home.postgres)) {
    throw new StackError(
      `The database is in ${home.postgres}, but its user (uid ${user.uid}) cannot enter ${home.root} any more. ` +
        `Let others pass through it and the folders above it (chmod o+x).`,
    );
  }
  const programsAreOpen = canReach(user, postgresProgram(binaries, 'postgres'));
  if (homeIsOpen && programsAreOpen) return { data: home.postgres, binaries, user, outside: undefined };

  mkdirSync(outside, { recursive: true });
  for (const folder of [dirname(outside), outside]) chmodSync(folder, 0o755);
  await setAsideStale(outside, home.root, options);
  return {
    data: homeIsOpen ? home.postgres : join(outside, 'data'),
    binaries: programsAreOpen ? binaries : copyBinaries(binaries, outside),
    user,
    outside,
  };
}

function ownerOf(folder: string): SystemUser | undefined {
  const found = statSync(folder, { throwIfNoEntry: false });
  return found && found.uid !== 0 ? { uid: found.uid, gid: found.gid } : undefined;
}

/** Data of a home that was removed is unreadable (its keys are gone); the last of it is kept beside, not deleted. */
async function setAsideStale(outside: string, home: string, options: PlaceOptions): Promise<void> {
  const label = join(outside, 'home.json');
  const text = JSON.stringify({ home, fingerprint: options.fingerprint });
  const data = join(outside, 'data');
  if (existsSync(data) && (!existsSync(label) || readFileSync(label, 'utf8') !== text)) {
    const aside = `${data}.old`;
    await endLeftoverPostmaster(data);
    rmSync(aside, { recursive: true, force: true });
    renameSync(data, aside);
    options.log?.(`${data} belonged to an earlier home at ${home}; it was moved to ${aside}`);
  }
  writeFileSync(label, text, { mode: 0o600 });
}

function copyBinaries(binaries: PostgresBinaries, outside: string): PostgresBinaries {
  const folder = join(outside, `postgresql-${binaries.version}`);
  if (!existsSync(folder)) {
    const draft = `${folder}.new`;
    rmSync(draft, { recursive: true, force: true });
    cpSync(binaries.folder, draft, { recursive: true, verbatimSymlinks: true });
    renameSync(draft, folder);
  }
  return { ...binaries, folder };
}
