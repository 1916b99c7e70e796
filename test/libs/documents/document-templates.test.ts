/** What an operator may write about documents, and how mistakes are told: all at once, each where it is. */
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { loadDatasets } from '../../../libs/datasets/datasets.js';
import { loadDocumentTemplates, parseDocumentTemplates } from '../../../libs/documents/document-templates.js';
import { DATASETS, INVOICE, STATEMENT } from './setup.js';

const parse = (entry: object, read?: (name: string) => Uint8Array) =>
  parseDocumentTemplates({ one: entry }, DATASETS, read);

describe('a template', () => {
  test('is found by the tenants it names, if its datasets are theirs', () => {
    const templates = parse({ ...INVOICE, tenants: ['acme', 'globex'] });
    expect(templates.find('one', { name: 'acme' })?.head.name).toBe('heads');
    expect(templates.find('one', { name: 'globex' })).toBeUndefined();
    expect(templates.find('two', { name: 'acme' })).toBeUndefined();
    expect(parse({ ...INVOICE, tenants: ['globex'] }).find('one', { name: 'acme' })).toBeUndefined();
  });

  test.each([
    [
      'a dataset that is not there',
      { ...INVOICE, lines: 'ghosts' },
      /one\.lines: there is no dataset "ghosts"/,
    ],
    [
      'columns that lack',
      { ...INVOICE, head: 'months' },
      /one\.head: .*lacks the columns number, currency, customer/,
    ],
    ['a dataset that cannot be asked', { ...INVOICE, lines: 'plain' }, /needs the parameter "object"/],
    [
      'two databases',
      { ...INVOICE, figure: { ...INVOICE.figure, dataset: 'elsewhere' } },
      /different sources/,
    ],
    ['a column of the table', { ...STATEMENT, group: 'hour' }, /one\.lines: .*lacks the columns hour/],
    ['an unknown field', { ...INVOICE, colour: 'red' }, /documents\.one: .*colour/],
    ['another layout', { ...INVOICE, layout: 'poem' }, /documents\.one\.layout/],
    [
      'a logo of another type',
      { ...INVOICE, issuer: { name: 'x', logo: 'logo.tiff' } },
      /must be an \.svg or a \.png/,
    ],
    ['a logo that is not there', { ...INVOICE, issuer: { name: 'x', logo: 'logo.svg' } }, /cannot be read/],
  ])('%s is told', (_, entry, expected) => {
    expect(() => parse(entry)).toThrow(expected);
  });

  test('all mistakes are told at once', () => {
    expect(() => parse({ ...INVOICE, head: 'ghosts', lines: 'plain' })).toThrow(
      /ghosts[\s\S]*lacks[\s\S]*needs/,
    );
  });
});

test('the file that comes with the embedded stack is right', () => {
  const file = fileURLToPath(new URL('../../../deploy/datasets.json', import.meta.url));
  const templates = loadDocumentTemplates(file, loadDatasets(file));
  expect(templates.find('invoice', { name: 'demo' })?.logo?.name).toBe('logo.svg');
  expect(templates.find('airport-statement', { name: 'demo' })?.figure?.name).toBe('airport-day-counts');
});
