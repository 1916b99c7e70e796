/** Logs of the stack's processes: appended to by the processes themselves, bounded by the supervisor. */
import { closeSync, copyFileSync, openSync, readSync, statSync, truncateSync } from 'node:fs';

export const LOG_BYTES_MAX = 20 * 1024 * 1024;
const TAIL_BYTES = 8 * 1024;

/** Opens for appending; the descriptor is handed to a child, who goes on when we are gone. */
export function openLog(path: string): number {
  limitLog(path);
  return openSync(path, 'a', 0o600);
}

/** Moves a log that has grown past the limit to `<path>.1`. Writers append, so they go on at the new beginning. */
export function limitLog(path: string, bytesMax = LOG_BYTES_MAX): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size <= bytesMax) return;
  copyFileSync(path, `${path}.1`);
  truncateSync(path);
}

/** The last lines, for an error message; from `startAt` on (the size before the process began). */
export function tailOf(path: string, startAt = 0, lines = 12): string {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  const from = Math.max(startAt, size - TAIL_BYTES);
  if (size <= from) return '';
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(size - from);
    const bytesRead = readSync(file, buffer, 0, buffer.length, from);
    return buffer.toString('utf8', 0, bytesRead).trimEnd().split('\n').slice(-lines).join('\n');
  } finally {
    closeSync(file);
  }
}
