/** What every scheduling of attempts has in common. */
import { type AttemptRequest, type Settled } from '../protocol.js';
import type { Entry } from './journal.js';
import type { SagaRun } from './saga-run.js';

/** The request's parts that do not depend on its role. */
export function requestFor(run: SagaRun, entry: Entry, before: number, attemptsMax: number): AttemptRequest {
  return {
    job: run.job,
    step: entry.name,
    item: entry.item,
    generation: entry.generation,
    seq: entry.seq,
    before,
    attemptsMax,
  };
}

/** An attempt that never reported may have been any of those allowed; a number must never come twice. */
export function attemptsAfter(settled: Settled, before: number, attemptsMax: number): number {
  return settled.kind === 'done' ? before : (settled.attempts ?? before + attemptsMax);
}

/** What a step that was put off may still try: once at least, where a release allows fewer attempts than were made. */
export function attemptsLeftOf(attemptsMax: number, used: number): number {
  return Math.max(1, attemptsMax - used);
}

/** From then on waits grow, or a step put off for ever would fill the history, which the server ends uncompensated. */
const DEFERRALS_AT_PACE_MAX = 30;
const PACE_FIRST_MS = 1_000;
const PACE_MOST_MS = 60_000;

/** How long to wait for a step that was put off: as it asked, and longer the more often it did. */
export function pacedMs(entry: Entry, deferMs: number): number {
  const late = ++entry.deferrals - DEFERRALS_AT_PACE_MAX;
  return late <= 0 ? deferMs : Math.max(deferMs, Math.min(PACE_MOST_MS, PACE_FIRST_MS * 2 ** (late - 1)));
}

/** `render 3/12`, counted as people count. */
export function summaryOf(entry: Entry): string {
  return entry.item === undefined ? entry.name : `${entry.name} ${entry.item + 1}/${entry.of ?? '?'}`;
}
