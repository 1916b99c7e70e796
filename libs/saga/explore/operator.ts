/**
 * What a person may decide where a saga is parked. A truthful one, whom the API holds back while an attempt may still
 * act: what a decision asserts (S8) is so when it is made.
 */
import { isElsewhere, type AnyStep } from '../define.js';
import type { EffectRow } from '../memory/ledger.js';
import type { DeadLetter, Decision } from '../protocol.js';
import type { Option } from './choices.js';
import { LEFT_PARKED } from './faults.js';

/** What the person decides. */
export interface DecisionOption extends Option {
  readonly decision: Decision;
  /** With other arguments, under a key of its own. */
  readonly corrects?: true;
}

const costly = (decision: Decision): DecisionOption => ({
  name: `an operator decides: ${decision}`,
  costs: 'decisions',
  decision,
});
const BY_DECISION: Readonly<Record<Decision, DecisionOption>> = {
  retry: costly('retry'),
  skip: costly('skip'),
  compensate: costly('compensate'),
  // The person did it outside, or saw that it is done.
  resolve: { ...costly('resolve'), name: 'an operator has it done outside, and decides: resolve' },
};
const CORRECTED: DecisionOption = {
  ...costly('retry'),
  name: 'an operator decides: retry with corrected arguments',
  corrects: true,
};
/** What a step waits for by design is no departure. */
const ANSWERED: DecisionOption = { name: 'a person answers', decision: 'resolve' };
/** Nobody decides until the time of a decision is over, or until no attempt may act any more. */
export const TIME_PASSES: Option = { name: 'time passes' };

export function isDecision(option: Option): option is DecisionOption {
  return 'decision' in option;
}

export interface Parked {
  readonly letter: DeadLetter;
  readonly step: AnyStep;
  /** Whether its effect is really there. */
  readonly isLive: boolean;
  /** Whether the ledger knows of an attempt that may still act. */
  readonly isBusy: boolean;
  /** Whether somebody answers what the step waits for. */
  readonly isAnswered: boolean;
}

/** The first is the ordinary one. */
export function decisionsAt(parked: Parked): Option[] {
  const { letter, step, isBusy } = parked;
  if (step.kind === 'decision') {
    const ordinary = parked.isAnswered ? [ANSWERED, TIME_PASSES] : [TIME_PASSES];
    return [...ordinary, ...(letter.possible.includes('compensate') ? [BY_DECISION.compensate] : [])];
  }
  const options: Option[] = [LEFT_PARKED];
  let isHeldBack = false;
  for (const decision of letter.possible) {
    const asserted = assertionOf(decision, parked);
    if (asserted !== 'nothing' && isBusy) isHeldBack = true;
    // Doing it outside is up to the person; that it is so, or not so, must be true already.
    else if (asserted === 'nothing' || asserted === 'made so' || (asserted === 'done') === parked.isLive)
      options.push(BY_DECISION[decision]);
  }
  if (letter.correctable) options.push(CORRECTED);
  if (isHeldBack) options.push(TIME_PASSES);
  return options;
}

type Assertion = 'nothing' | 'done' | 'not done' | 'made so';

/** What a decision says of the effect outside. */
function assertionOf(decision: Decision, { letter, step }: Parked): Assertion {
  if (!isElsewhere(step.effect) && decision !== 'resolve') return 'nothing';
  const isNobodysToTell = step.effect === 'blind' && letter.doubt;
  switch (decision) {
    case 'retry':
      if (!isNobodysToTell) return 'nothing';
      return letter.undo ? 'done' : 'not done';
    case 'compensate':
      return step.kind === 'pivot' && letter.doubt ? 'not done' : 'nothing';
    case 'resolve':
      return step.effect === 'none' ? 'nothing' : 'made so';
    case 'skip':
      return 'nothing';
  }
}

/** Until when an attempt may act, by the ledger; undefined when none may, or none has claimed. */
export function busyUntil(row: EffectRow | undefined, now: number): number | undefined {
  const until = Math.max(row?.leaseUntil ?? 0, row?.quarantineUntil ?? 0);
  return until > now ? until : undefined;
}
