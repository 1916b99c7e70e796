/** Why a decision is not possible, in words an operator can act on. */
import type { Decision } from '../../../libs/saga/protocol.js';
import {
  decisionOf,
  type DeadLetterRecord,
  type DecisionAnswer,
} from '../../../libs/store/dead-letters.store.js';
import { Problem } from '../problems/problem.js';
import { isUndecided } from './dead-letter.view.js';

const MS_PER_SECOND = 1_000;

/** `letter`: as it is now. */
export function refusalOf(
  answer: Extract<DecisionAnswer, { kind: 'refused' }>,
  asked: { readonly park: number; readonly decision: Decision },
  letter: DeadLetterRecord,
): Problem {
  const possible = isUndecided(letter) ? letter.possible : [];
  const problem = (detail: string, headers: Readonly<Record<string, string>> = {}) =>
    new Problem('decision_not_possible', detail, { possible, headers });
  switch (answer.why) {
    case 'unknown':
      return deadLetterNotFound();
    case 'other_park':
      return problem(`This is park ${letter.park} of its job, and the decision names park ${asked.park}.`);
    case 'decided': {
      const { decision, decidedBy, decidedAt = 0, outcome } = decisionOf(letter) ?? {};
      const at = new Date(decidedAt).toISOString();
      return problem(`Decided already: ${decision} by ${decidedBy} at ${at}, which is ${outcome}.`);
    }
    case 'park_over':
      return problem(
        `The park is over; the job is ${letter.status}, in phase ${letter.phase}. If it is parked again, that has a dead letter of its own.`,
      );
    case 'not_possible':
      return problem(
        `${asked.decision} is not possible here; possible: ${letter.possible.join(', ') || 'nothing'}.`,
      );
    case 'not_correctable':
      return problem(
        'The input cannot be corrected here: nobody can tell whether the step happened under the one it had, or there is none to correct. A retry without input is possible.',
      );
    case 'in_flight': {
      const leftMs = Math.max(0, Date.parse(answer.until) - Date.now());
      return problem(
        `An attempt that has not reported may still act until ${new Date(answer.until).toISOString()}, and could overtake what you say. Decide after that.`,
        { 'retry-after': String(Math.ceil(leftMs / MS_PER_SECOND)) },
      );
    }
  }
}

export function deadLetterNotFound(): Problem {
  return new Problem('dead_letter_not_found', 'There is no such dead letter.');
}
