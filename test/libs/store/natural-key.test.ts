import fc from 'fast-check';
import { expect, test } from 'vitest';
import { joinNaturalKey } from '../../../libs/store/natural-key.js';

test('reads well where it can', () => {
  expect(joinNaturalKey(['flights', 7, 'a1b2'])).toBe('flights/7/a1b2');
});

test('tells numbers from texts, and separators from text', () => {
  const keys = [
    [1],
    ['1'],
    ['~1'],
    [''],
    ['', ''],
    ['/'],
    ['a', 'b'],
    ['a/b'],
    ['a%2fb'],
    ['#'],
    ['\u0012'],
    ['12'],
    ['%12'],
    ['NaN'],
  ];
  expect(new Set(keys.map(joinNaturalKey)).size).toBe(keys.length);
});

test('different parts never give the same key', () => {
  const part = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.constantFrom('/', '%', '~', '#', '1', ''),
    fc.string({ minLength: 600, maxLength: 700 }),
  );
  const parts = fc.array(part, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(parts, parts, (a, b) => {
      const same = JSON.stringify(a) === JSON.stringify(b);
      expect(joinNaturalKey(a) === joinNaturalKey(b)).toBe(same);
    }),
    { numRuns: 2_000 },
  );
});

test('stays small enough for an index', () => {
  const long = joinNaturalKey(['😀'.repeat(5_000), 1]);
  expect(Buffer.byteLength(long)).toBeLessThan(1_000);
  expect(long).not.toBe(joinNaturalKey(['😀'.repeat(5_000), 2]));
  expect(long.isWellFormed()).toBe(true);
});
