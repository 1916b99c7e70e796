/** What every scheduling of attempts has in common. */
import { itemOf, type AttemptRequest, type Settled } from '../protocol.js';
import type { Entry } from './journal.js';
import type { SagaRun } from './saga-run.js';

/** The request's parts that do not depend on its role. */
export function requestFor(run: SagaRun, entry: Entry, before: number, attemptsMax: number): AttemptRequest {
  return {
    job: run.job,
    step: entry.name,
    ...itemOf(entry),
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

/** `render 3/12`, counted as people count. */
export function summaryOf(entry: Entry): string {
  return entry.item === undefined ? entry.name : `${entry.name} ${entry.item + 1}/${entry.of ?? '?'}`;
}
