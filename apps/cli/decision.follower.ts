/** What became of a decision: whoever decided waits until the saga has it, and until it shows where that leads. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../libs/client/client.js';
import type { DeadLetter } from '../../libs/client/dead-letter.types.js';
import { isTerminal } from '../../libs/client/job.types.js';

export type DecisionOutcome = { readonly letter: DeadLetter } & (
  | { readonly is: 'went_on' }
  | { readonly is: 'ended' }
  | { readonly is: 'refused' }
  /** `again`: the later park. */
  | { readonly is: 'parked_again'; readonly again: DeadLetter }
  /** The saga has it, and its step is still tried. */
  | { readonly is: 'tried' }
  /** The saga does not have it yet. */
  | { readonly is: 'undelivered' }
);

export interface FollowPace {
  readonly lookEveryMs: number;
  /** The saga has the decision, and asks the ledger about it next: that it was refused there is known by then. */
  readonly ruledWithinMs: number;
  readonly waitMaxMs: number;
}

export const FOLLOW_PACE: FollowPace = { lookEveryMs: 500, ruledWithinMs: 2_000, waitMaxMs: 600_000 };

/** What an exit code says of a decision that was waited for. */
export const OUTCOME_EXIT: Readonly<Record<DecisionOutcome['is'], number>> = {
  went_on: 0,
  ended: 0,
  refused: 1,
  tried: 2,
  undelivered: 2,
  parked_again: 3,
};

/** Looks at the park until the decision on it has led somewhere, for `waitMaxMs` at most. */
export async function followDecision(
  client: Client,
  id: string,
  pace: FollowPace = FOLLOW_PACE,
): Promise<DecisionOutcome> {
  const giveUpAt = performance.now() + pace.waitMaxMs;
  let takenAt: number | undefined;
  for (;;) {
    const letter = await client.deadLetters.get(id);
    const outcome = letter.decision?.outcome ?? 'pending';
    if (outcome === 'refused') return { is: 'refused', letter };
    if (outcome === 'taken') {
      takenAt ??= performance.now();
      const isRuled = performance.now() - takenAt >= pace.ruledWithinMs;
      const seen = await whereItLed(client, letter, isRuled);
      if (seen) return seen;
    }
    if (performance.now() > giveUpAt) return { is: outcome === 'taken' ? 'tried' : 'undelivered', letter };
    await sleep(pace.lookEveryMs);
  }
}

async function whereItLed(
  client: Client,
  letter: DeadLetter,
  isRuled: boolean,
): Promise<DecisionOutcome | undefined> {
  if (isTerminal({ status: letter.jobStatus })) return { is: 'ended', letter };
  if (!isRuled) return undefined;
  const again = await latestParkOf(client, letter.jobId);
  // A refusal by the ledger parks anew, too: then it is the decision that tells.
  if (again && again.park > letter.park) {
    const latest = await client.deadLetters.get(letter.id);
    return latest.decision?.outcome === 'refused'
      ? { is: 'refused', letter: latest }
      : { is: 'parked_again', letter, again };
  }
  const isSettled =
    letter.status === 'closed' && letter.ledgerState !== null && SETTLED.has(letter.ledgerState);
  return isSettled ? { is: 'went_on', letter } : undefined;
}

const SETTLED: ReadonlySet<DeadLetter['ledgerState']> = new Set(['done', 'undone', 'kept']);

/** The park a job waits at, or was at last. */
export async function latestParkOf(client: Client, job: string): Promise<DeadLetter | undefined> {
  for await (const letter of client.deadLetters.list({ job, pageSize: 1 })) return letter;
  return undefined;
}
