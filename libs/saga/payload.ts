/** S14: into history go references, not blobs. */

export const PAYLOAD_BYTES_MAX = 4_096;

/** The size of a value as it would be stored: UTF-8 JSON. */
export function payloadBytes(value: unknown): number {
  const text = JSON.stringify(value) as string | undefined;
  return text === undefined ? 0 : new TextEncoder().encode(text).length;
}

/** Says what is wrong with a value that is to be stored in history; undefined when it is small enough. */
export function payloadProblem(what: string, value: unknown): string | undefined {
  const bytes = payloadBytes(value);
  if (bytes <= PAYLOAD_BYTES_MAX) return undefined;
  return `${what} is ${bytes} bytes as JSON, and at most ${PAYLOAD_BYTES_MAX} may travel; store it and pass a reference`;
}
