/** What became of a job's messages, for their readers (role app, in the tenant's transaction). */
import type { Transaction } from '../saga/implement.js';

export type MessageState = 'open' | 'sending' | 'sent' | 'refused' | 'suppressed' | 'dead' | 'withdrawn';

export interface MessageRecord {
  readonly ordinal: number;
  readonly state: MessageState;
  readonly attempts: number;
  readonly doubts: number;
  readonly dueAt: Date;
  readonly reason: string | null;
  readonly reply: string | null;
  readonly settledAt: Date | null;
}

export interface MessageFilter {
  readonly state: MessageState | undefined;
  /** From this place on. */
  readonly from: number;
  readonly limit: number;
}

/** A page of a job's messages, in the list's order. */
export async function listMessages(
  tx: Transaction,
  jobId: string,
  filter: MessageFilter,
): Promise<MessageRecord[]> {
  const { rows } = await tx.query<MessageRecord>(
    `select ordinal, state, attempts, doubts, due_at as "dueAt", reason, reply, settled_at as "settledAt"
       from longhaul.email_deliveries
      where job_id = $1 and ordinal >= $2 and ($3::text is null or state = $3) order by ordinal limit $4`,
    [jobId, filter.from, filter.state ?? null, filter.limit],
  );
  return rows;
}
