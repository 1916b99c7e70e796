/** The user PostgreSQL runs as when we are root: it refuses to be root itself. */
import { execFileSync, spawnSync } from 'node:child_process';
import { StackError } from './stack-error.js';

export interface SystemUser {
  readonly uid: number;
  readonly gid: number;
}

const OWN_USER = 'longhaul';
/** In this order; `nobody` is the last resort, where no user can be made. */
const CANDIDATES = ['postgres', OWN_USER] as const;
const LAST_RESORT = 'nobody';

/** An unprivileged user: `postgres` where the system has it, else `longhaul`, which is made. */
export function unprivilegedUser(): SystemUser {
  for (const name of CANDIDATES) {
    const user = lookUp(name);
    if (user) return user;
  }
  // What fails here (a minimal system without useradd) is answered by the last resort.
  spawnSync('useradd', [
    '--system',
    '--no-create-home',
    '--user-group',
    '--shell',
    '/usr/sbin/nologin',
    OWN_USER,
  ]);
  const user = lookUp(OWN_USER) ?? lookUp(LAST_RESORT);
  if (!user) {
    throw new StackError(
      'PostgreSQL refuses to run as root, and there is no user `postgres`, `longhaul` or `nobody` to run it as. ' +
        'Make one (useradd --system longhaul), run as a normal user, or set DATABASE_URL.',
    );
  }
  return user;
}

/** Whether `user` can execute `path` (a program), or pass into it (a folder), through all the folders above it. */
export function canReach(user: SystemUser, path: string): boolean {
  const probe = spawnSync('/bin/sh', ['-c', 'test -x "$1"', 'sh', path], {
    ...user,
    cwd: '/',
    stdio: 'ignore',
  });
  if (probe.error) throw probe.error;
  return probe.status === 0;
}

function lookUp(name: string): SystemUser | undefined {
  const probe = spawnSync('id', ['-u', name], { encoding: 'utf8' });
  if (probe.error) throw probe.error;
  if (probe.status !== 0) return undefined;
  const gid = execFileSync('id', ['-g', name], { encoding: 'utf8' });
  return { uid: Number(probe.stdout), gid: Number(gid) };
}
