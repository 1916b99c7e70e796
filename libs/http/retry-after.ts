/** `Retry-After` (RFC 9110, 10.2.3): seconds or an HTTP date, as milliseconds from now. */

/** Longer than this nobody is waited for: the policy's own backoff and the deadline decide then. */
export const RETRY_AFTER_MAX_MS = 300_000;

const SECONDS = /^\d+$/;
/** The three shapes of an HTTP date: IMF-fixdate, RFC 850, asctime. `Date.parse` alone takes far more for a date. */
const HTTP_DATE =
  /^(?:[A-Z][a-z]{2,8}, \d{2}[ -][A-Z][a-z]{2}[ -]\d{2,4} \d{2}:\d{2}:\d{2} GMT|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4})$/;

/**
 * Milliseconds to wait, 0 to {@link RETRY_AFTER_MAX_MS}; undefined where there is no such header, or one that says
 * nothing. `nowMs`: the present, for dates.
 */
export function retryAfterMsOf(value: string | undefined, nowMs: number): number | undefined {
  const text = value?.trim() ?? '';
  if (SECONDS.test(text)) return Math.min(Number(text) * 1_000, RETRY_AFTER_MAX_MS);
  if (!HTTP_DATE.test(text)) return undefined;
  const moment = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(moment) ? undefined : Math.min(Math.max(0, moment - nowMs), RETRY_AFTER_MAX_MS);
}
