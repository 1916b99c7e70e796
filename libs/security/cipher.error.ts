/** What can go wrong with a tenant's secrets, as a vocabulary. */

/**
 * `tenant_key_destroyed`: the data key was destroyed on purpose; what it sealed is gone for ever.
 * `tenant_key_unknown`: no such tenant, or a key it never had.
 * `sealed_invalid`: altered, cut, or sealed for another tenant, job or purpose.
 * `master_key_mismatch`: this process runs with another master key than the one that wrapped the data key.
 */
export type CipherErrorCode =
  'tenant_key_destroyed' | 'tenant_key_unknown' | 'sealed_invalid' | 'master_key_mismatch';

/** Thrown by everything in libs/security that opens or seals; branch on `code`. Never carries plain text. */
export class CipherError extends Error {
  constructor(
    readonly code: CipherErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = 'CipherError';
  }
}

/** Whether a tenant's data is unreadable because its key was destroyed. */
export function isKeyDestroyed(error: unknown): boolean {
  return error instanceof CipherError && error.code === 'tenant_key_destroyed';
}
