/**
 * Seals and opens what belongs to a tenant (AES-256-GCM under its own data key), so that destroying the key
 * destroys every copy of it, backups and engine histories included.
 *
 * Sealed: version (1) | key id (16) | iv (12) | tag (16) | ciphertext. The tag covers the header, the tenant and
 * the caller's `aad`, which names job and purpose: bytes moved to another row, job or tenant do not open.
 */
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import { stringify as formatUuid } from 'uuid';
import type { Database } from '../store/database.js';
import { CipherError } from './cipher.error.js';
import {
  createKeyRings,
  SEALED_VERSION,
  type DataKey,
  type KeyRing,
  type KeyRingOptions,
} from './key-ring.store.js';
import { takeRandomBytes } from './random-bytes.js';

export interface TenantCipher {
  /** Seals under the tenant's newest key. `aad` says whose and what for, e.g. `tenant/job/input`. */
  encrypt(tenantId: string, plain: Uint8Array, aad: string): Promise<Buffer>;
  /** Opens what {@link encrypt} sealed with the same tenant and `aad`; throws CipherError otherwise. */
  decrypt(tenantId: string, sealed: Uint8Array, aad: string): Promise<Buffer>;
  /**
   * HMAC-SHA256, to compare texts without keeping them. Under the tenant's oldest key that is not destroyed, so
   * that a new key does not change the digests of what is already there.
   */
  digest(tenantId: string, text: string): Promise<Buffer>;
  /** Drops keys held in memory, of one tenant or of all. */
  forget(tenantId?: string): void;
}

const KEY_ID_AT = 1;
const IV_AT = KEY_ID_AT + 16;
const TAG_AT = IV_AT + 12;
const TEXT_AT = TAG_AT + 16;

/** A cipher that reads the tenants' keys through `database`, whatever its role. */
export function createTenantCipher(
  database: Database,
  masterKey: Uint8Array,
  options: KeyRingOptions = {},
): TenantCipher {
  const rings = createKeyRings(database, masterKey, options);

  return {
    encrypt: async (tenantId, plain, aad) =>
      seal(newestOf(await rings.of(tenantId), tenantId), tenantId, plain, aad),
    decrypt: async (tenantId, sealed, aad) => {
      const keyId = keyIdOf(sealed);
      const ring = await rings.of(tenantId);
      const known = ring.destroyed.has(keyId) || ring.keys.some((key) => key.id === keyId);
      return open(keyNamed(known ? ring : await rings.of(tenantId, true), keyId), tenantId, sealed, aad);
    },
    digest: async (tenantId, text) => {
      const ring = await rings.of(tenantId);
      const key = ring.keys.at(-1) ?? newestOf(ring, tenantId);
      return createHmac('sha256', key.digesting).update(text).digest();
    },
    forget: (tenantId) => rings.forget(tenantId),
  };
}

/** Which data key sealed this. Throws CipherError `sealed_invalid` for what nobody sealed. */
export function keyIdOf(sealed: Uint8Array): string {
  if (sealed[0] !== SEALED_VERSION || sealed.length < TEXT_AT) {
    throw new CipherError('sealed_invalid', 'This is not sealed data of a version known here.');
  }
  try {
    return formatUuid(sealed.subarray(KEY_ID_AT, IV_AT));
  } catch (error) {
    throw new CipherError('sealed_invalid', 'Sealed data names no valid key.', { cause: error });
  }
}

function newestOf(ring: KeyRing, tenantId: string): DataKey {
  const [newest] = ring.keys;
  if (!newest) {
    throw new CipherError(
      'tenant_key_destroyed',
      `The key of tenant ${tenantId} was destroyed; its data is gone.`,
    );
  }
  return newest;
}

function keyNamed(ring: KeyRing, keyId: string): DataKey {
  const key = ring.keys.find((candidate) => candidate.id === keyId);
  if (key) return key;
  if (ring.destroyed.has(keyId)) {
    throw new CipherError(
      'tenant_key_destroyed',
      `The data key ${keyId} was destroyed; what it sealed is gone.`,
    );
  }
  throw new CipherError('tenant_key_unknown', `The tenant never had a data key ${keyId}.`);
}

function associatedData(header: Uint8Array, tenantId: string, aad: string): Buffer {
  return Buffer.concat([header, Buffer.from(`${tenantId}\n${aad}`)]);
}

function seal(key: DataKey, tenantId: string, plain: Uint8Array, aad: string): Buffer {
  const sealed = Buffer.allocUnsafe(TEXT_AT + plain.length);
  key.header.copy(sealed);
  const iv = takeRandomBytes(TAG_AT - IV_AT);
  iv.copy(sealed, IV_AT);
  const cipher = createCipheriv('aes-256-gcm', key.sealing, iv);
  cipher.setAAD(associatedData(key.header, tenantId, aad));
  cipher.update(plain).copy(sealed, TEXT_AT);
  cipher.final();
  cipher.getAuthTag().copy(sealed, TAG_AT);
  return sealed;
}

function open(key: DataKey, tenantId: string, sealed: Uint8Array, aad: string): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key.sealing, sealed.subarray(IV_AT, TAG_AT));
  decipher.setAAD(associatedData(sealed.subarray(0, IV_AT), tenantId, aad));
  decipher.setAuthTag(sealed.subarray(TAG_AT, TEXT_AT));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(TEXT_AT)), decipher.final()]);
  } catch (error) {
    throw new CipherError(
      'sealed_invalid',
      'Sealed data was altered, or belongs to another tenant, job or purpose.',
      {
        cause: error,
      },
    );
  }
}
