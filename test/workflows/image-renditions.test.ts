/** What a set of renditions may be. */
import { describe, expect, test } from 'vitest';
import { ImageRenditionsInput, imageRenditions } from '../../workflows/image-renditions.job.js';

const { example } = imageRenditions;
const [source = ''] = example.sources;
const wish = { name: 'a', width: 100, format: 'webp' } as const;

const problemsOf = (change: object): string[] => {
  const parsed = ImageRenditionsInput.safeParse({ ...example, ...change });
  return parsed.success
    ? []
    : parsed.error.issues.map(({ path, message }) => `${path.join('/')}: ${message}`);
};

describe('a set is refused', () => {
  test.each<[string, object, string]>([
    ['without any side', { renditions: [{ name: 'a', format: 'webp' }] }, 'give width, height or both'],
    [
      'that cuts to one side',
      { renditions: [{ ...wish, fit: 'cover' }] },
      'renditions/0/fit: this fit needs',
    ],
    ['with two of one name', { renditions: [wish, wish] }, 'a name of its own'],
    [
      'of too many pixels',
      { renditions: Array.from({ length: 8 }, (_, i) => ({ ...wish, name: `a${i}`, width: 4_096 })) },
      'together',
    ],
    ['with a name that is a path', { renditions: [{ ...wish, name: '../x' }] }, 'short name'],
    ['with an unknown option', { renditions: [{ ...wish, blur: 3 }] }, 'Unrecognized key'],
    ['of one source twice', { sources: [source, source] }, 'name each upload once'],
    [
      'of 101 sources',
      { sources: Array.from({ length: 101 }, (_, i) => source.slice(0, -3) + String(100 + i)) },
      '<=100',
    ],
  ])('%s', (_, change, expected) => {
    expect(problemsOf(change).join('\n')).toContain(expected);
  });
});

test('the natural key is all that changes the files, in the order it was given', () => {
  const keyOf = (change: object) =>
    imageRenditions.naturalKey?.(ImageRenditionsInput.parse({ ...example, ...change }));
  expect(keyOf({ renditions: [{ ...wish, fit: 'inside', enlarge: false }] })).toEqual(
    keyOf({ renditions: [wish] }),
  );
  expect(keyOf({ renditions: [{ ...wish, quality: 81 }] })).not.toEqual(keyOf({ renditions: [wish] }));
  expect(keyOf({ sources: [source.replace(/.$/, '7')] })).not.toEqual(keyOf({}));
});
