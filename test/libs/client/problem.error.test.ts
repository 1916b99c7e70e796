import { expect, it } from 'vitest';
import { backoffMs } from '../../../libs/client/backoff.js';
import { parseRetryAfter } from '../../../libs/client/problem.error.js';

it.each([
  [null, undefined],
  ['2', 2_000],
  ['0', 0],
  ['Thu, 01 Jan 1970 00:00:09 GMT', 4_000],
  ['Thu, 01 Jan 1970 00:00:01 GMT', 0],
  ['soon', undefined],
])('reads Retry-After %s', (header, ms) => {
  expect(parseRetryAfter(header, 5_000)).toBe(ms);
});

it('waits a random part of a cap that doubles up to a limit, or what the server asked for up to it', () => {
  const policy = { attempts: 9, firstMs: 100, mostMs: 1_000 };
  const caps = [1, 2, 3, 4, 5, 20].map((failures) => backoffMs(policy, failures, undefined, () => 1));
  expect(caps).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  expect(backoffMs(policy, 3, undefined, () => 0.5)).toBe(200);
  expect(backoffMs(policy, 1, 700, () => 1)).toBe(700);
  expect(backoffMs(policy, 1, 60_000, () => 1)).toBe(1_000);
});
