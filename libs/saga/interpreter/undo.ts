/** Compensation: what took effect, or may have, is taken back, last first, one at a time (S3, S4). */
import type { Failure } from '../failure.js';
import { itemOf, type Settled } from '../protocol.js';
import type { Entry } from './journal.js';
import type { SagaRun } from './saga-run.js';
import { attemptsAfter, pacedMs, requestFor, summaryOf } from './attempts.js';

/** Undoes these entries in the order given. Shielded: nothing but an undo's own exhaustion stops it, and that parks. */
export async function undoAll(run: SagaRun, entries: readonly Entry[], compensating: boolean): Promise<void> {
  for (const entry of entries) await undo(run, entry, compensating);
}

async function undo(run: SagaRun, entry: Entry, compensating: boolean): Promise<void> {
  const policy = entry.definition.undoRetry;
  let attemptsLeft = policy.attempts;
  for (;;) {
    run.show(entry, 'undoing');
    const before = entry.undoAttempts;
    const settled = await start(run, entry, compensating, attemptsLeft);
    entry.undoAttempts = attemptsAfter(settled, before, attemptsLeft);
    if (settled.kind === 'done') return run.show(entry, 'undone');
    if (settled.kind === 'deferred') {
      attemptsLeft -= entry.undoAttempts - before;
      await run.runtime.timer(pacedMs(entry, settled.deferMs)).elapsed;
      continue;
    }
    run.show(entry, 'parked');
    const reason = { undo: true, doubt: settled.doubt, committed: false, failure: failureOf(entry, settled) };
    await run.parking.park(entry, reason, () => false);
    attemptsLeft = policy.attempts;
  }
}

function start(run: SagaRun, entry: Entry, compensating: boolean, attemptsMax: number): Promise<Settled> {
  const { definition: step } = entry;
  return run.runtime.start({
    step,
    activity: run.activityOf(step.undo as string),
    summary: `undo ${summaryOf(entry)}`,
    request: { ...requestFor(run, entry, entry.undoAttempts, attemptsMax), role: 'undo', compensating },
  }).settled;
}

function failureOf(entry: Entry, settled: Settled): Failure {
  const failure: Failure =
    settled.kind === 'failed'
      ? settled.failure
      : {
          class: 'transient',
          certainty: 'unknown',
          code: 'undo_cancelled',
          message: 'The undo was cancelled.',
        };
  return { ...failure, step: entry.name, ...itemOf(entry) };
}
