/**
 * Parks as operators see them, whoever's they are, and the decisions on them. Over the API's own login, but through
 * functions that act as the relay's role (0009_decisions.sql): nothing else of other tenants is reached this way.
 */
import type { Decision } from '../saga/protocol.js';
import type { Database } from './database.js';
import type { JobPhase, JobStatus } from './jobs.store.js';
import { queryWithin } from './timed-query.js';

/** Times are RFC 3339. */
export interface DecisionRecord {
  readonly id: string;
  readonly decision: Decision;
  readonly reason: string;
  /** Corrected args; null where there are none. */
  readonly input: unknown;
  readonly output: unknown;
  readonly decidedBy: string;
  readonly decidedAt: string;
  /** `pending`: stored, and on its way to the saga. */
  readonly outcome: 'pending' | 'taken' | 'refused';
  readonly refusal: string | null;
  readonly settledAt: string | null;
}

export interface DeadLetterRecord {
  readonly id: string;
  readonly jobId: string;
  readonly tenantId: string;
  readonly tenant: string;
  readonly kind: string;
  readonly key: string | null;
  readonly status: JobStatus;
  readonly phase: JobPhase;
  readonly park: number;
  readonly step: string;
  readonly item: number | null;
  readonly undo: boolean;
  readonly doubt: boolean;
  readonly possible: readonly Decision[];
  readonly correctable: boolean;
  readonly generation: number;
  /** The step's; null where it has none. */
  readonly args: unknown;
  /** Of a wait by design: when the declared default counts. */
  readonly until: Date | null;
  readonly attempts: number;
  readonly firstError: object | null;
  readonly lastError: object | null;
  readonly traceParent: string | null;
  readonly createdAt: Date;
  readonly closedAt: Date | null;
  /** Until when an attempt may still act; null where none may. */
  readonly actingUntil: Date | null;
  /** Those that came to nothing, then the one that stands. */
  readonly decisions: readonly DecisionRecord[];
  /** What the ledger says of the step now; null where it never began. */
  readonly ledgerState: LedgerState | null;
  /** Of a job that has ended. */
  readonly error: object | null;
}

/** The decision that stands or, where none does, the last that came to nothing. */
export function decisionOf({ decisions }: DeadLetterRecord): DecisionRecord | undefined {
  return decisions.at(-1);
}

export type LedgerState = 'claimed' | 'done' | 'undoing' | 'undone' | 'kept';

export interface DeadLetterFilter {
  readonly job?: string | undefined;
  readonly kind?: string | undefined;
  readonly step?: string | undefined;
  /** Of the last error. */
  readonly code?: string | undefined;
  readonly isOpen?: boolean | undefined;
  /** The last id of the page before. */
  readonly before?: string | undefined;
  readonly limit: number;
}

/** What an operator decides. `input` and `output` are absent, not undefined, where none is given. */
export interface DecisionRequest {
  readonly id: string;
  readonly park: number;
  readonly decision: Decision;
  readonly reason: string;
  readonly input?: unknown;
  readonly output?: unknown;
  /** Who decides, for the record. */
  readonly actor: string;
}

export type DecisionRefusal =
  'unknown' | 'other_park' | 'decided' | 'park_over' | 'not_possible' | 'not_correctable' | 'in_flight';

export type DecisionAnswer =
  | { readonly kind: 'taken' }
  /** The same was decided before. */
  | { readonly kind: 'same' }
  | { readonly kind: 'refused'; readonly why: Exclude<DecisionRefusal, 'in_flight'> }
  /** `until`: when the attempt that may still act cannot any more. */
  | { readonly kind: 'refused'; readonly why: 'in_flight'; readonly until: string };

/** A line of the audit log. */
export interface AuditEntry {
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly tenantId?: string;
  readonly reason?: string;
  readonly before?: object;
  readonly after?: object;
}

/** A call that has no answer by then counts as: the database is away. */
const CALL_TIMEOUT_MS = 5_000;

const COLUMNS = `id, job_id as "jobId", tenant_id as "tenantId", tenant, kind, natural_key as "key", status, phase, park, step,
  item, undo, doubt, possible, correctable, generation, args, until, attempts, first_error as "firstError", last_error as "lastError",
  trace_parent as "traceParent", created_at as "createdAt", closed_at as "closedAt", acting_until as "actingUntil", decisions,
  ledger_state as "ledgerState", error`;

/** A page of dead letters, the latest park first. */
export async function listDeadLetters(
  database: Database,
  { job, kind, step, code, isOpen, before, limit }: DeadLetterFilter,
): Promise<DeadLetterRecord[]> {
  const { rows } = await queryWithin<DeadLetterRecord>(database, CALL_TIMEOUT_MS, {
    name: 'list_dead_letters',
    text: `select ${COLUMNS} from longhaul.list_dead_letters($1::uuid, $2, $3, $4, $5::boolean, $6::uuid, $7::int)`,
    values: [job ?? null, kind ?? null, step ?? null, code ?? null, isOpen ?? null, before ?? null, limit],
  });
  return rows;
}

export async function readDeadLetter(database: Database, id: string): Promise<DeadLetterRecord | undefined> {
  const { rows } = await queryWithin<DeadLetterRecord>(database, CALL_TIMEOUT_MS, {
    name: 'read_dead_letter',
    text: `select ${COLUMNS} from longhaul.read_dead_letter($1::uuid)`,
    values: [id],
  });
  return rows[0];
}

/** Decision, outbox row and line of the audit log in one transaction; or the refusal, and its line. */
export async function decideParked(
  database: Database,
  letterId: string,
  request: DecisionRequest,
  isPivot: boolean,
): Promise<DecisionAnswer> {
  const { rows } = await queryWithin<{ answer: DecisionAnswer }>(database, CALL_TIMEOUT_MS, {
    name: 'decide_parked',
    text: 'select longhaul.decide_parked($1::uuid, $2::jsonb, $3) as answer',
    values: [letterId, JSON.stringify(request), isPivot],
  });
  return (rows[0] as { answer: DecisionAnswer }).answer;
}

/** Writes down what somebody did, or tried. */
export async function noteAction(database: Database, entry: AuditEntry): Promise<void> {
  await queryWithin(database, CALL_TIMEOUT_MS, {
    name: 'note_action',
    text: 'select longhaul.note_action($1::jsonb)',
    values: [JSON.stringify(entry)],
  });
}
