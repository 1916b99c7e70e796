import { describe, expect, it } from 'vitest';
import { answerFailure, unreadableAnswer } from '../../../libs/http/http-failure.js';
import { RETRY_AFTER_MAX_MS, retryAfterMsOf } from '../../../libs/http/retry-after.js';
import { toFailure } from '../../../libs/saga/failure.js';

const NOW = Date.UTC(2026, 0, 5, 12, 0, 0);
const failureOf = (status: number, retryAfter?: string) =>
  toFailure(answerFailure({ status, retryAfter }, 'The transfer', { nowMs: NOW }), 'no');

describe('an answer', () => {
  it.each([400, 402, 404, 405, 410, 412, 413, 415, 422, 451])('%i is a business no', (status) => {
    expect(failureOf(status)).toMatchObject({ class: 'rejected', certainty: 'no', code: `http_${status}` });
  });

  it.each([401, 403, 407])('%i is nobody’s business answer', (status) => {
    expect(failureOf(status)).toMatchObject({ class: 'bug', certainty: 'no' });
  });

  it.each([425, 429])('%i certainly did nothing, and may be tried again', (status) => {
    expect(failureOf(status)).toMatchObject({ class: 'transient', certainty: 'no' });
  });

  it.each([408, 409, 500, 501, 502, 503, 504, 529, 599])('%i leaves it in doubt', (status) => {
    expect(failureOf(status)).toMatchObject({ class: 'transient', certainty: 'unknown' });
  });

  it.each([301, 307, 308])('%i, an address that moved, parks instead of being followed', (status) => {
    const failure = failureOf(status);
    expect(failure).toMatchObject({ class: 'bug', certainty: 'no' });
    expect(failure.message).toContain('redirects are not followed');
  });

  it.each([204, 302, 303, 304])('%i, which nobody declared, leaves it in doubt', (status) => {
    expect(failureOf(status)).toMatchObject({ class: 'transient', certainty: 'unknown' });
  });

  it('is named by the provider’s own word, where there is one', () => {
    const answer = { status: 422, code: 'insufficient_funds', detail: 'The balance is 3.00 EUR' };
    expect(toFailure(answerFailure(answer, 'The transfer'), 'no')).toMatchObject({
      code: 'insufficient_funds',
      message: 'The transfer was answered 422 insufficient_funds: The balance is 3.00 EUR',
    });
  });

  it.each([409, 429, 503])('%i carries how long to wait', (status) => {
    expect(failureOf(status, '7')).toMatchObject({ retryAfterMs: 7_000 });
    expect(failureOf(status)).not.toHaveProperty('retryAfterMs');
  });

  it('to a request that only reads leaves no doubt', () => {
    const certain = { whenUnknown: 'no' } as const;
    const answered = answerFailure({ status: 503 }, 'The probe', certain);
    expect(answered).toMatchObject({ failureClass: 'transient', certainty: 'no' });
    expect(unreadableAnswer('The probe', 'nonsense', 'no')).toMatchObject({ certainty: 'no' });
  });

  it('that says yes and cannot be read leaves it in doubt', () => {
    const failure = toFailure(unreadableAnswer('The transfer', new SyntaxError('Unexpected end')), 'no');
    expect(failure).toMatchObject({ class: 'transient', certainty: 'unknown', code: 'answer_unreadable' });
    expect(failure.message).toContain('Unexpected end');
  });
});

describe('Retry-After', () => {
  it.each([
    ['0', 0],
    [' 12 ', 12_000],
    ['Mon, 05 Jan 2026 12:00:30 GMT', 30_000],
    ['Monday, 05-Jan-26 12:00:30 GMT', 30_000],
    ['Mon Jan  5 12:00:30 2026', 30_000],
    ['Mon, 05 Jan 2026 11:00:00 GMT', 0],
  ])('%j is heard', (value, ms) => {
    expect(retryAfterMsOf(value, NOW)).toBe(ms);
  });

  it.each(['86400', '99999999999999999999', 'Tue, 05 Jan 2027 12:00:00 GMT'])(
    '%j is not waited for whole',
    (value) => {
      expect(retryAfterMsOf(value, NOW)).toBe(RETRY_AFTER_MAX_MS);
    },
  );

  it.each([undefined, '', 'soon', '-1', '1.5', '2026-01-05T12:00:30Z', 'Mon, 99 Foo 2026 12:00:30 GMT'])(
    '%j says nothing',
    (value) => {
      expect(retryAfterMsOf(value, NOW)).toBeUndefined();
    },
  );
});
