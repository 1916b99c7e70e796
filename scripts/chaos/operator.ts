/** The person on duty: answers what jobs ask by design, and has everything else that is parked tried again. */
import { sleep } from '../../libs/client/backoff.js';
import type { Client } from '../../libs/client/client.js';
import type { DeadLetter, DecisionRequest } from '../../libs/client/dead-letter.types.js';
import { ProblemError } from '../../libs/client/problem.error.js';
import { isNetworkError, isTransient } from '../../libs/client/transport.js';
import type { ChaosKind } from './kinds/kind.js';

export interface Operator {
  /** How many decisions were taken, by step, its undo or not, and decision. */
  decisions(): Readonly<Record<string, number>>;
  /** Jobs that stay parked: what the operator could do was done. */
  stuck(): number;
  /** Settles when the decision in hand is made. */
  stop(): Promise<void>;
}

const LOOK_EVERY_MS = 1_000;
const PAGE_SIZE = 200;
/** Of one job. Past it something is wrong that no trying again will mend, and the audit shall say so. */
const DECISIONS_MAX = 20;
const REASON = 'chaos: decided by the runner';
const CONFLICT = 409;

/** Begins to look after what is parked. */
export function startOperator(client: Client, kinds: readonly ChaosKind[]): Operator {
  const stopped = new AbortController();
  const { signal } = stopped;
  const made = new Map<string, number>();
  const counts: Record<string, number> = {};
  let stuck = 0;

  async function look(): Promise<void> {
    let left = 0;
    for await (const letter of client.deadLetters.list({ status: 'open', pageSize: PAGE_SIZE, signal })) {
      if (letter.decision?.outcome === 'pending' || letter.jobStatus !== 'STARTED') continue;
      const decision = decisionOn(letter, kinds);
      if (decision === undefined || (made.get(letter.jobId) ?? 0) >= DECISIONS_MAX) {
        left += 1;
        continue;
      }
      if (await decide(letter, decision)) {
        made.set(letter.jobId, (made.get(letter.jobId) ?? 0) + 1);
        const name = `${decision.decision} ${letter.undo ? 'the undo of ' : ''}${letter.step}`;
        counts[name] = (counts[name] ?? 0) + 1;
      }
    }
    stuck = left;
  }

  /** False where it came too late, or too early: the next look sees what is so by then. */
  async function decide(letter: DeadLetter, decision: DecisionRequest): Promise<boolean> {
    try {
      await client.deadLetters.decide(letter.id, decision, { signal });
      return true;
    } catch (error) {
      if (error instanceof ProblemError && error.status === CONFLICT) return false;
      throw error;
    }
  }

  const done = (async () => {
    while (!signal.aborted) {
      await look().catch(unlessAway);
      await sleep(LOOK_EVERY_MS, signal).catch(() => undefined);
    }
  })();
  done.catch(() => undefined); // whoever stops it hears of it
  return {
    decisions: () => counts,
    stuck: () => stuck,
    stop: async () => {
      stopped.abort();
      await done;
    },
  };
}

/** The API may be away for longer than its clients try, and the run may be over: the next look, if any, is as good. */
function unlessAway(error: unknown): void {
  const isAway = error instanceof ProblemError ? isTransient(error) : isNetworkError(error);
  const isOver = error instanceof Error && error.name === 'AbortError';
  if (!isAway && !isOver) throw error;
}

/** What is to be done about a parked job; undefined: nothing that can be. */
function decisionOn(letter: DeadLetter, kinds: readonly ChaosKind[]): DecisionRequest | undefined {
  const { park, possible } = letter;
  if (letter.until !== undefined && possible.includes('resolve')) {
    const kind = kinds.find((one) => one.kind === letter.kind);
    return { park, decision: 'resolve', reason: REASON, output: kind?.answer?.(letter) };
  }
  return possible.includes('retry') ? { park, decision: 'retry', reason: REASON } : undefined;
}
