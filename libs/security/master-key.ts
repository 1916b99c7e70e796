/** The master key: never used itself, only what is derived from it for one named purpose. */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { CipherError } from './cipher.error.js';

const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const WRAP_VERSION = 1;
const SALT = 'longhaul';

/**
 * A 32-byte key for one purpose, by HKDF-SHA256 (RFC 5869). Different purposes give unrelated keys, so a leaked
 * one says nothing about the others. Purposes are constants such as `artifacts/signed-url`.
 */
export function deriveKey(masterKey: Uint8Array, purpose: string): Buffer {
  if (masterKey.length !== KEY_BYTES) {
    throw new TypeError(`The master key must be ${KEY_BYTES} bytes; got ${masterKey.length}.`);
  }
  return Buffer.from(hkdfSync('sha256', masterKey, SALT, purpose, KEY_BYTES));
}

/** Tells master keys apart without saying anything about them; stored beside what each has wrapped. */
export function masterKeyIdOf(masterKey: Uint8Array): string {
  return deriveKey(masterKey, 'master-key/id').subarray(0, 8).toString('hex');
}

/** Wraps a tenant's data key: version | iv | tag | ciphertext, bound to its tenant and its own id. */
export function wrapKey(masterKey: Uint8Array, dataKey: Uint8Array, tenantId: string, keyId: string): Buffer {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', deriveKey(masterKey, 'tenant-keys/wrap'), iv);
  cipher.setAAD(Buffer.from(`${tenantId}/${keyId}`));
  const sealed = Buffer.concat([cipher.update(dataKey), cipher.final()]);
  return Buffer.concat([Buffer.of(WRAP_VERSION), iv, cipher.getAuthTag(), sealed]);
}

/** Undoes {@link wrapKey}; throws CipherError `master_key_mismatch` when this master key has not wrapped it. */
export function unwrapKey(
  masterKey: Uint8Array,
  wrapped: Uint8Array,
  tenantId: string,
  keyId: string,
): Buffer {
  const mismatch = (cause?: unknown): CipherError =>
    new CipherError(
      'master_key_mismatch',
      `The data key ${keyId} was not wrapped by this master key; start with the LONGHAUL_MASTER_KEY that made it.`,
      { cause },
    );
  if (wrapped[0] !== WRAP_VERSION || wrapped.length !== 1 + IV_BYTES + TAG_BYTES + KEY_BYTES)
    throw mismatch();
  const decipher = createDecipheriv(
    'aes-256-gcm',
    deriveKey(masterKey, 'tenant-keys/wrap'),
    wrapped.subarray(1, 1 + IV_BYTES),
  );
  decipher.setAAD(Buffer.from(`${tenantId}/${keyId}`));
  decipher.setAuthTag(wrapped.subarray(1 + IV_BYTES, 1 + IV_BYTES + TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(wrapped.subarray(1 + IV_BYTES + TAG_BYTES)), decipher.final()]);
  } catch (error) {
    throw mismatch(error);
  }
}
