/** The door into the database: accepting jobs and asking for their cancellation, one round trip each. */
import type { Database } from './database.js';
import { queryWithin } from './timed-query.js';

/** A validated, sealed job on its way in. */
export interface AcceptedInput {
  readonly id: string;
  readonly kind: string;
  readonly key: string | null;
  /** Sealed. */
  readonly input: Buffer;
  /** Keyed digest of the input's canonical JSON: the same input or another one. */
  readonly digest: Buffer;
  readonly deadlineMs: number;
  readonly restart: boolean;
  readonly traceParent: string;
}

/** An item of a batch that was refused before; it keeps its place in the answer. */
export interface RefusedInput {
  readonly problem: object;
}

export interface AcceptRequest {
  readonly tenantId: string;
  readonly route: string;
  readonly idempotencyKey: string | undefined;
  /** Keyed digest of the whole body's canonical JSON. */
  readonly fingerprint: Buffer;
  readonly jobs: readonly (AcceptedInput | RefusedInput)[];
}

export type AcceptOutcome =
  | {
      readonly outcome: 'accepted';
      readonly jobId: string;
      readonly createdAt: string;
      readonly deadlineAt: string;
      readonly attemptOf: string | null;
    }
  | { readonly outcome: 'duplicate'; readonly jobId: string }
  | { readonly outcome: 'conflict'; readonly jobId: string }
  | { readonly outcome: 'invalid'; readonly problem: object };

export interface AcceptAnswer {
  /** The idempotency key was seen with this body: `items` are the first answer's. Null: it vanished while we looked. */
  readonly replayed: boolean | null;
  /** The idempotency key was seen with another body. */
  readonly reused: boolean | null;
  readonly items: readonly AcceptOutcome[];
}

export type CancelOutcome =
  'not_found' | 'already_cancelled' | 'finished' | 'too_late' | 'requested' | 'cancelled';

/** Longer than the lock time-outs inside the functions, so that those speak first. */
const ACCEPT_TIMEOUT_MS = 10_000;

/**
 * Writes idempotency row, jobs and outbox rows in one transaction, or answers what is there. A rival transaction is
 * waited for 1 s at most, then PostgreSQL's error 55P03 is thrown.
 */
export async function acceptJobs(database: Database, request: AcceptRequest): Promise<AcceptAnswer> {
  const jobs = request.jobs.map((job) =>
    'problem' in job
      ? job
      : { ...job, input: job.input.toString('base64'), digest: job.digest.toString('hex') },
  );
  const { rows } = await queryWithin<{ answer: AcceptAnswer }>(database, ACCEPT_TIMEOUT_MS, {
    name: 'accept',
    text: 'select longhaul.accept($1::uuid, $2::text, $3::text, $4::bytea, $5::jsonb) as answer',
    values: [
      request.tenantId,
      request.route,
      request.idempotencyKey ?? null,
      request.fingerprint,
      JSON.stringify(jobs),
    ],
  });
  const [row] = rows;
  if (!row) throw new Error('longhaul.accept answered no row');
  return row.answer;
}

/** Asks for a job's cancellation, decided under its row's lock. */
export async function requestCancel(
  database: Database,
  tenantId: string,
  jobId: string,
  reason: string | undefined,
): Promise<CancelOutcome> {
  const { rows } = await queryWithin<{ outcome: CancelOutcome }>(database, ACCEPT_TIMEOUT_MS, {
    name: 'request_cancel',
    text: 'select longhaul.request_cancel($1::uuid, $2::uuid, $3::text) as outcome',
    values: [tenantId, jobId, reason ?? null],
  });
  const [row] = rows;
  if (!row) throw new Error('longhaul.request_cancel answered no row');
  return row.outcome;
}
