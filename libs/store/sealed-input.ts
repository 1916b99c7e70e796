/**
 * A job's input on its way in: sealed under the job's id, and the digest by which equal inputs are known. `stored` is what
 * the job gets, where that has more in it than was asked for.
 */
import { canonicalJson } from '../saga/digest.js';
import type { TenantCipher } from '../security/tenant-cipher.js';
import { inputAad } from './job-input.store.js';

export interface SealedInput {
  readonly input: Buffer;
  readonly digest: Buffer;
}

export async function sealInput(
  cipher: TenantCipher,
  job: { readonly id: string; readonly tenantId: string },
  value: unknown,
  stored: unknown = value,
): Promise<SealedInput> {
  const [input, digest] = await Promise.all([
    cipher.encrypt(job.tenantId, Buffer.from(canonicalJson(stored)), inputAad(job)),
    cipher.digest(job.tenantId, canonicalJson(value)),
  ]);
  return { input, digest };
}
