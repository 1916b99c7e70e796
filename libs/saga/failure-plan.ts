/**
 * What happens when a step fails, in words, told from its definition alone (S3, S4, S6, S7, S12). Steps are taken in the
 * order they are declared in, as in the diagram: `run` may call them in another one.
 */
import type { AnyStep, RetryPolicy } from './define.js';

/** One way to fail, and what then becomes of the saga. */
export interface FailureCase {
  readonly when: string;
  readonly then: string;
}

interface Place {
  readonly step: AnyStep;
  /** Past the commit point nothing goes back. */
  readonly isCommitted: boolean;
  /** What is undone when the saga goes back from here, in that order. */
  readonly back: string;
}

const PARKS = 'parks: a person decides';

/** The cases of one step, the harmless first. */
export function failurePlanOf(steps: readonly (readonly [string, AnyStep])[], name: string): FailureCase[] {
  const at = steps.findIndex(([one]) => one === name);
  const step = (steps[at] as readonly [string, AnyStep])[1];
  const place = { step, isCommitted: isPastCommit(steps, at), back: wayBackFrom(steps, at) };
  if (step.kind === 'decision') return [outOfTime(place), decidedAgainst(place)];
  return [
    { when: 'not possible now, and certainly not done', then: retried(step.retry) },
    { when: 'no answer: nobody knows whether it was done', then: unanswered(step) },
    { when: 'refused, or out of attempts', then: failedForGood(place) },
    ...(step.holds ? [lostHolder(place)] : []),
    { when: 'missing rights, or a bug', then: `at once ${PARKS}` },
    ...(step.undo === undefined ? [] : [failedUndo(step)]),
  ];
}

/** The pivot is behind it or, in a saga without one, a retriable has begun; a retriable itself commits as it begins. */
function isPastCommit(steps: readonly (readonly [string, AnyStep])[], at: number): boolean {
  const pivot = steps.findIndex(([, { kind }]) => kind === 'pivot');
  const commit = pivot >= 0 ? pivot + 1 : steps.findIndex(([, { kind }]) => kind === 'retriable');
  return steps[at]?.[1].kind === 'retriable' || (commit >= 0 && at >= commit);
}

function wayBackFrom(steps: readonly (readonly [string, AnyStep])[], at: number): string {
  const undos = steps.slice(0, at + 1).flatMap(([, { undo }]) => (undo === undefined ? [] : [String(undo)]));
  const undoing =
    undos.length === 0 ? 'nothing is there to undo' : `undone by ${undos.reverse().join(', then ')}`;
  return `the saga goes back: ${undoing}; the job ends FAILED`;
}

function retried({ attempts, first, most }: RetryPolicy): string {
  if (attempts === 1) return 'not tried again: as if refused';
  return `tried again, ${attempts} attempts in all; waits of up to ${first}, doubling, ${most} at most`;
}

function unanswered({ effect, probe, retry }: AnyStep): string {
  const again = retried(retry);
  if (retry.attempts === 1 && effect !== 'blind') return again;
  switch (effect) {
    case 'none':
      return `${again}: it changes nothing`;
    case 'own':
      return `${again}: what was not committed was not done`;
    case 'keyed':
      return `${again}: under the same effect key`;
    case 'probed':
      return `${again}: each only when none before can act any more and ${String(probe)} says that it was not done`;
    case 'blind':
      return `not tried again: ${PARKS}`;
  }
}

function failedForGood({ step, isCommitted, back }: Place): string {
  if (isCommitted) return `past the commit point nothing goes back: ${PARKS}`;
  if (step.kind === 'pivot') return `certainly not done: ${back}. ${inDoubt(step)}`;
  return step.effect === 'blind' ? `${back}. In doubt: ${PARKS}` : back;
}

/** Of a pivot, when an attempt before left a doubt: fence, ledger, probe. */
function inDoubt({ effect, probe }: AnyStep): string {
  if (effect === 'own') return 'In doubt: the ledger knows';
  if (probe === undefined) return `In doubt, and not in the ledger: ${PARKS}`;
  return `In doubt: ${String(probe)} is asked when no attempt can act any more; done: goes on; not done: goes back; no answer: ${PARKS}`;
}

function lostHolder({ isCommitted, back }: Place): FailureCase {
  return {
    when: 'lost while its block runs',
    then: isCommitted
      ? `past the commit point nothing starts over; a step that misses what it held ${PARKS}`
      : `what its block did is undone, and the block starts over, as often as it declares (a planned stop of its worker is not counted); after that ${back}`,
  };
}

function failedUndo({ undo, undoRetry, effect }: AnyStep): FailureCase {
  const unknown = effect === 'blind' ? `; no answer: ${PARKS}` : '';
  return {
    when: `its undo ${String(undo)} fails`,
    then: `${retried(undoRetry)}${unknown}; refused, a bug, or out of attempts: ${PARKS}`,
  };
}

function outOfTime({ step: { waits } }: Place): FailureCase {
  return { when: 'nobody decides in time', then: `goes on with ${JSON.stringify(waits?.otherwise)}` };
}

function decidedAgainst({ isCommitted, back }: Place): FailureCase {
  return {
    when: 'a person decides against it',
    then: isCommitted ? 'not possible past the commit point' : back,
  };
}
