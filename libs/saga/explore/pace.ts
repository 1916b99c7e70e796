/** How quickly schedules are run, by the process's processor time, which a busy machine does not stretch. */

export interface Pace {
  /** Call it after each schedule. */
  count(): void;
  /** Schedules a second, of all. */
  perSecond(): number;
  /** Of the latter half alone: by then V8 has compiled what runs most. */
  laterPerSecond(): number;
}

const MARK_EVERY = 50;

export function createPace(): Pace {
  const before = process.cpuUsage();
  /** Microseconds used before the first schedule, and after each so many. */
  const marks = [0];
  let counted = 0;
  const usedUs = (): number => {
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  const rate = (schedules: number, us: number): number => Math.round((schedules * 1e6) / us);
  return {
    count() {
      counted += 1;
      if (counted % MARK_EVERY === 0) marks.push(usedUs());
    },
    perSecond: () => rate(counted, usedUs()),
    laterPerSecond() {
      const middle = marks.length >> 1;
      return rate(counted - middle * MARK_EVERY, usedUs() - marks[middle]!);
    },
  };
}
