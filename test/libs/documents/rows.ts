/** Rows of an invoice, as a source database would answer them. */
import type { DocumentRows } from '../../../libs/documents/letter.js';

export function invoiceRows(lines: number): DocumentRows {
  return {
    head: {
      number: 'INV-2026-0042',
      issued_on: '2026-03-31',
      due_on: '2026-04-30',
      currency: 'EUR',
      customer: '株式会社 東京海運',
      customer_address: '〒105-0011 東京都港区芝公園4-2-8\nJapan',
      customer_number: 'C-2041',
      reference: 'PO 77/Σ-118',
      total_minor: null,
    },
    lines: Array.from({ length: lines }, (_, index) => ({
      line: String(index + 1),
      description: DESCRIPTIONS[index % DESCRIPTIONS.length] ?? '',
      quantity: String(1 + (index % 7)),
      unit: '',
      unit_price_minor: String(12_50 * (1 + (index % 3))),
      amount_minor: String(12_50 * (1 + (index % 3)) * (1 + (index % 7))),
      tax_percent: index % 5 === 4 ? '13' : '24.00',
    })),
    figure: ['Oct', 'Nov', 'Dec', 'Jan', 'Feb', 'Mar'].map((label, index) => ({
      label,
      value: String(120_000 + 35_000 * ((index * 5) % 4)),
    })),
  };
}

const DESCRIPTIONS = [
  'Container handling, 20 ft',
  'Lagerung · Хранение · 保管',
  'תיווך מכס – נמל חיפה',
  'التخليص الجمركي في ميناء بيرايوس',
  'Φορτοεκφόρτωση και ζύγιση',
];
