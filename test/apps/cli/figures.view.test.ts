import { expect, it } from 'vitest';
import { formatAge, formatBytes, formatCount, formatDuration } from '../../../apps/cli/figures.view.js';

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [182_400_000, '182.4 MB'],
  [999_999_999, '1.0 GB'],
])('writes %i bytes as %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

it.each([
  [0.42, '0.4 ms'],
  [38.4, '38 ms'],
  [1_234, '1.2 s'],
  [59_960, '1 min 0 s'],
  [119_700, '2 min 0 s'],
  [3_720_000, '1 h 2 min'],
])('writes %d ms as %s', (ms, text) => expect(formatDuration(ms)).toBe(text));

it.each([
  [900, '0 s'],
  [61_000, '1 min'],
  [7_200_000, '2 h'],
  [200_000_000, '2 d'],
  [-5, '0 s'],
])('writes an age of %i ms as %s', (ms, text) => expect(formatAge(ms)).toBe(text));

it('groups thousands', () => expect(formatCount(3_000_000)).toBe('3,000,000'));
