/** The keys that endpoints' deliveries are signed with, opened once and kept as long as the sealed secret is the same. */
import type { KeyObject } from 'node:crypto';
import type { TenantCipher } from '../security/tenant-cipher.js';
import { secretAad } from './endpoints.store.js';
import { keyOfSecret } from './signature.js';

const KEPT_MAX = 20_000;

export interface SealedSecrets {
  /** The endpoint, or what else the secret is sealed for. */
  readonly secretOf: string;
  readonly secret: Buffer;
  readonly previousSecret: Buffer | null;
}

/** The newest first; at once where they are known. */
export type SigningKeys = (
  tenantId: string,
  sealed: SealedSecrets,
) => readonly KeyObject[] | Promise<readonly KeyObject[]>;

export function createSigningKeys(cipher: TenantCipher): SigningKeys {
  const kept = new Map<string, { readonly sealed: Buffer; readonly keys: readonly KeyObject[] }>();

  async function open(tenantId: string, { secretOf, secret, previousSecret }: SealedSecrets, sealed: Buffer) {
    const opened = async (bytes: Buffer): Promise<KeyObject> =>
      keyOfSecret((await cipher.decrypt(tenantId, bytes, secretAad(tenantId, secretOf))).toString('utf8'));
    const keys = await Promise.all([secret, ...(previousSecret ? [previousSecret] : [])].map(opened));
    if (kept.size >= KEPT_MAX) kept.clear();
    kept.set(secretOf, { sealed, keys });
    return keys;
  }

  return (tenantId, secrets) => {
    const { secretOf, secret, previousSecret } = secrets;
    const sealed = previousSecret ? Buffer.concat([secret, previousSecret]) : secret;
    const known = kept.get(secretOf);
    return known?.sealed.equals(sealed) ? known.keys : open(tenantId, secrets, sealed);
  };
}
