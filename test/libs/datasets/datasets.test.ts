import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { loadDatasets, parseDatasets } from '../../../libs/datasets/datasets.js';
import { openSources } from '../../../libs/datasets/sources.js';

const entry = {
  source: 'SOURCE_URL',
  tenants: ['acme'],
  query: 'select id, name from people where tenant = :tenant and born > :since',
  key: 'id',
  columns: { id: 'bigint', name: 'text' },
  filters: { name: ['eq'] },
  orders: ['name'],
  parameters: { since: { type: 'date' } },
};
const file = (change: object) => ({ datasets: { people: { ...entry, ...change } } });

test('finds a dataset for the tenants that may use it only', () => {
  const datasets = parseDatasets(file({}));
  expect(datasets.find('people', { name: 'acme' })?.keyType).toBe('bigint');
  expect(datasets.find('people', { name: 'globex' })).toBeUndefined();
  expect(datasets.find('nobody', { name: 'acme' })).toBeUndefined();
  expect(parseDatasets(file({ tenants: ['*'] })).find('people', { name: 'globex' })).toBeDefined();
  expect(datasets.sources).toEqual(['SOURCE_URL']);
});

test('knows no dataset without a file', () => {
  expect(loadDatasets(undefined).find('people', { name: 'acme' })).toBeUndefined();
});

test('takes the file of the embedded stack', () => {
  const datasets = loadDatasets(fileURLToPath(new URL('../../../deploy/datasets.json', import.meta.url)));
  expect(datasets.find('flights', { name: 'anyone' })?.key).toBe('flight_id');
  expect(datasets.find('birdstrikes', { name: 'anyone' })?.key).toBe('strike_id');
});

describe('a wrong entry is refused at boot, by its name', () => {
  test.each([
    [{ key: 'idd' }, 'datasets.people.key: "idd" is not among its columns (id, name)'],
    [{ filters: { age: ['eq'] } }, 'datasets.people.filters.age: is not among its columns'],
    [{ filters: { name: ['like'] } }, 'datasets.people.filters.name.0'],
    [{ orders: ['age'] }, 'datasets.people.orders: "age" is not among'],
    [{ columns: { id: 'int8' } }, 'datasets.people.columns.id'],
    [{ source: 'postgres://x' }, 'datasets.people.source: must be the name of an environment variable'],
    [{ query: 'select :who' }, 'datasets.people.query: :who is neither'],
    [{ query: 'select 1; drop table people' }, 'datasets.people.query: must be one statement'],
    [{ query: 'delete from people' }, 'datasets.people.query: must be one SELECT'],
    [
      { parameters: { since: { type: 'date', default: 'soon' } } },
      'datasets.people.parameters.since.default: must be a date',
    ],
    [
      { parameters: { since: { type: 'date' }, tenant: { type: 'uuid' } } },
      'datasets.people.parameters.tenant',
    ],
    [{ colour: 'red' }, 'datasets.people: Unrecognized key'],
  ])('%j', (change, message) => {
    expect(() => parseDatasets(file(change))).toThrow(message);
  });
});

test('names the file when it cannot be read or parsed', () => {
  expect(() => loadDatasets('/nowhere/datasets.json')).toThrow('/nowhere/datasets.json (LONGHAUL_DATASETS)');
  const folder = mkdtempSync(join(tmpdir(), 'longhaul-datasets-'));
  try {
    writeFileSync(join(folder, 'datasets.json'), '{"datasets":');
    expect(() => loadDatasets(join(folder, 'datasets.json'))).toThrow('cannot be used');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('names the sources whose variables are not set', () => {
  expect(() => openSources(parseDatasets(file({})), {})).toThrow('SOURCE_URL');
});
