import { describe, expect, test } from 'vitest';
import {
  asksForJson,
  matchesEtag,
  readIdempotencyKey,
  readLastEventId,
  readWait,
} from '../../../apps/api/jobs/headers.js';
import { startTrace } from '../../../apps/api/http/trace.js';

describe('Idempotency-Key', () => {
  test('is the same quoted and bare', () => {
    expect(readIdempotencyKey('"abc"')).toBe('abc');
    expect(readIdempotencyKey(' abc ')).toBe('abc');
    expect(readIdempotencyKey('"a\\"b\\\\c d"')).toBe('a"b\\c d');
    expect(readIdempotencyKey(undefined)).toBeUndefined();
  });

  test.each(['', '""', '"', 'a b', 'a"b', '"a"b', '"a\\x"', 'ü', 'k'.repeat(256), 'a,b c'])(
    '%j is refused',
    (text) => {
      expect(() => readIdempotencyKey(text)).toThrow(/1 to 255/);
    },
  );
});

describe('Prefer', () => {
  test.each([
    ['wait=5', 5],
    ['respond-async, wait=10', 10],
    ['WAIT = "7"', 7],
    ['wait=3; x=1', 3],
    ['wait=999', 30],
    ['wait=99999999999999999999', 30],
    ['wait=0', 0],
    ['wait=', undefined],
    ['wait=-1', undefined],
    ['wait=1.5', undefined],
    ['await=5', undefined],
    ['return=minimal', undefined],
  ])('%s waits %s', (header, seconds) => expect(readWait(header)).toBe(seconds));
});

test('If-None-Match compares weakly, lists included', () => {
  expect(matchesEtag('"1", W/"2"', '"2"')).toBe(true);
  expect(matchesEtag('*', '"2"')).toBe(true);
  expect(matchesEtag('"12"', '"2"')).toBe(false);
  expect(matchesEtag(undefined, '"2"')).toBe(false);
});

test('Last-Event-ID is a revision of ours or nothing', () => {
  expect(['7', ' 12 ', '-1', 'x', '', '1e3', '9'.repeat(16), undefined].map(readLastEventId)).toEqual([
    7, 12, 0, 0, 0, 0, 0, 0,
  ]);
});

test.each([
  ['application/json', true],
  ['text/html, application/json;q=0.5', true],
  ['*/*', false],
  ['application/json;q=0', false],
  ['text/csv', false],
  [undefined, false],
])('Accept: %s asks for JSON: %s', (accept, asks) => expect(asksForJson(accept)).toBe(asks));

describe('traceparent', () => {
  test('is gone on with under a span of our own', () => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const trace = startTrace(`00-${traceId}-00f067aa0ba902b7-00`);
    expect(trace.traceId).toBe(traceId);
    expect(trace.traceParent).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`));
    expect(trace.traceParent).not.toContain('00f067aa0ba902b7');
    expect(startTrace(`01-${traceId}-00f067aa0ba902b7-01-more`).traceId).toBe(traceId);
  });

  test.each([
    undefined,
    '',
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
    `ff-${'a'.repeat(32)}-00f067aa0ba902b7-01`,
    `00-${'a'.repeat(32)}-00f067aa0ba902b7-01-more`,
  ])('%s begins a new trace', (header) => {
    expect(startTrace(header).traceId).toMatch(/^(?!0{32}|a{32})[0-9a-f]{32}$/);
  });
});
