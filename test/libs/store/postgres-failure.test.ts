import pg from 'pg';
import { expect, test } from 'vitest';
import { Denied, Rejected, Transient } from '../../../libs/saga/failure.js';
import { postgresVerdict, toStepFailure } from '../../../libs/store/postgres-failure.js';

const withCode = (code: string): Error => Object.assign(new pg.DatabaseError('no', 2, 'error'), { code });

test.each([
  ['40001', 'retryable'],
  ['40P01', 'retryable'],
  ['53300', 'retryable'],
  ['55P03', 'retryable'],
  ['57P03', 'retryable'],
  ['25006', 'retryable'],
  ['57014', 'retryable'],
  ['ECONNREFUSED', 'retryable'],
  ['57P01', 'unknown'],
  ['08006', 'unknown'],
  ['ECONNRESET', 'unknown'],
  ['22P02', 'rejected'],
  ['23505', 'rejected'],
  ['42P01', 'bug'],
  ['42501', 'bug'],
  ['28P01', 'bug'],
  ['3D000', 'bug'],
  ['XX000', 'bug'],
] as const)('%s is %s', (code, verdict) => {
  expect(postgresVerdict(withCode(code))).toBe(verdict);
});

test('knows a connection that broke under a query', () => {
  expect(postgresVerdict(new Error('Connection terminated unexpectedly'))).toBe('unknown');
  expect(postgresVerdict(new Error('Query read timeout'))).toBe('unknown');
  expect(postgresVerdict(new AggregateError([withCode('ECONNREFUSED')]))).toBe('retryable');
});

test('leaves alone what is not PostgreSQL’s', () => {
  const bug = new TypeError('x is not a function');
  expect(postgresVerdict(bug)).toBeUndefined();
  expect(toStepFailure(bug, 'Reading', 'no')).toBe(bug);
});

test('becomes a step’s failure with the certainty of who asks', () => {
  expect(toStepFailure(withCode('57P01'), 'Reading', 'no')).toMatchObject({ certainty: 'no' });
  expect(toStepFailure(withCode('57P01'), 'Writing', 'unknown')).toMatchObject({ certainty: 'unknown' });
  expect(toStepFailure(withCode('40001'), 'Writing', 'unknown')).toMatchObject({ certainty: 'no' });
  expect(toStepFailure(withCode('22012'), 'Reading', 'no')).toBeInstanceOf(Rejected);
  expect(toStepFailure(withCode('42P01'), 'Reading', 'no')).toBeInstanceOf(Denied);
  expect(toStepFailure(withCode('53300'), 'Reading', 'no')).toBeInstanceOf(Transient);
});
