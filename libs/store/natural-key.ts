/** The natural key as one text. Different parts never give the same text. */
import { createHash } from 'node:crypto';

/** Keeps well inside what a B-tree entry holds. */
const BYTES_MAX = 512;
const READABLE_LENGTH = 200;

/**
 * Joins with `/`. In texts `%`, `/`, `#`, `~` and control characters are percent-encoded, and a text that reads as
 * a number (or is empty) gets a leading `~`, so `[1]` and `["1"]` differ. A long key keeps its beginning and ends in `#` and a hash.
 */
export function joinNaturalKey(parts: readonly (string | number)[]): string {
  const key = parts.map((part) => (typeof part === 'number' ? String(part) : encode(part))).join('/');
  if (Buffer.byteLength(key) <= BYTES_MAX) return key;
  const hash = createHash('sha256').update(key).digest('hex');
  return `${key.slice(0, READABLE_LENGTH).toWellFormed()}#${hash}`;
}

function encode(text: string): string {
  const escaped = text.replace(
    /[%/#~\u0000-\u001f\u007f]/g,
    (character) => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
  return escaped === '' || String(Number(escaped)) === escaped ? `~${escaped}` : escaped;
}
