import { describe, expect, it } from 'vitest';
import { hashSecret, mintApiKey, parseApiKey, secretMatches } from '../../../libs/security/api-key.js';

describe('an API key', () => {
  it('is read as it was minted, whatever its secret holds', () => {
    for (let round = 0; round < 200; round += 1) {
      const { text, ...key } = mintApiKey('local');
      expect(parseApiKey(text)).toEqual(key);
    }
  });

  it.each([
    ['nothing', ''],
    ['another scheme', 'sk_live_0123456789abcdef_x'],
    ['a short secret', 'lh_local_0123456789abcdef_abc'],
    ['an upper-case id', `lh_local_0123456789ABCDEF_${'a'.repeat(43)}`],
    ['a trailing line', `lh_local_0123456789abcdef_${'a'.repeat(43)}\n`],
    ['a megabyte', `lh_local_${'a'.repeat(1_000_000)}`],
  ])('is not read from %s', (_, text) => {
    expect(parseApiKey(text)).toBeUndefined();
  });

  it('matches its own secret only, and no hash of another length', () => {
    const { secret } = mintApiKey('local');
    expect(secretMatches(secret, hashSecret(secret))).toBe(true);
    expect(secretMatches(mintApiKey('local').secret, hashSecret(secret))).toBe(false);
    expect(secretMatches(secret, new Uint8Array(5))).toBe(false);
  });
});
