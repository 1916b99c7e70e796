import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { acceptanceChecks } from '../../../libs/datasets/acceptance.js';
import { COLUMN_TYPES, isOfType, type ColumnType } from '../../../libs/datasets/column-type.js';
import { parseDatasets } from '../../../libs/datasets/datasets.js';
import { parseDocumentTemplates } from '../../../libs/documents/document-templates.js';

const datasets = parseDatasets({
  datasets: {
    people: {
      source: 'SOURCE_URL',
      tenants: ['acme'],
      query: 'select * from people where born > :since',
      key: 'id',
      columns: { id: 'bigint', name: 'text', born: 'date' },
      filters: { id: ['gte', 'in'], born: ['lt', 'isNull'] },
      orders: ['born'],
      parameters: { since: { type: 'date', default: '1900-01-01' }, until: { type: 'date' } },
    },
  },
});
const documents = parseDocumentTemplates({}, datasets);
const context = { tenantId: '0190b2f0-0000-7000-8000-000000000000', tenantName: 'acme', datasets, documents };
const check = (input: object, tenantName = 'acme') =>
  acceptanceChecks['report.export']?.(
    { dataset: 'people', parameters: { until: '2000-01-01' }, ...input },
    { ...context, tenantName },
  );

test('lets through what the dataset allows', () => {
  expect(
    check({
      columns: ['name', 'id'],
      filter: { id: { gte: 5, in: [1, '9223372036854775807'] }, born: { lt: '2001-02-28', isNull: false } },
      order: { column: 'born', direction: 'desc' },
    }),
  ).toEqual([]);
  expect(check({ order: { column: 'id', direction: 'asc' } })).toEqual([]);
});

describe('points at what it refuses', () => {
  test.each([
    [{ dataset: 'nobody' }, '/input/dataset'],
    [{ columns: ['id', 'age'] }, '/input/columns/1'],
    [{ filter: { age: { eq: 1 } } }, '/input/filter/age'],
    [{ filter: { name: { eq: 'x' } } }, '/input/filter/name'],
    [{ filter: { id: { eq: 1 } } }, '/input/filter/id/eq'],
    [{ filter: { id: { gte: 'x' } } }, '/input/filter/id/gte'],
    [{ filter: { id: { in: [1, 1.5] } } }, '/input/filter/id/in/1'],
    [{ filter: { born: { lt: '2001-02-29' } } }, '/input/filter/born/lt'],
    [{ parameters: { until: 5 } }, '/input/parameters/until'],
    [{ parameters: {} }, '/input/parameters/until'],
    [{ parameters: { until: '2000-01-01', colour: 'red' } }, '/input/parameters/colour'],
    [{ order: { column: 'name', direction: 'asc' } }, '/input/order/column'],
    [{ filter: { constructor: { eq: 1 } } }, '/input/filter/constructor'],
  ])('%j', (input, pointer) => {
    expect(check(input)?.map((problem) => problem.pointer)).toEqual([pointer]);
  });
});

test('answers the same for a dataset of others as for none', () => {
  expect(check({}, 'globex')).toEqual([
    { pointer: '/input/dataset', detail: 'There is no dataset "people".' },
  ]);
});

test('names every problem at once', () => {
  expect(
    check({ columns: ['age'], filter: { id: { gte: true } }, order: { column: 'x', direction: 'asc' } }),
  ).toHaveLength(3);
});

describe('types', () => {
  test.each<[ColumnType, unknown[], unknown[]]>([
    ['smallint', [32767, -32768, '5'], [32768, 1.5, '', 'x', true]],
    ['integer', [2147483647], [2147483648, '1e3', ' 1']],
    ['bigint', ['-9223372036854775808', 0], ['9223372036854775808', 2 ** 53]],
    ['numeric', ['123.456', -1, 1e21], ['1e5', 'NaN', '.', Infinity]],
    ['double', [1.5, '2'], ['NaN', NaN, '1,5']],
    ['boolean', [true, false], ['true', 1]],
    ['text', ['', '’; drop', '\u{1F600}'], ['a\0b', 1]],
    ['date', ['2024-02-29', '0001-01-01'], ['2023-02-29', '2024-13-01', '0000-01-01', '2024-1-1', 20240101]],
    [
      'timestamp',
      ['2024-02-29', '2024-02-29T23:59:59.999999', '2024-02-29 08:00'],
      ['2024-02-29T24:00', 'now'],
    ],
    [
      'timestamptz',
      ['2024-02-29T08:00:00Z', '2024-02-29T08:00+05:30'],
      ['2024-02-29T08:00:00', '2024-02-29'],
    ],
    ['time', ['08:00', '23:59:59'], ['24:00', '8:00', 'allballs']],
    ['uuid', ['0190b2f0-0000-7000-8000-000000000000'], ['0190b2f0']],
  ])('%s', (type, good, bad) => {
    expect(good.filter((value) => !isOfType(type, value as string))).toEqual([]);
    expect(bad.filter((value) => isOfType(type, value as string))).toEqual([]);
  });

  test('answer every value of JSON without throwing', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...COLUMN_TYPES),
        fc.oneof(fc.string({ unit: 'binary' }), fc.double(), fc.integer(), fc.boolean()),
        (type, value) => typeof isOfType(type, value) === 'boolean',
      ),
    );
  });
});
