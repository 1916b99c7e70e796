import { expect, it } from 'vitest';
import { poissonArrivals, sendWhenDue } from '../../bench/support/arrivals.js';

it('spaces requests at random, at the rate asked for, the same way every time', () => {
  const due = poissonArrivals(500, 20);
  expect(due).toEqual(poissonArrivals(500, 20));
  expect(due).toEqual(due.toSorted((a, b) => a - b));
  expect(due.length).toBeGreaterThan(9_500);
  expect(due.length).toBeLessThan(10_500);
  // Of exponential gaps, one in e is longer than the mean; of even ones, none or all.
  const gaps = due.map((at, place) => at - (due[place - 1] ?? 0));
  expect(gaps.filter((gap) => gap > 2).length / gaps.length).toBeCloseTo(1 / Math.E, 1);
});

it('counts the time of who had to wait from when it was due', async () => {
  const stallMs = 40;
  let calls = 0;
  const send = (): Promise<void> => {
    calls += 1;
    const until = performance.now() + (calls === 1 ? stallMs : 0);
    while (performance.now() < until);
    return Promise.resolve();
  };
  const tookMs = await sendWhenDue([0, 1, 2], send);
  expect(tookMs).toHaveLength(3);
  expect(Math.min(...tookMs)).toBeGreaterThanOrEqual(stallMs - 2);
});
