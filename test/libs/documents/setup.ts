/** An operator's file with an invoice and a statement, and letters made of rows given. */
import { parseDatasets } from '../../../libs/datasets/datasets.js';
import { writeLetter } from '../../../libs/documents/document.js';
import { parseDocumentTemplates, type DocumentTemplate } from '../../../libs/documents/document-templates.js';
import layOut from '../../../libs/documents/layout.thread.js';
import type { DocumentRows, LaidOut, LayoutOutcome, Letter } from '../../../libs/documents/letter.js';
import { extractText, getDocumentProxy } from 'unpdf';

const dataset = (...columns: string[]) => ({
  source: 'SOURCE_URL',
  tenants: ['acme'],
  query: 'select :object, :version',
  key: columns[0],
  columns: Object.fromEntries(columns.map((column) => [column, 'text'])),
  parameters: { object: { type: 'text' }, version: { type: 'integer' } },
});

export const INVOICE = {
  layout: 'invoice',
  tenants: ['acme'],
  head: 'heads',
  lines: 'lines',
  figure: { dataset: 'bars', caption: 'Billed by month', format: 'money' },
  region: 'IE',
  issuer: { name: 'Saronic Freight', footer: ['VAT EL094019245'] },
  payment: [['IBAN', 'GR16 0110 1250 0000 0001 2300 695']],
};

export const STATEMENT = {
  layout: 'statement',
  tenants: ['acme'],
  head: 'months',
  lines: 'days',
  heading: 'Statement',
  issuer: { name: 'Saronic Freight' },
  columns: [
    { column: 'day', label: 'Day', format: 'date' },
    { column: 'port', label: 'Port' },
    { column: 'calls', label: 'Calls', format: 'integer', total: true },
  ],
  group: 'day',
};

export const DATASETS = parseDatasets({
  datasets: {
    heads: dataset(
      'number',
      'issued_on',
      'due_on',
      'currency',
      'customer',
      'customer_address',
      'total_minor',
    ),
    lines: dataset(
      'line',
      'description',
      'quantity',
      'unit',
      'unit_price_minor',
      'amount_minor',
      'tax_percent',
    ),
    bars: dataset('label', 'value'),
    months: dataset('subject', 'issued_on'),
    days: dataset('line', 'day', 'port', 'calls'),
    elsewhere: { ...dataset('label', 'value'), source: 'OTHER_URL' },
    plain: { ...dataset('line', 'description'), query: 'select 1', parameters: {} },
  },
});

/** A template as an operator would write it, `change`d. */
export function templateOf(entry: object, change: object = {}): DocumentTemplate {
  const templates = parseDocumentTemplates({ one: { ...entry, ...change } }, DATASETS);
  const template = templates.find('one', { name: 'acme' });
  if (!template) throw new Error('there is no template');
  return template;
}

export function letterFor(rows: DocumentRows, change: object = {}, entry: object = INVOICE): Letter {
  return writeLetter(templateOf(entry, change), rows);
}

export function outcomeOf(letter: Letter): LayoutOutcome {
  return layOut({ ...letter, fontFolder: undefined });
}

export function laidOut(letter: Letter): LaidOut {
  const outcome = outcomeOf(letter);
  if ('refused' in outcome) throw new Error(outcome.refused.message);
  return outcome;
}

/** The text of each page, as a reader's program finds it. */
export async function pagesOf(pdf: Uint8Array): Promise<string[]> {
  const { text } = await extractText(await getDocumentProxy(new Uint8Array(pdf)));
  return text;
}
