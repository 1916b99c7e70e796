/** The door into the database: accepting jobs and asking for their cancellation, one round trip each. */
import type { Transaction } from '../saga/implement.js';
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
  readonly traceParent: string | null;
  /** RFC 3339: not before then, and the deadline counts from there. */
  readonly delayUntil?: string | undefined;
  /** The schedule it is a run of. */
  readonly scheduled?: ScheduledFor | undefined;
  /** The job that is to tell of the end. */
  readonly callback?: SealedCallback | undefined;
}

export interface ScheduledFor {
  readonly scheduleId: string;
  /** RFC 3339. */
  readonly scheduledAt: string;
  /** The workflow that waits for the job's end. */
  readonly scheduleRun?: string;
}

export interface SealedCallback {
  readonly id: string;
  /** Sealed. */
  readonly input: Buffer;
  readonly digest: Buffer;
  readonly deadlineMs: number;
}

/** An item of a batch that was refused before; it keeps its place in the answer. */
export interface RefusedInput {
  readonly problem: object;
}

export interface AcceptRequest {
  readonly tenantId: string;
  readonly route: string;
  readonly idempotencyKey: string | undefined;
  /** Keyed digest of the whole body's canonical JSON; of no use without an idempotency key. */
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
  const { rows } = await queryWithin<{ answer: AcceptAnswer }>(database, ACCEPT_TIMEOUT_MS, {
    name: 'accept',
    text: ACCEPT,
    values: acceptValues(request),
  });
  return answerOf(rows);
}

/** {@link acceptJobs} inside a transaction that is under way: what is accepted is kept with it, or not at all. */
export async function acceptWithin(tx: Transaction, request: AcceptRequest): Promise<AcceptAnswer> {
  const { rows } = await tx.query<{ answer: AcceptAnswer }>(ACCEPT, acceptValues(request));
  return answerOf(rows);
}

const ACCEPT = 'select longhaul.accept($1::uuid, $2::text, $3::text, $4::bytea, $5::jsonb) as answer';

function acceptValues({ tenantId, route, idempotencyKey, fingerprint, jobs }: AcceptRequest): unknown[] {
  return [tenantId, route, idempotencyKey ?? null, fingerprint, JSON.stringify(jobs.map(toItem))];
}

function answerOf([row]: readonly { readonly answer: AcceptAnswer }[]): AcceptAnswer {
  if (!row) throw new Error('longhaul.accept answered no row');
  return row.answer;
}

function toItem(job: AcceptedInput | RefusedInput): object {
  if ('problem' in job) return job;
  const { callback, scheduled, ...rest } = job;
  return {
    ...rest,
    ...scheduled,
    ...inText(job),
    ...(callback ? { callback: { ...callback, ...inText(callback) } } : {}),
  };
}

function inText({ input, digest }: Pick<AcceptedInput, 'input' | 'digest'>): {
  input: string;
  digest: string;
} {
  return { input: input.toString('base64'), digest: digest.toString('hex') };
}

/** A request that makes one new job, or finds it there. */
export interface SingleRequest extends AcceptRequest {
  readonly jobs: readonly [AcceptedInput];
}

/**
 * Whether a request may go with others: it never restarts a job, which would wait for that job's lock, and has nothing
 * that few jobs have.
 */
export function isSingle(request: AcceptRequest): request is SingleRequest {
  const [job] = request.jobs;
  return (
    request.jobs.length === 1 &&
    job !== undefined &&
    'kind' in job &&
    !job.restart &&
    job.delayUntil === undefined &&
    job.scheduled === undefined &&
    job.callback === undefined
  );
}

interface ManyAnswers {
  readonly at: string;
  readonly others: Readonly<Record<string, AcceptAnswer>>;
}

/**
 * {@link acceptJobs} for many requests of one tenant in one transaction; answers in their order. `replayed: null` says
 * nothing of its request: ask {@link acceptJobs}. A rival transaction is waited for 100 ms at most; whatever is thrown with
 * an SQLSTATE, nothing of it was kept.
 */
export async function acceptMany(
  database: Database,
  tenantId: string,
  requests: readonly SingleRequest[],
): Promise<AcceptAnswer[]> {
  const submissions = requests.map(({ route, idempotencyKey, fingerprint, jobs: [job] }) => ({
    id: job.id,
    route,
    ...(idempotencyKey === undefined
      ? {}
      : { idempotency_key: idempotencyKey, fingerprint: toBytea(fingerprint) }),
    kind: job.kind,
    key: job.key,
    input: toBytea(job.input),
    digest: toBytea(job.digest),
    deadline_ms: job.deadlineMs,
    trace_parent: job.traceParent,
  }));
  const { rows } = await queryWithin<{ answer: ManyAnswers }>(database, ACCEPT_TIMEOUT_MS, {
    name: 'accept_many',
    text: 'select longhaul.accept_many($1::uuid, $2::json) as answer',
    values: [tenantId, JSON.stringify(submissions)],
  });
  const [row] = rows;
  if (!row) throw new Error('longhaul.accept_many answered no row');
  const { at } = row.answer;
  const others = new Map(Object.entries(row.answer.others));
  return requests.map(({ jobs: [job] }) => others.get(job.id) ?? acceptedAt(at, job));
}

function acceptedAt(at: string, { id, deadlineMs }: AcceptedInput): AcceptAnswer {
  const deadlineAt = new Date(Date.parse(at) + deadlineMs).toISOString();
  return {
    replayed: false,
    reused: false,
    items: [{ outcome: 'accepted', jobId: id, createdAt: at, deadlineAt, attemptOf: null }],
  };
}

/** As PostgreSQL reads it in a text. */
function toBytea(bytes: Buffer): string {
  return `\\x${bytes.toString('hex')}`;
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
