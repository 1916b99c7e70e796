/** S14: into history go references, not blobs. */

export const PAYLOAD_BYTES_MAX = 4_096;

/** What one UTF-16 unit can become in UTF-8. */
const BYTES_PER_UNIT_MAX = 3;

/** Says what is wrong with a value that is to be stored in history as JSON; undefined when it is small enough. */
export function payloadProblem(what: string, value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  return textProblem(what, JSON.stringify(value));
}

/** The same of a value that is JSON already; undefined stands for one that has none. */
export function textProblem(what: string, text: string | undefined): string | undefined {
  // Most values are so far below the bound that they need not be encoded to know it.
  if (text === undefined || text.length * BYTES_PER_UNIT_MAX <= PAYLOAD_BYTES_MAX) return undefined;
  const bytes = new TextEncoder().encode(text).length;
  if (bytes <= PAYLOAD_BYTES_MAX) return undefined;
  return `${what} is ${bytes} bytes as JSON, and at most ${PAYLOAD_BYTES_MAX} may travel; store it and pass a reference`;
}
