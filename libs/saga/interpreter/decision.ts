/** A step that is a person's: the saga waits for its output, for as long as was declared (S8). */
import type { Step } from '../define.js';
import { carryOut, decidedAgainst } from './decided.js';
import type { Entry } from './journal.js';
import type { SagaRun } from './saga-run.js';

/** Resolves with what the person gave, or with the declared default when the time is over. */
export async function awaitDecision(run: SagaRun, entry: Entry): Promise<unknown> {
  const { withinMs, otherwise } = entry.definition.waits as NonNullable<Step['waits']>;
  const until = run.runtime.now() + withinMs;
  for (;;) {
    run.show(entry, 'parked');
    const reason = { undo: false, doubt: false, committed: run.fate.committed, until };
    const wish = await run.parking.park(entry, reason, () => run.isOver(entry.block));
    if (run.isOver(entry.block)) run.show(entry, 'failed');
    run.check(entry.block);
    if (typeof wish === 'string') {
      return answered(run, entry, otherwise);
    }
    const next = await carryOut(run, entry, wish, false);
    if (next.kind === 'back') run.fate.fail(decidedAgainst(entry));
    if (run.isOver(entry.block)) run.show(entry, 'failed');
    run.check(entry.block);
    if (next.kind === 'done') {
      return answered(run, entry, next.output);
    }
  }
}

function answered(run: SagaRun, entry: Entry, output: unknown): unknown {
  entry.output = output;
  run.show(entry, 'done');
  return output;
}
