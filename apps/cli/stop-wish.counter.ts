/** Counts how often someone wishes the program to stop: the first time in order, the second time at once. */

/** npm passes a Ctrl-C on to the program that the terminal has already told; nobody presses it twice so fast. */
export const SAME_WISH_MS = 500;

/**
 * A listener for signals, which calls `onWish` with the wish's number, from 1. What comes within `SAME_WISH_MS` of the last
 * wish belongs to it.
 */
export function countStopWishes(
  onWish: (count: number) => void,
  nowMs: () => number = () => performance.now(),
): () => void {
  let count = 0;
  let lastAtMs = -Infinity;
  return () => {
    const atMs = nowMs();
    if (atMs - lastAtMs < SAME_WISH_MS) return;
    lastAtMs = atMs;
    count += 1;
    onWish(count);
  };
}
