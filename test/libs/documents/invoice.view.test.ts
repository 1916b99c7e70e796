/** Sums, tax and formats of an invoice; what is refused. */
import { describe, expect, test } from 'vitest';
import { createFormats } from '../../../libs/documents/value.format.js';
import type { Row } from '../../../libs/documents/letter.js';
import { invoiceRows } from './rows.js';
import { letterFor } from './setup.js';

interface View {
  readonly totals: { readonly label: string; readonly value: string }[];
  readonly rows: { readonly cells: string[]; readonly carried: string }[];
}

const line = (amount: string, tax: string): Row => ({
  description: 'x',
  quantity: '1.5',
  unit: 'h',
  unit_price_minor: amount,
  amount_minor: amount,
  tax_percent: tax,
});

function viewOf(lines: readonly Row[], head: Row = {}, change: object = {}): View {
  const rows = invoiceRows(0);
  return letterFor({ ...rows, head: { ...rows.head, ...head }, lines }, change).view as View;
}

const totals = (...args: Parameters<typeof viewOf>): string[] =>
  viewOf(...args).totals.map(({ label, value }) => `${label}: ${value}`);

describe('sums', () => {
  test('tax is of each rate’s sum, rounded half away from zero, once', () => {
    // 24% of 0.10 three times would be 0.02 each; of 0.30 it is 0.07.
    expect(totals([line('10', '24'), line('10', '24.00'), line('10', '24.0'), line('1000', '13')])).toEqual([
      'Net: €10.30',
      'VAT 24% on €0.30: €0.07',
      'VAT 13% on €10.00: €1.30',
      'Total: €11.67',
    ]);
    expect(totals([line('-250', '10'), line('245', '10')])).toContain('VAT 10% on -€0.05: -€0.01');
  });

  test('stay exact where a double would not', () => {
    expect(totals([line('900719925474099301', '0')])).toContain('Net: €9,007,199,254,740,993.01');
  });

  test('a head that says another total is refused; one that says the same is not', () => {
    expect(totals([line('1000', '24')], { total_minor: '1240' })).toContain('Total: €12.40');
    expect(() => totals([line('1000', '24')], { total_minor: '1241' })).toThrow(/another total/);
  });

  test.each([
    ['JPY', 'Total: JP¥1,240'],
    ['KWD', 'Total: KWD 1.240'],
    ['EUR', 'Total: €12.40'],
  ])('%s has its own number of digits', (currency, total) => {
    expect(totals([line('1000', '24')], { currency }).map((text) => text.replace(/\s/g, ' '))).toContain(
      total,
    );
  });
});

describe('words and numbers', () => {
  test('are written as the language and region have them', () => {
    const view = viewOf([line('123456', '7.5')], {}, { language: 'de', region: 'DE' });
    expect(view.totals.at(-1)?.label).toBe('Gesamtbetrag');
    expect(view.rows[0]?.cells.map((cell) => cell.replace(/\s/g, ' '))).toEqual([
      ...['1', 'x', '1,5 h', '1.234,56 €', '7,5 %', '1.234,56 €'],
    ]);
  });

  test('may be the operator’s own', () => {
    expect(viewOf([line('1', '0')], {}, { labels: { total: 'Amount due' } }).totals.at(-1)?.label).toBe(
      'Amount due',
    );
  });

  test('dates are days, wherever the worker is', () => {
    const formats = createFormats({ language: 'en', region: 'GB', currency: undefined });
    expect(formats.value('date', { at: '2026-03-31' }, 'at')).toBe('31 March 2026');
    expect(formats.value('date', { at: '2026-01-01 00:00:00+00' }, 'at')).toBe('1 January 2026');
  });
});

describe('a value that is not what it should be names its column, and is not told', () => {
  test.each([
    ['amount_minor', '12.50', /whole number in column "amount_minor"/],
    ['tax_percent', 'much', /in column "tax_percent"/],
    ['quantity', 'NaN', /a number in column "quantity"/],
  ])('%s', (column, value, expected) => {
    const read = (): unknown => viewOf([{ ...line('1', '1'), [column]: value }]);
    expect(read).toThrow(expected);
    expect(read).not.toThrow(value);
  });

  test('a currency that is none, and one that is missing', () => {
    expect(() => viewOf([], { currency: 'euros' })).toThrow(/three letters/);
    expect(() => viewOf([], { currency: null })).toThrow(/no column "currency"/);
  });
});
