/** What both contenders of the bench `engine` do for a trip: the same three effects, whoever orders them. Pure of Temporal. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Transaction } from '../../libs/saga/implement.js';

/** A provider forgets the keys of long ago. */
const KEYS_KEPT_MAX = 100_000;

/** Answers a call under a key it has seen with what it said then. */
export interface Provider {
  call(key: string): Promise<string>;
  /** What it said under this key, if it was called. */
  find(key: string): string | undefined;
}

/** A provider within the process, which answers in the next turn: what is measured is all around it. */
export function createProvider(prefix: string): Provider {
  const said = new Map<string, string>();
  return {
    async call(key) {
      await nextTurn();
      const answer = said.get(key) ?? `${prefix}_${key}`;
      said.set(key, answer);
      const [oldest] = said.keys();
      if (said.size > KEYS_KEPT_MAX && oldest !== undefined) said.delete(oldest);
      return answer;
    },
    find: (key) => said.get(key),
  };
}

/** The effect in our own database. */
export async function takeSeat(tx: Pick<Transaction, 'query'>, jobId: string, seat: string): Promise<void> {
  await tx.query('insert into bench.seats (job_id, seat) values ($1, $2)', [jobId, seat]);
}

/** Its undo. */
export async function giveSeatBack(tx: Pick<Transaction, 'query'>, jobId: string): Promise<boolean> {
  const { rowCount } = await tx.query('delete from bench.seats where job_id = $1', [jobId]);
  return (rowCount ?? 0) > 0;
}
