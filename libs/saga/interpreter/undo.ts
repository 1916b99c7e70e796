/** Compensation: what took effect, or may have, is taken back, last first, one at a time (S3, S4). */
import { FAILURE_MESSAGE_LENGTH_MAX, type Failure } from '../failure.js';
import type { UndoOutcome } from '../implement.js';
import { itemOf, type DecisionWish, type PutOff, type Settled } from '../protocol.js';
import type { Entry } from './journal.js';
import type { SagaRun } from './saga-run.js';
import { attemptsAfter, attemptsLeftOf, pacedMs, requestFor, summaryOf } from './attempts.js';
import { rule } from './ruling.js';

/** Undoes these entries in the order given. Shielded: nothing but an undo's own exhaustion stops it, and that parks. */
export async function undoAll(run: SagaRun, entries: readonly Entry[], compensating: boolean): Promise<void> {
  for (const entry of entries) {
    if (compensating) run.handover.check();
    await undo(run, entry, compensating);
  }
}

/** Undoes one entry; afterwards it is `undone`, or `leftover` where an operator gave it up. */
export async function undo(run: SagaRun, entry: Entry, compensating: boolean): Promise<void> {
  const policy = entry.definition.undoRetry;
  let attemptsLeft = entry.undoPutOff?.attemptsLeft ?? policy.attempts;
  let insists = entry.undoPutOff?.insists ?? false;
  for (;;) {
    if (entry.undoPutOff) await waitOut(run, entry, entry.undoPutOff, compensating);
    run.show(entry, 'undoing');
    const before = entry.undoAttempts;
    const { wakes } = run;
    const settled = await start(run, entry, { compensating, insists }, attemptsLeft);
    entry.undoAttempts = attemptsAfter(settled, before, attemptsLeft);
    if (settled.kind === 'done') return undone(run, entry, settled.output as UndoOutcome);
    if (settled.kind === 'deferred') {
      // It was said of the effect as it was: an attempt that never reported may have undone it since.
      if (entry.undoAttempts > before) insists = false;
      attemptsLeft = attemptsLeftOf(attemptsLeft, entry.undoAttempts - before);
      const pauseMs = run.wakes > wakes ? 0 : pacedMs(entry, settled.deferMs);
      entry.undoPutOff = { until: run.runtime.now() + pauseMs, attemptsLeft, insists };
      continue;
    }
    run.show(entry, 'parked');
    const reason = { undo: true, doubt: settled.doubt, committed: false, failure: failureOf(entry, settled) };
    const wish = (await run.parking.park(entry, reason, () => false)) as DecisionWish;
    if (wish.decision === 'skip') return giveUp(run, entry, wish);
    attemptsLeft = policy.attempts;
    // Whoever has it tried again says that there is something to undo, where nobody else can tell.
    insists = entry.definition.effect === 'blind' && settled.doubt;
  }
}

async function waitOut(run: SagaRun, entry: Entry, putOff: PutOff, compensating: boolean): Promise<void> {
  if (compensating) run.handover.check();
  await run.nap(entry, 'undoNap', putOff.until - run.runtime.now());
  entry.undoPutOff = undefined;
}

/** What its undo left as it is stands beside whatever a successor does: it is not fenced (S16). */
function undone(run: SagaRun, entry: Entry, outcome: UndoOutcome): void {
  if (typeof outcome !== 'object') return run.show(entry, 'undone');
  const kept = outcome.kept.slice(0, FAILURE_MESSAGE_LENGTH_MAX);
  run.show(entry, 'leftover');
  run.leftovers.push({ step: entry.name, ...itemOf(entry), fenced: false, kept });
}

/** An operator's skip of an undo: nothing acts on the effect any more, and the job says that it is left over. */
async function giveUp(run: SagaRun, entry: Entry, wish: DecisionWish): Promise<void> {
  const answer = await rule(run, entry, 'keep', wish, { undo: true });
  if (answer.kind === 'undone') return run.show(entry, 'undone');
  run.show(entry, 'leftover');
  run.leftovers.push({ step: entry.name, ...itemOf(entry), fenced: true });
}

interface UndoManner {
  readonly compensating: boolean;
  readonly insists: boolean;
}

function start(
  run: SagaRun,
  entry: Entry,
  { compensating, insists }: UndoManner,
  attemptsMax: number,
): Promise<Settled> {
  const { definition: step } = entry;
  return run.runtime.start({
    step,
    activity: run.activityOf(step.undo as string),
    summary: `undo ${summaryOf(entry)}`,
    request: {
      ...requestFor(run, entry, entry.undoAttempts, attemptsMax),
      role: 'undo',
      compensating,
      ...(insists ? { insists } : {}),
    },
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
