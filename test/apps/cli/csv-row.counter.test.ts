import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createCsvRowCounter } from '../../../apps/cli/csv-row.counter.js';

function count(text: string, sizes: readonly number[] = []): number {
  const bytes = Buffer.from(text);
  const counter = createCsvRowCounter();
  let at = 0;
  for (const size of sizes) {
    counter.push(bytes.subarray(at, at + size));
    at += size;
  }
  counter.push(bytes.subarray(at));
  return counter.rows();
}

const quote = (field: string): string =>
  /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;

it.each([
  ['', 0],
  ['a,b\n', 0],
  ['a,b', 0],
  ['a,b\n1,2\n', 1],
  ['a,b\n1,2', 1],
  ['a,b\r\n1,2\r\n3,4\r\n', 2],
  ['a\n"one\ntwo"\n', 1],
  ['a\n"say ""hi""\n"\n', 1],
  ['a\n\n\n', 2],
])('counts %j as %i rows', (text, rows) => {
  expect(count(text)).toBe(rows);
});

it('counts the same wherever chunks end: inside quotes, between two quotes, within a character', () => {
  const field = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', 'é', '😀') });
  fc.assert(
    fc.property(
      fc.array(fc.array(field, { minLength: 2, maxLength: 4 }), { maxLength: 8 }),
      fc.constantFrom('\n', '\r\n'),
      fc.boolean(),
      fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 60 }),
      (rows, eol, lastLineEnds, sizes) => {
        const lines = [['head', 'er'], ...rows].map((fields) => fields.map(quote).join(','));
        const text = lines.join(eol) + (lastLineEnds ? eol : '');
        expect(count(text, sizes)).toBe(rows.length);
      },
    ),
  );
});
