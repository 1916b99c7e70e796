/** Standard Webhooks 1.0, symmetric: https://github.com/standard-webhooks/standard-webhooks (spec, "Signature scheme"). */
import { createHmac, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';

const PREFIX = 'whsec_';
/** The specification wants 24 to 64. */
const SECRET_BYTES = 32;

/** What is signed: the bytes of the body exactly as they are sent. */
export interface Message {
  /** The same on every attempt; receivers know a repeat by it. */
  readonly id: string;
  /** Of this attempt, in whole seconds since 1970. */
  readonly timestampSeconds: number;
  readonly body: Uint8Array;
}

/** A new secret, as its owner is shown it: `whsec_` and base64. */
export function createSecret(): string {
  return PREFIX + randomBytes(SECRET_BYTES).toString('base64');
}

/** The key behind a secret. Throws where it is none. */
export function keyOfSecret(secret: string): KeyObject {
  if (!secret.startsWith(PREFIX)) throw new TypeError(`A webhook secret begins with ${PREFIX}`);
  return createSecretKey(secret.slice(PREFIX.length), 'base64');
}

/** The three headers; a signature for each key, so that a receiver may know either while the secret is being changed. */
export function signedHeaders(
  { id, timestampSeconds, body }: Message,
  keys: readonly KeyObject[],
): Record<string, string> {
  const head = `${id}.${timestampSeconds}.`;
  const signatures = keys.map(
    (key) => `v1,${createHmac('sha256', key).update(head).update(body).digest('base64')}`,
  );
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestampSeconds),
    'webhook-signature': signatures.join(' '),
  };
}
