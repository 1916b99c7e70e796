/** An invoice: lines of goods or services, tax by rate, what is to be paid, until when and where to. */
import { DocumentRefusal } from './document.refusal.js';
import type { InvoiceEntry } from './document.schema.js';
import type { DocumentRows, Row } from './letter.js';
import { formatted, type Labels } from './labels.js';
import {
  issuedOnOf,
  labelsOf,
  linesOf,
  type Column,
  type Content,
  type Fact,
  type Total,
} from './letter.view.js';
import { wholeOf, type Formats } from './value.format.js';

/** Columns its datasets must have; more are read where they are there. */
export const INVOICE_COLUMNS = {
  head: ['number', 'issued_on', 'currency', 'customer'],
  lines: ['description', 'quantity', 'unit_price_minor', 'amount_minor', 'tax_percent'],
} as const;

const PERCENT_SCALE = 6;

export function invoiceContent(
  entry: InvoiceEntry,
  { head, lines }: DocumentRows,
  formats: Formats,
): Content {
  const labels = labelsOf(entry);
  const number = head['number'] ?? '';
  let net = 0n;
  const rows = lines.map((line, index) => {
    net += amountOf(line);
    return {
      kind: 'line' as const,
      cells: [
        String(index + 1),
        line['description'] ?? '',
        quantityOf(line, formats),
        formats.value('money', line, 'unit_price_minor'),
        formats.value('percent', line, 'tax_percent'),
        formats.money(amountOf(line)),
      ],
      carried: formats.money(net),
    };
  });
  return {
    title: `${labels.invoice} ${number}`,
    heading: labels.invoice,
    issuedOn: issuedOnOf(head),
    recipientLabel: labels.billTo,
    recipient: [head['customer'] ?? '', ...linesOf(head, 'customer_address')],
    facts: factsOf(head, labels, formats),
    columns: columnsOf(labels),
    rows,
    totals: totalsOf(head, lines, net, labels, formats),
    payment: entry.payment,
  };
}

function columnsOf(labels: Labels): Column[] {
  const number = (label: string): Column => ({ label, align: 'end', width: 'own' });
  return [
    number('#'),
    { label: labels.description, align: 'start', width: 'rest' },
    number(labels.quantity),
    number(labels.unitPrice),
    number(labels.tax),
    number(labels.amount),
  ];
}

function factsOf(head: Row, labels: Labels, formats: Formats): Fact[] {
  const fact = (label: string, value: string): Fact[] => (value === '' ? [] : [[label, value]]);
  return [
    ...fact(labels.number, head['number'] ?? ''),
    ...fact(labels.date, formats.value('date', head, 'issued_on')),
    ...fact(labels.due, formats.value('date', head, 'due_on')),
    ...fact(labels.customer, head['customer_number'] ?? ''),
    ...fact(labels.reference, head['reference'] ?? ''),
  ];
}

function quantityOf(line: Row, formats: Formats): string {
  const quantity = formats.value('decimal', line, 'quantity');
  const unit = line['unit'] ?? '';
  return unit === '' ? quantity : `${quantity} ${unit}`;
}

function amountOf(line: Row): bigint {
  return wholeOf(line['amount_minor'] ?? '', 'amount_minor');
}

/** Tax is of each rate's sum, rounded once, half away from zero (EN 16931, BR-CO-17). */
function totalsOf(head: Row, lines: readonly Row[], net: bigint, labels: Labels, formats: Formats): Total[] {
  const byRate = Map.groupBy(lines, (line) => plainPercent(line['tax_percent'] ?? '0'));
  const taxes = [...byRate]
    .map(([rate, taxed]) => {
      const sum = taxed.reduce((total, line) => total + amountOf(line), 0n);
      return { rate, sum, tax: taxOf(sum, rate) };
    })
    .sort((a, b) => Number(b.rate) - Number(a.rate));
  const total = taxes.reduce((sum, { tax }) => sum + tax, net);
  const stated = head['total_minor'] ?? null;
  if (stated !== null && wholeOf(stated, 'total_minor') !== total) {
    throw new DocumentRefusal(
      'totals_differ',
      'The lines and their tax come to another total than the head\'s "total_minor". Mend the rows, and raise the version.',
    );
  }
  return [
    { label: labels.net, value: formats.money(net), strong: false },
    ...taxes.map(({ rate, sum, tax }) => ({
      label: formatted(labels.taxOf, {
        rate: formats.value('percent', { tax_percent: rate }, 'tax_percent'),
        net: formats.money(sum),
      }),
      value: formats.money(tax),
      strong: false,
    })),
    { label: labels.total, value: formats.money(total), strong: true },
  ];
}

/** `24.00` and `24` are one rate. */
function plainPercent(percent: string): string {
  return percent.includes('.') ? percent.replace(/\.?0+$/, '') : percent;
}

function taxOf(sum: bigint, percent: string): bigint {
  const [whole = '0', fraction = ''] = percent.split('.');
  if (fraction.length > PERCENT_SCALE) {
    throw new DocumentRefusal(
      'value_unreadable',
      `A tax of ${percent}% has more than ${PERCENT_SCALE} decimals.`,
    );
  }
  const scaled = wholeOf(`${whole}${fraction.padEnd(PERCENT_SCALE, '0')}`, 'tax_percent');
  const divisor = 100n * 10n ** BigInt(PERCENT_SCALE);
  const product = sum * scaled;
  const half = product < 0n ? -divisor / 2n : divisor / 2n;
  return (product + half) / divisor;
}
