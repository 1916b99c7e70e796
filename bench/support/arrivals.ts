/**
 * An open loop: requests begin when they are due, whether or not others were answered, and each one's time runs from
 * when it was due. A server that stalls is told of by everyone who came meanwhile (no coordinated omission).
 */
import { setTimeout as sleep } from 'node:timers/promises';

const MS_PER_SECOND = 1_000;
const SEED = 0x9e3779b9;

/** When each request is due, ms from the start: Poisson arrivals, the same ones every time. */
export function poissonArrivals(rate: number, seconds: number): number[] {
  const random = mulberry32(SEED);
  const end = seconds * MS_PER_SECOND;
  const due: number[] = [];
  const gap = (): number => (-Math.log(1 - random()) * MS_PER_SECOND) / rate;
  for (let at = gap(); at < end; at += gap()) due.push(at);
  return due;
}

/** Sends each when it is due; answers how long each took from then, ms. Rejects when one does. */
export async function sendWhenDue(due: readonly number[], send: () => Promise<void>): Promise<number[]> {
  const startedAt = performance.now();
  const sent: Promise<number>[] = [];
  for (const at of due) {
    for (let early = at - elapsed(); early > 0; early = at - elapsed()) await sleep(early);
    sent.push(send().then(() => elapsed() - at));
  }
  return Promise.all(sent);

  function elapsed(): number {
    return performance.now() - startedAt;
  }
}

/** Small, and good enough to space requests. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
