/** The ledger's part in a decision: it fences the effect, and says what of it is on record (S5, S8). */
import { itemOf, type DecisionWish, type Ruling, type RulingAnswer } from '../protocol.js';
import type { Entry } from './journal.js';
import type { SagaRun } from './saga-run.js';

export type Ruled = Exclude<RulingAnswer, { kind: 'wait' }>;

/** Has the ledger make of the effect, or of its undo, what was decided; waits while an attempt may still act. */
export async function rule(
  run: SagaRun,
  entry: Entry,
  ruling: Ruling,
  { id: decisionId }: DecisionWish,
  { undo = false, doubt = false } = {},
): Promise<Ruled> {
  const { name: step, generation, seq } = entry;
  for (;;) {
    const ref = { step, ...itemOf(entry), generation, seq, args: entry.args };
    const answer = await run.runtime.rule({ ...ref, ruling, undo, doubt, decisionId });
    if (answer.kind !== 'wait') return answer;
    await run.runtime.sleep(answer.waitMs);
  }
}
