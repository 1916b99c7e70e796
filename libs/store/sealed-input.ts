/** A job's input on its way in: sealed under the job's id, and its digest, by which equal inputs are known. */
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
): Promise<SealedInput> {
  const text = canonicalJson(value);
  const [input, digest] = await Promise.all([
    cipher.encrypt(job.tenantId, Buffer.from(text), inputAad(job)),
    cipher.digest(job.tenantId, text),
  ]);
  return { input, digest };
}
