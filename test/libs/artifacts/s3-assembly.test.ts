import fc from 'fast-check';
import { expect, test } from 'vitest';
import { planAssembly, S3_PART_BYTES_MIN, lengthOf } from '../../../libs/artifacts/s3-assembly.js';
import { partBytes, S3_PARTS_MAX } from '../../../libs/artifacts/s3-upload.js';

const MIB = 1 << 20;
const GIB = 1 << 30;
const lengths = fc.array(
  fc.oneof(
    fc.nat(MIB),
    fc.integer({ min: 4 * MIB, max: 11 * MIB }),
    fc.nat(3 * GIB),
    fc.constantFrom(0, 1, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1, 10 * MIB - 1, 10 * MIB),
  ),
  { maxLength: 60 },
);

test('every byte is in one segment, in order', () => {
  fc.assert(
    fc.property(lengths, (given) => {
      const ranges = planAssembly(given).flatMap((segment) => segment.ranges);
      let [source, offset] = [0, 0];
      for (const range of ranges) {
        while (given[source] === offset) [source, offset] = [source + 1, 0];
        expect(range).toMatchObject({ source, start: offset });
        expect(lengthOf(range)).toBeGreaterThan(0);
        offset = range.end + 1;
      }
      expect(given.slice(source).reduce((sum, length) => sum + length, 0)).toBe(offset);
    }),
  );
});

test('none but the last is below 5 MiB, and none that passes through memory is above 10 MiB', () => {
  fc.assert(
    fc.property(lengths, (given) => {
      const segments = planAssembly(given);
      for (const { how, bytes, ranges } of segments.slice(0, -1)) {
        expect(bytes).toBeGreaterThanOrEqual(S3_PART_BYTES_MIN);
        expect(bytes).toBe(ranges.reduce((sum, range) => sum + lengthOf(range), 0));
        if (how === 'join') expect(bytes).toBeLessThanOrEqual(2 * S3_PART_BYTES_MIN);
      }
    }),
  );
});

test('what the server can copy does not pass through us', () => {
  const joined = (given: readonly number[]): number =>
    planAssembly(given).reduce((sum, { how, bytes }) => sum + (how === 'join' ? bytes : 0), 0);
  expect(joined([14 * MIB, 14 * MIB, 5 * MIB, 900 * MIB])).toBe(0);
  expect(joined([14 * MIB, 14 * MIB, 3])).toBe(3);
  expect(joined([1, 900 * MIB])).toBe(5 * MIB);
});

test('grows its segments where there would be more than S3 takes', () => {
  const many = Array.from({ length: 60_000 }, () => 3 * MIB);
  const segments = planAssembly(many);
  expect(segments.length).toBeLessThanOrEqual(S3_PARTS_MAX);
  expect(segments.length).toBeGreaterThan(S3_PARTS_MAX / 3);
  expect(planAssembly([4_000 * GIB]).length).toBeLessThanOrEqual(S3_PARTS_MAX);
});

test('a part of any length fits: the pieces it is sent in grow, up to what memory allows', () => {
  let bytes = 0;
  for (let part = 1; part <= S3_PARTS_MAX; part += 1) {
    const length = partBytes(part);
    expect(length).toBeGreaterThanOrEqual(S3_PART_BYTES_MIN);
    expect(length).toBeGreaterThanOrEqual(partBytes(Math.max(1, part - 1)));
    expect(length).toBeLessThanOrEqual(64 * MIB);
    bytes += length;
  }
  expect(bytes).toBeGreaterThan(450 * GIB);
  expect(partBytes(1)).toBe(8 * MIB);
});
