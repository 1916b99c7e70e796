/** What is kept of an endpoint's answer: enough to see what is wrong, nothing that opens a door. */

export const HEAD_LENGTH_MAX = 200;

/** Long runs of letters and digits (keys, tokens, card numbers) and addresses of e-mail. */
const SECRETS = /[^\s@"'<>]+@[^\s@"'<>]+|[A-Za-z0-9_+/=.-]{20,}|\d[\d -]{10,}\d/g;
const CONTROL = /[\p{Cc}\p{Cf}\s]+/gu;

/** The beginning of an answer as one line, what looks like a secret left out. */
export function redactedHead(text: string): string {
  return text
    .slice(0, 4 * HEAD_LENGTH_MAX)
    .replace(CONTROL, ' ')
    .replace(SECRETS, '…')
    .slice(0, HEAD_LENGTH_MAX)
    .trim()
    .toWellFormed();
}
