/** A pivot in doubt: fence it, look (ledger, then probe), and only then believe anything (S5, S6). */
import type { Settlement } from '../protocol.js';
import type { Entry } from './journal.js';
import type { SagaRun } from './saga-run.js';
import { attemptsLeftOf, pacedMs, requestFor, summaryOf } from './attempts.js';

/** Resolves with what is true, or `unknown` when neither ledger nor probe could tell: then a person must. */
export async function settlePivot(run: SagaRun, entry: Entry): Promise<Settlement> {
  const { definition: step } = entry;
  let before = 0;
  let attemptsMax = step.retry.attempts;
  for (;;) {
    const { settled } = run.runtime.start({
      step,
      activity: step.probe === undefined ? undefined : run.activityOf(step.probe as string),
      summary: `did ${summaryOf(entry)} happen?`,
      request: { ...requestFor(run, entry, before, attemptsMax), role: 'settle' },
    });
    const end = await settled;
    if (end.kind === 'done') return end.output as Settlement;
    if (end.kind !== 'deferred') return { verdict: 'unknown' };
    // An attempt that has not reported still has its lease: look again when it is over.
    attemptsMax = attemptsLeftOf(attemptsMax, end.attempts - before);
    before = end.attempts;
    await run.runtime.sleep(pacedMs(entry, end.deferMs));
  }
}
