/** Virtual time: it stands still while anything runs, and jumps to the next timer when nothing does. */
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { StopSignal } from '../attempt/world.js';

const ADVANCES_MAX = 1_000_000;

export interface VirtualClock {
  now(): number;
  /** Calls `fire` once after `ms`; answers how to call it off. */
  timer(ms: number, fire: () => void): () => void;
  /** For fakes that take their time. With a signal it wakes early when that is aborted. */
  sleep(ms: number, signal?: StopSignal): Promise<void>;
  /**
   * Lets time pass until `isOver`, or until nothing is left to wait for. `realMs`: how long to wait in real time,
   * before each jump, for step functions that do real input and output.
   */
  run(isOver: () => boolean, realMs?: number): Promise<void>;
}

interface Alarm {
  readonly at: number;
  readonly fire: () => void;
}

const START_MS = Date.UTC(2026, 0, 1);

/**
 * Every microtask runs before the event loop's check phase: after it, nothing goes on by itself. Where nothing but
 * microtasks is waited for, `process.nextTick` is as good, and quicker: it comes when there are no more of them.
 */
export type Pause = () => Promise<unknown>;
export const afterMicrotasks: Pause = () => new Promise((resolve) => process.nextTick(resolve));

export interface VirtualClockOptions {
  /** Default: the event loop's check phase. */
  readonly pause?: Pause;
  /** A run that advances more often is a loop that never ends. */
  readonly advancesMax?: number;
}

/** A clock that starts at 2026-01-01. */
export function createVirtualClock(options: VirtualClockOptions = {}): VirtualClock {
  const { pause = setImmediate, advancesMax = ADVANCES_MAX } = options;
  let nowMs = START_MS;
  /** By time; those of one moment in the order they were set. */
  const alarms: Alarm[] = [];

  const timer = (ms: number, fire: () => void): (() => void) => {
    const alarm = { at: nowMs + Math.max(0, ms), fire };
    const later = alarms.findIndex(({ at }) => at > alarm.at);
    alarms.splice(later < 0 ? alarms.length : later, 0, alarm);
    return () => {
      const place = alarms.indexOf(alarm);
      if (place >= 0) alarms.splice(place, 1);
    };
  };

  return {
    now: () => nowMs,
    timer,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        const disarm = timer(ms, resolve);
        signal?.addEventListener('abort', () => {
          disarm();
          resolve();
        });
        if (signal?.aborted) resolve();
      }),
    async run(isOver, realMs = 0) {
      for (let advances = 0; advances < advancesMax; advances++) {
        await pause();
        if (realMs > 0) await setTimeout(realMs);
        if (isOver()) return;
        const alarm = alarms.shift();
        if (!alarm) return;
        nowMs = alarm.at;
        alarm.fire();
      }
      throw new Error(
        `Virtual time advanced ${advancesMax} times without an end; the saga waits in a circle`,
      );
    },
  };
}
