import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson, digest, sha256Hex } from '../../../libs/saga/digest.js';

test('hashes any bytes as node:crypto does', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(sha256Hex(bytes)).toBe(createHash('sha256').update(bytes).digest('hex'));
    }),
  );
});

test('digests text as UTF-8, lone surrogates included', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const expected = createHash('sha256').update(JSON.stringify(text).toWellFormed()).digest('hex');
      expect(digest(text)).toBe(expected.slice(0, 32));
    }),
  );
});

test('does not care in which order an object names its keys', () => {
  expect(digest({ a: 1, b: { c: [1, 2], d: null } })).toBe(digest({ b: { d: null, c: [1, 2] }, a: 1 }));
  expect(canonicalJson({ b: undefined, a: 1 })).toBe('{"a":1}');
});

test('cares about the order of a list and the type of a value', () => {
  expect(digest({ columns: ['a', 'b'] })).not.toBe(digest({ columns: ['b', 'a'] }));
  expect(digest({ eq: 1 })).not.toBe(digest({ eq: '1' }));
});
