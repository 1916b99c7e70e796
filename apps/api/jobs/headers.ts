/** The request headers that the jobs' routes understand. */
import { Problem } from '../problems/problem.js';

const IDEMPOTENCY_KEY_LENGTH_MAX = 255;
const WAIT_SECONDS_MAX = 30;
/** Bare, or an sf-string of RFC 9651: visible ASCII and space, with \" and \\ escaped. As JSON Schema has patterns, too. */
export const IDEMPOTENCY_KEY_PATTERN = String.raw`^(?:"((?:[ !#-\[\]-~]|\\["\\]){1,${IDEMPOTENCY_KEY_LENGTH_MAX}})"|[!#-~]{1,${IDEMPOTENCY_KEY_LENGTH_MAX}})$`;
const IDEMPOTENCY_KEY = new RegExp(IDEMPOTENCY_KEY_PATTERN);

/** The key, without its quotes. Throws Problem `invalid_idempotency_key`. */
export function readIdempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  const text = Array.isArray(header) ? header.join(', ') : header.trim();
  const match = IDEMPOTENCY_KEY.exec(text);
  if (!match) {
    throw new Problem(
      'invalid_idempotency_key',
      `Expected 1 to ${IDEMPOTENCY_KEY_LENGTH_MAX} visible ASCII characters, bare or in double quotes.`,
    );
  }
  const [bare, quoted] = match;
  return quoted?.replace(/\\(["\\])/g, '$1') ?? bare;
}

/** Seconds of `Prefer: wait=N` (RFC 7240), at most 30; undefined where it is not asked for or makes no sense. */
export function readWait(header: string | string[] | undefined): number | undefined {
  if (header === undefined) return undefined;
  for (const preference of [header].flat().join(',').split(',')) {
    const seconds = /^\s*wait\s*=\s*"?(\d+)"?\s*(?:;.*)?$/i.exec(preference)?.[1];
    if (seconds !== undefined) return Math.min(Number(seconds), WAIT_SECONDS_MAX);
  }
  return undefined;
}

/** Whether `If-None-Match` names this entity tag, compared weakly as RFC 9110 wants it. */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  return header.split(',').some((candidate) => candidate.trim().replace(/^W\//, '') === etag);
}

/** The revision that `Last-Event-ID` names; 0 where there is none or it is not one of ours. */
export function readLastEventId(header: string | string[] | undefined): number {
  return typeof header === 'string' && /^\d{1,15}$/.test(header.trim()) ? Number(header) : 0;
}

/** Whether the client asks for JSON by name, rather than to be sent on to the file. */
export function asksForJson(accept: string | undefined): boolean {
  return (accept ?? '').split(',').some((range) => {
    const [type, ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const refused = parameters.some((parameter) => /^q=0(?:\.0{0,3})?$/.test(parameter));
    return type === 'application/json' && !refused;
  });
}
