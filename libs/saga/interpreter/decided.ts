/** What an operator's decision makes of a parked step (S8): the saga goes on from there, it does not start over. */
import type { Failure } from '../failure.js';
import { itemOf, type DecisionWish } from '../protocol.js';
import type { Entry } from './journal.js';
import { settlePivot } from './pivot.js';
import type { SagaRun } from './saga-run.js';
import { rule, type Ruled } from './ruling.js';
import { undo } from './undo.js';

/** How a decided step goes on. */
export type Continuation =
  /** Its output, whoever made it. */
  | { readonly kind: 'done'; readonly output: unknown }
  /** It is left out, and its output is the declared one. */
  | { readonly kind: 'skipped'; readonly output: unknown }
  /** Another attempt of the same effect. */
  | { readonly kind: 'again' }
  /** Under a key of its own: the old one certainly does nothing any more. */
  | { readonly kind: 'anew'; readonly args: unknown }
  /** The saga goes back, for this cause. */
  | { readonly kind: 'back' }
  /** What the person said is contradicted by the ledger, or came too early: parked anew. */
  | { readonly kind: 'refused' }
  /** A pivot in doubt that proved not done, says a person, is done: parked anew, without a doubt. */
  | { readonly kind: 'contradicted' };

/**
 * Carries out a decision on a step that is parked; `doubt`: nobody could tell whether it happened. Of a pivot ledger and
 * probe are asked again before a person is believed, who counts only where they still cannot tell (S6).
 */
export async function carryOut(
  run: SagaRun,
  entry: Entry,
  wish: DecisionWish,
  doubt: boolean,
): Promise<Continuation> {
  const isPivotInDoubt = entry.isPivot && doubt;
  switch (wish.decision) {
    case 'retry':
      return retry(run, entry, wish, doubt);
    case 'skip':
      return skip(run, entry, wish);
    case 'resolve': {
      if (isPivotInDoubt) await settlePivot(run, entry);
      const answer = await rule(run, entry, 'resolve', wish, { doubt: isPivotInDoubt });
      // On record is that the children were started: how they ended is to be looked for.
      if (answer.kind === 'done' && entry.definition.children && run.looksAgain()) return { kind: 'again' };
      return continuationOf(answer, (output) => ({ kind: 'done', output }));
    }
    case 'compensate': {
      if (!isPivotInDoubt) return { kind: 'back' };
      await settlePivot(run, entry);
      return continuationOf(await rule(run, entry, 'disown', wish), () => ({ kind: 'back' }));
    }
  }
}

async function retry(run: SagaRun, entry: Entry, wish: DecisionWish, doubt: boolean): Promise<Continuation> {
  const { kind, effect } = entry.definition;
  const { args } = entry;
  if (wish.corrects) {
    if (kind === 'compensable') await undo(run, entry, false);
    const answer = await rule(run, entry, 'correct', wish);
    return continuationOf(answer, (corrected) => ({ kind: 'anew', args: corrected }));
  }
  if (entry.fenced) return { kind: 'anew', args };
  // Where nobody can tell, whoever has it tried again says that it was not done.
  if (effect !== 'blind' || !doubt) return { kind: 'again' };
  return continuationOf(await rule(run, entry, 'disown', wish), () => ({ kind: 'anew', args }));
}

async function skip(run: SagaRun, entry: Entry, wish: DecisionWish): Promise<Continuation> {
  const skipped = { kind: 'skipped', output: entry.definition.fallback?.output as unknown } as const;
  if (entry.definition.kind !== 'compensable') {
    return continuationOf(await rule(run, entry, 'keep', wish), () => skipped);
  }
  await undo(run, entry, false);
  return skipped;
}

function continuationOf(answer: Ruled, settled: (value: unknown) => Continuation): Continuation {
  switch (answer.kind) {
    case 'settled':
      return settled(answer.value);
    case 'done':
      return { kind: 'done', output: answer.outcome };
    case 'undone':
      return { kind: 'refused' };
    case 'refused':
      return { kind: answer.why === 'not_happened' ? 'contradicted' : 'refused' };
  }
}

/** Why a saga goes back that a person sent back. */
export function decidedAgainst(entry: Entry): Failure {
  return {
    class: 'rejected',
    certainty: 'no',
    code: 'decided_against',
    message: `A person decided against step ${entry.label}.`,
    step: entry.name,
    ...itemOf(entry),
  };
}
