import { describe, expect, test } from 'vitest';
import { verdictOn, type Trial } from '../../../libs/webhooks/verdict.js';

const WAITS_MS = [5_000, 300_000];
const first: Trial = { attempt: 1, waitsMs: WAITS_MS, random: 0 };
const answered = (status: number, retryAfterMs?: number) =>
  ({ kind: 'answered', status, retryAfterMs, head: undefined, durationMs: 1 }) as const;
const unanswered = { kind: 'unanswered', code: 'econnreset', detail: '', durationMs: 1 } as const;

describe('an answer', () => {
  test.each([200, 201, 204, 299])('%i is a success', (status) => {
    expect(verdictOn(answered(status), first)).toMatchObject({ state: 'delivered', health: 'well' });
  });

  test.each([301, 307, 500, 501, 599])('%i is tried again', (status) => {
    expect(verdictOn(answered(status), first)).toMatchObject({
      state: 'open',
      health: 'failed',
      delayMs: 5_000,
    });
  });

  test.each([400, 401, 404, 422])('%i is not tried again', (status) => {
    expect(verdictOn(answered(status), first)).toMatchObject({
      state: 'dead',
      reason: `http_${status}`,
      health: 'refused',
    });
  });

  test.each([429, 502, 503, 504])('%i slows the endpoint down, by Retry-After where it says so', (status) => {
    expect(verdictOn(answered(status), first)).toMatchObject({
      health: 'slowed',
      pauseMs: 10_000,
      delayMs: 10_000,
    });
    expect(verdictOn(answered(status, 60_000), first)).toMatchObject({ pauseMs: 60_000, delayMs: 60_000 });
  });

  test('410 is the end of the endpoint', () => {
    expect(verdictOn(answered(410), first)).toMatchObject({ state: 'dead', reason: 'gone', health: 'gone' });
  });

  test('that never came is tried again, and given up after the last wait', () => {
    expect(verdictOn(unanswered, { ...first, attempt: 2 })).toMatchObject({
      state: 'open',
      delayMs: 300_000,
    });
    expect(verdictOn(unanswered, { ...first, attempt: 3 })).toMatchObject({
      state: 'dead',
      reason: 'attempts_exhausted',
    });
  });

  test('waits have up to a tenth of jitter', () => {
    expect(verdictOn(unanswered, { ...first, random: 0.999 }).delayMs).toBe(5_450);
  });
});
