/** One stack a home: a lock file that names its holder, so that a lock whose holder was killed is taken over. */
import { readFileSync, renameSync, rmSync } from 'node:fs';
import { createPrivateFile } from './private-file.js';
import { identify, isRunning, type ProcessIdentity } from './process-identity.js';

export interface HomeLock {
  /** Whether the file is still there and ours: a removed home takes it away. */
  isHeld(): boolean;
  release(): void;
}

const TRIES_MAX = 5;

/** Takes the lock; answers the identity of its living holder instead where there is one. */
export function lockHome(file: string): HomeLock | { readonly heldBy: ProcessIdentity } {
  const own = identify(process.pid);
  if (!own) throw new Error('This process cannot be identified; is /proc mounted?');
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    if (createPrivateFile(file, JSON.stringify(own))) {
      const isHeld = (): boolean => readLockHolder(file)?.startedAt === own.startedAt;
      // A home that was removed and made anew may have another holder by now: his file stays.
      return { isHeld, release: () => isHeld() && rmSync(file, { force: true }) };
    }
    const holder = readLockHolder(file);
    if (holder && isRunning(holder)) return { heldBy: holder };
    takeAway(file, holder);
  }
  throw new Error(`${file} changes hands all the time; is a start in a loop somewhere?`);
}

/** Who holds the lock, if the file is there; whether that process still runs is another question. */
export function readLockHolder(file: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Removes a dead holder's file. Another starter may have done so and locked by now: then its file goes back. */
function takeAway(file: string, dead: ProcessIdentity | undefined): void {
  if (!dead) return;
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const moved = readFileSync(aside, 'utf8');
  if (moved !== JSON.stringify(dead)) createPrivateFile(file, moved);
  rmSync(aside, { force: true });
}
