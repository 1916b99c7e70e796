/** What the explorations of the test run have in common: how deep they go, and what is printed of each. */
import type { Exploration } from '../../libs/saga/explore.js';

/** Deeper: EXPLORE_DEPARTURES=3. */
export const departuresMax = Number(process.env['EXPLORE_DEPARTURES'] ?? 2);
/** Of kinds so small that one departure more is a second or two. */
export const departuresMaxOfSmall = Math.max(3, departuresMax);
export const EXPLORATION_TIMEOUT_MS = 600_000;

/** Of fewer the rate says more of what was compiled before, in the same process, than of the explorer. */
const TIMED_FROM = 1_000;

/** Prints how many schedules of `what` were run, and, where they are enough to tell, how quickly. */
export function tellExplored(
  what: string,
  { schedules, schedulesPerSecond, laterPerSecond }: Exploration,
  departures = departuresMax,
): void {
  const pace =
    schedules < TIMED_FROM
      ? 'too few to be timed'
      : `${schedulesPerSecond}/s of a processor, ${laterPerSecond}/s in the latter half`;
  console.log(`explored ${what}: ${schedules} schedules, up to ${departures} departures each, ${pace}`);
}
