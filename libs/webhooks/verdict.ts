/** What an endpoint's answer means: for the delivery, and for the endpoint. Pure. */
import { isSuccess, type Answer } from './delivery.client.js';

/** For how long an endpoint that asks for less is left alone, where it does not say. */
const SLOW_DOWN_MS = 10_000;
const GONE = 410;
/** Too much, or not now: the endpoint, or what stands before it. */
const SLOW_DOWN: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** Jitter: so many hundredths of the wait at most. In whole ones, so that what failed together is sent together again. */
const JITTER_HUNDREDTHS = 10;

/** How the endpoint is: `refused` says no, quickly; `slowed` wants less; `gone` wants nothing any more. */
export type Health = 'well' | 'refused' | 'failed' | 'slowed' | 'gone';

export interface Verdict {
  readonly state: 'delivered' | 'open' | 'dead';
  /** Until the next attempt; 0 where there is none. */
  readonly delayMs: number;
  /** Why it is dead, snake_case. */
  readonly reason: string | undefined;
  readonly health: Health;
  /** For which the endpoint is left alone; 0: not on its word. */
  readonly pauseMs: number;
}

export interface Trial {
  /** From 1; the one that was answered so. */
  readonly attempt: number;
  /** The wait after each attempt; after as many, and one more, it is given up. */
  readonly waitsMs: readonly number[];
  /** 0 ≤ x < 1. */
  readonly random: number;
}

export function verdictOn(answer: Answer, trial: Trial): Verdict {
  if (answer.kind === 'refused') return dead(answer.code, 'refused');
  if (answer.kind !== 'answered') return again('failed', 0, trial);
  const { status, retryAfterMs } = answer;
  if (isSuccess(status)) {
    return { state: 'delivered', delayMs: 0, reason: undefined, health: 'well', pauseMs: 0 };
  }
  if (status === GONE) return dead('gone', 'gone');
  if (SLOW_DOWN.has(status)) return again('slowed', retryAfterMs ?? SLOW_DOWN_MS, trial);
  if (status >= 400 && status < 500) return dead(`http_${status}`, 'refused');
  return again('failed', 0, trial);
}

function dead(reason: string, health: Health): Verdict {
  return { state: 'dead', delayMs: 0, reason, health, pauseMs: 0 };
}

function again(health: 'failed' | 'slowed', pauseMs: number, { attempt, waitsMs, random }: Trial): Verdict {
  const waitMs = waitsMs[attempt - 1];
  if (waitMs === undefined) return { ...dead('attempts_exhausted', health), pauseMs };
  const jittered = Math.round(waitMs * (1 + Math.floor(random * JITTER_HUNDREDTHS) / 100));
  return { state: 'open', delayMs: Math.max(jittered, pauseMs), reason: undefined, health, pauseMs };
}
