import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseRange } from '../../../libs/artifacts/range.js';

test.each([
  [undefined, 10, 'whole'],
  ['bytes=0-4', 10, { start: 0, end: 4 }],
  ['bytes=5-', 10, { start: 5, end: 9 }],
  ['bytes=-3', 10, { start: 7, end: 9 }],
  ['bytes=-30', 10, { start: 0, end: 9 }],
  ['bytes=9-9', 10, { start: 9, end: 9 }],
  ['bytes=0-999', 10, { start: 0, end: 9 }],
  ['Bytes=0-0', 10, { start: 0, end: 0 }],
  ['bytes=10-', 10, 'unsatisfiable'],
  ['bytes=-0', 10, 'unsatisfiable'],
  ['bytes=0-', 0, 'unsatisfiable'],
  ['bytes=-5', 0, 'unsatisfiable'],
  ['bytes=5-4', 10, 'whole'],
  ['bytes=-', 10, 'whole'],
  ['bytes=0-1,3-4', 10, 'whole'],
  ['rows=0-1', 10, 'whole'],
  ['bytes=1e3-', 10, 'whole'],
  ['bytes=99999999999999999999-', 10, 'whole'],
] as const)('%s of %d bytes', (header, bytes, expected) => {
  expect(parseRange(header, bytes)).toEqual(expected);
});

test('never answers a range outside the file', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.tuple(fc.nat(), fc.nat()).map(([from, to]) => `bytes=${from}-${to}`),
        fc.nat().map((suffix) => `bytes=-${suffix}`),
      ),
      fc.nat(),
      (header, bytes) => {
        const range = parseRange(header, bytes);
        if (typeof range === 'string') return;
        expect(range.start).toBeGreaterThanOrEqual(0);
        expect(range.start).toBeLessThanOrEqual(range.end);
        expect(range.end).toBeLessThan(bytes);
      },
    ),
  );
});
