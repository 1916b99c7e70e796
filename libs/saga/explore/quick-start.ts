/**
 * What slows an exploration from its very beginning and is worth nothing to it. Both are the whole process's, so they
 * are as they were when it is over.
 */
import { setFlagsFromString } from 'node:v8';

/** V8's own, of how often a function is called before its last compiler (TurboFan) takes it up. */
const CALLS_BEFORE_LAST_TIER = 3_000;
/**
 * Most explorations are over in a second or two: compiling all of it for the third time took a third of a payout's
 * processor time, and made the rest a tenth quicker. A long one comes this far after some ten thousand schedules.
 */
const CALLS_BEFORE_LAST_TIER_EXPLORING = 100_000;

/** Runs `work` with it off. */
export async function quickly<R>(work: () => Promise<R>): Promise<R> {
  const { stackTraceLimit } = Error;
  // Most errors here are thrown on purpose, and nobody asks where.
  Error.stackTraceLimit = 0;
  waitForLastTier(CALLS_BEFORE_LAST_TIER_EXPLORING);
  try {
    return await work();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    waitForLastTier(CALLS_BEFORE_LAST_TIER);
  }
}

function waitForLastTier(calls: number): void {
  setFlagsFromString(`--invocation-count-for-turbofan=${calls}`);
}
