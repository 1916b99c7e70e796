/** Real time in the place of the virtual clock, for jobs in memory whose steps do real input and output. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { VirtualClock } from '../../libs/saga/memory.js';

const POLL_MS = 5;

export function createRealClock(): VirtualClock {
  const timer = (ms: number, fire: () => void): (() => void) => {
    const armed = setTimeout(fire, ms);
    return () => clearTimeout(armed);
  };
  return {
    now: () => Date.now(),
    timer,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        const disarm = timer(ms, resolve);
        const wake = (): void => {
          disarm();
          resolve();
        };
        signal?.addEventListener('abort', wake, { once: true });
        if (signal?.aborted) wake();
      }),
    async run(isOver) {
      while (!isOver()) await sleep(POLL_MS);
    },
  };
}
