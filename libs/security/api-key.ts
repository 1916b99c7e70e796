/** API keys: `lh_<env>_<id>_<secret>`. The id finds the row, the secret (256 random bits) is kept as SHA-256 only. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

export type ApiKeyRole = 'client' | 'operator' | 'admin';

export interface ApiKey {
  readonly env: string;
  readonly id: string;
  readonly secret: string;
}

const ID_BYTES = 8;
const SECRET_BYTES = 32;
/** Anything longer is no key of ours, and is not worth matching. */
const TEXT_LENGTH_MAX = 200;
const PATTERN = /^lh_([a-z]+)_([a-z0-9]{8,32})_([A-Za-z0-9_-]{43})$/;

/** Makes a new key; `text` is what its owner gets, once. */
export function mintApiKey(env: string): ApiKey & { readonly text: string } {
  const id = randomBytes(ID_BYTES).toString('hex');
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  return { env, id, secret, text: `lh_${env}_${id}_${secret}` };
}

/** Reads a key's parts; undefined for anything that has not the shape of one. */
export function parseApiKey(text: string): ApiKey | undefined {
  const match = text.length <= TEXT_LENGTH_MAX ? PATTERN.exec(text) : null;
  const [, env, id, secret] = match ?? [];
  return env !== undefined && id !== undefined && secret !== undefined ? { env, id, secret } : undefined;
}

/** What is stored of a secret. A plain hash will do: 256 random bits cannot be guessed. */
export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

/** Compares in constant time. */
export function secretMatches(secret: string, sha256: Uint8Array): boolean {
  const own = hashSecret(secret);
  return own.length === sha256.length && timingSafeEqual(own, sha256);
}
