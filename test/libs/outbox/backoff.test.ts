import { describe, expect, it } from 'vitest';
import { backoffMs } from '../../../libs/outbox/backoff.js';
import { mapBounded } from '../../../libs/outbox/bounded.js';

describe('the backoff', () => {
  it('doubles up to its cap, however many failures there were', () => {
    const waits = [1, 2, 3, 4, 5, 1_000_000].map((failures) =>
      backoffMs({ firstMs: 100, mostMs: 1_000 }, failures, () => 1),
    );
    expect(waits).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  });

  it('is spread between half and all of it', () => {
    expect(backoffMs({ firstMs: 100, mostMs: 1_000 }, 2, () => 0)).toBe(100);
    expect(backoffMs({ firstMs: 100, mostMs: 1_000 }, 0, () => 0)).toBe(50);
  });
});

describe('bounded work', () => {
  it('is done for each item, never more at a time than allowed', async () => {
    let now = 0;
    let most = 0;
    const items = Array.from({ length: 50 }, (_, index) => index);
    const results = await mapBounded(items, 4, async (item) => {
      now += 1;
      most = Math.max(most, now);
      await new Promise((resolve) => setImmediate(resolve));
      now -= 1;
      return item * 2;
    });
    expect([...results].sort(([a], [b]) => a - b)).toEqual(items.map((item) => [item, item * 2]));
    expect(most).toBe(4);
  });

  it('begins no more once told so, and finishes what it began', async () => {
    let begun = 0;
    const results = await mapBounded(
      [1, 2, 3, 4, 5, 6, 7, 8],
      2,
      async (item) => {
        begun += 1;
        await new Promise((resolve) => setImmediate(resolve));
        return item;
      },
      () => begun < 3,
    );
    expect([...results.keys()]).toEqual([1, 2, 3]);
  });
});
