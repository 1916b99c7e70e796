import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { deriveKey, masterKeyIdOf, unwrapKey, wrapKey } from '../../../libs/security/master-key.js';

describe('the master key', () => {
  it('gives each purpose a key of its own, always the same one', () => {
    const master = randomBytes(32);
    expect(deriveKey(master, 'a')).toEqual(deriveKey(master, 'a'));
    expect(deriveKey(master, 'a')).not.toEqual(deriveKey(master, 'b'));
    expect(deriveKey(master, 'a')).toHaveLength(32);
    expect(() => deriveKey(randomBytes(16), 'a')).toThrow(/32 bytes; got 16/);
  });

  it('stays what it derives, so that what is stored stays readable', () => {
    expect(deriveKey(Buffer.alloc(32, 7), 'tenant-keys/wrap').toString('hex')).toBe(
      'f6c145e3051975e7a7984b9f805f2520e46289fec05d96670ab9e1f05c7b5855',
    );
  });

  it('unwraps what it wrapped, for that tenant and key id alone', () => {
    const [master, dataKey] = [randomBytes(32), randomBytes(32)];
    const wrapped = wrapKey(master, dataKey, 'tenant', 'key');
    expect(unwrapKey(master, wrapped, 'tenant', 'key')).toEqual(dataKey);
    for (const open of [
      () => unwrapKey(master, wrapped, 'another', 'key'),
      () => unwrapKey(master, wrapped, 'tenant', 'another'),
      () => unwrapKey(randomBytes(32), wrapped, 'tenant', 'key'),
      () => unwrapKey(master, wrapped.subarray(1), 'tenant', 'key'),
    ]) {
      expect(open).toThrow(expect.objectContaining({ code: 'master_key_mismatch' }) as Error);
    }
    expect(masterKeyIdOf(master)).toMatch(/^[0-9a-f]{16}$/);
  });
});
