import { expect, test } from 'vitest';
import { z } from 'zod';
import { check } from '../../../apps/api/http/validate.js';

const schema = z.strictObject({
  count: z.int().positive(),
  format: z.enum(['csv', 'xlsx']),
  where: z.record(z.string(), z.union([z.string(), z.number(), z.array(z.string())])).optional(),
  kind: z.literal('export').optional(),
  text: z
    .string()
    .refine((text) => text !== 'no', 'must not be no')
    .optional(),
});
const good = { count: 1, format: 'csv' };

test.each([
  [
    'what is missing',
    {},
    { '/count': 'missing: expected number', '/format': 'missing: expected one of "csv", "xlsx"' },
  ],
  ['whole numbers', { ...good, count: 1.5 }, { '/count': 'expected a whole number' }],
  [
    'a number that is text',
    { ...good, count: '1' },
    { '/count': 'Invalid input: expected number, received string' },
  ],
  ['a choice', { ...good, format: 'pdf' }, { '/format': 'expected one of "csv", "xlsx"' }],
  ['alternatives', { ...good, where: { a: true } }, { '/where/a': 'expected string or number or array' }],
  ['a list for an object', { ...good, where: [] }, { '/where': 'expected object' }],
  ['a field that is not ours', { ...good, 'a/b': 1 }, { '/a~1b': 'unknown field' }],
  ['a rule with words of its own', { ...good, text: 'no' }, { '/text': 'must not be no' }],
])('of %s an error says what was expected, and where', (_, value, errors) => {
  const checked = check(schema, value);
  expect(
    checked.ok ? {} : Object.fromEntries(checked.errors.map(({ pointer, detail }) => [pointer, detail])),
  ).toEqual(errors);
});
