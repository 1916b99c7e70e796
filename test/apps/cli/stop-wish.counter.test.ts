import { expect, it } from 'vitest';
import { countStopWishes, SAME_WISH_MS } from '../../../apps/cli/stop-wish.counter.js';

function setup(): { wishes: number[]; askAt: (atMs: number) => void } {
  const wishes: number[] = [];
  let nowMs = 0;
  const ask = countStopWishes(
    (count) => wishes.push(count),
    () => nowMs,
  );
  return {
    wishes,
    askAt: (atMs) => {
      nowMs = atMs;
      ask();
    },
  };
}

it('takes the Ctrl-C of the terminal and the one npm passes on for one wish', () => {
  const { wishes, askAt } = setup();
  askAt(1_000);
  askAt(1_002);
  askAt(1_000 + SAME_WISH_MS - 1);
  expect(wishes).toEqual([1]);
});

it('hears a second Ctrl-C, also after one that was passed on', () => {
  const { wishes, askAt } = setup();
  askAt(1_000);
  askAt(1_002);
  askAt(1_000 + SAME_WISH_MS);
  askAt(1_003 + SAME_WISH_MS);
  expect(wishes).toEqual([1, 2]);
});
