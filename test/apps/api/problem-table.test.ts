import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { isDatabaseAway, isDatabaseBusy } from '../../../apps/api/problems/database-errors.js';
import { problemTable, renderErrorsDocument } from '../../../apps/api/problems/problem.table.js';

test('docs/errors.md says what the code says; scripts/write-errors-document.ts writes it', async () => {
  expect(await readFile(new URL('../../../docs/errors.md', import.meta.url), 'utf8')).toBe(
    renderErrorsDocument(),
  );
});

test('every code is snake_case, with an HTTP error status', () => {
  for (const [code, { status }] of Object.entries(problemTable)) {
    expect(code).toMatch(/^[a-z]+(?:_[a-z]+)*$/);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(
      status < 500 || ['internal_error', 'database_unavailable', 'store_unavailable'].includes(code),
    ).toBe(true);
  }
});

describe('a database error', () => {
  const withCode = (code: string): Error => Object.assign(new Error('x'), { code });

  test.each(['ECONNREFUSED', 'ECONNRESET', '57P01', '57P03', '53300', '08006', '25006'])(
    '%s means away',
    (code) => {
      expect(isDatabaseAway(withCode(code))).toBe(true);
      expect(isDatabaseBusy(withCode(code))).toBe(false);
    },
  );

  test.each(['55P03', '40P01', '40001'])('%s means busy', (code) => {
    expect([isDatabaseAway(withCode(code)), isDatabaseBusy(withCode(code))]).toEqual([false, true]);
  });

  test('without a code is known by the driver’s words; anything else is neither', () => {
    expect(isDatabaseAway(new Error('timeout exceeded when trying to connect'))).toBe(true);
    expect(isDatabaseAway(new Error('Connection terminated unexpectedly'))).toBe(true);
    expect(isDatabaseAway(new AggregateError([withCode('ECONNREFUSED')]))).toBe(true);
    for (const error of [
      withCode('22P05'),
      withCode('42501'),
      new TypeError('x is undefined'),
      'text',
      undefined,
    ]) {
      expect([isDatabaseAway(error), isDatabaseBusy(error)]).toEqual([false, false]);
    }
  });
});
