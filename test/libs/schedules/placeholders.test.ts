import { expect, test } from 'vitest';
import { fillPlaceholders, unknownPlaceholders } from '../../../libs/schedules/placeholders.js';

const time = { scheduledAt: new Date('2026-12-31T23:30:00.000Z'), timeZone: 'Europe/Berlin' };

test('dates are those of the schedule’s zone, times of the whole world', () => {
  const input = { a: 'of {{date}}', b: ['{{ month }}', 7, null], c: { d: '{{scheduledAt}}' } };
  expect(fillPlaceholders(input, time)).toEqual({
    a: 'of 2027-01-01',
    b: ['2027-01', 7, null],
    c: { d: '2026-12-31T23:30:00.000Z' },
  });
});

test('seconds are a number where they are the whole text, so that they can be a version', () => {
  expect(fillPlaceholders({ version: '{{unixSeconds}}', name: 'v{{unixSeconds}}' }, time)).toEqual({
    version: 1_798_759_800,
    name: 'v1798759800',
  });
});

test('names that are none stay, and are told of where they stand', () => {
  const input = { 'a/b': ['{{now}} {{date}}'], toString: '{{toString}}' };
  expect(fillPlaceholders('{{now}}', time)).toBe('{{now}}');
  expect(unknownPlaceholders(input, '/input')).toEqual([
    { pointer: '/input/a~1b/0', name: 'now' },
    { pointer: '/input/toString', name: 'toString' },
  ]);
});

test('braces before a hundred thousand spaces are read in one go', () => {
  const text = `{{${' '.repeat(100_000)}`;
  expect(unknownPlaceholders(text)).toEqual([]);
  expect(fillPlaceholders(`${text}date }}`, time)).toBe('2027-01-01');
});
