/** A job's messages as it works on them (role worker, in the tenant's transaction). */
import type { Verdict } from '../../libs/emails/verdict.js';
import type { Transaction } from '../../libs/saga/implement.js';

/** A row for each recipient. */
export async function enroll(
  tx: Transaction,
  tenantId: string,
  jobId: string,
  recipients: number,
): Promise<void> {
  await tx.query(
    `insert into longhaul.email_deliveries (job_id, ordinal, tenant_id)
       select $1, ordinal, $2 from generate_series(0, $3::int - 1) ordinal on conflict do nothing`,
    [jobId, tenantId, recipients],
  );
}

/** The undo of {@link enroll}: whatever is still open is not sent. */
export async function withdraw(tx: Transaction, jobId: string): Promise<'undone' | 'noop'> {
  const { rowCount } = await tx.query(
    `update longhaul.email_deliveries set state = 'withdrawn', settled_at = now() where job_id = $1 and state = 'open'`,
    [jobId],
  );
  return rowCount ? 'undone' : 'noop';
}

export interface Stopped {
  readonly withdrawn: number;
  readonly sent: number;
  /** They were under way when their worker was lost, or nobody heard an answer: they may have been sent. */
  readonly doubtful: number;
  readonly total: number;
}

/** Stops a job's messages for good, and tells what cannot be taken back. Said again, it tells the same. */
export async function stop(tx: Transaction, jobId: string): Promise<Stopped> {
  await tx.query(
    `update longhaul.email_deliveries
        set doubts = doubts + (state = 'sending')::int, state = 'withdrawn', settled_at = now()
      where job_id = $1 and state in ('open', 'sending')`,
    [jobId],
  );
  const { rows } = await tx.query<Stopped>(
    `select count(*) filter (where state = 'withdrawn')::int as withdrawn, count(*) filter (where state = 'sent')::int as sent,
            count(*) filter (where state <> 'sent' and doubts > 0)::int as doubtful, count(*)::int as total
       from longhaul.email_deliveries where job_id = $1`,
    [jobId],
  );
  return rows[0] as Stopped;
}

/** What an attempt before had under way is open again: it may have been sent, and will be sent under the same Message-ID. */
export async function reopenLost(tx: Transaction, jobId: string): Promise<void> {
  await tx.query(
    `update longhaul.email_deliveries set state = 'open', doubts = doubts + 1, due_at = now() where job_id = $1 and state = 'sending'`,
    [jobId],
  );
}

/** A message that this attempt alone may send now. */
export interface ClaimedMessage {
  readonly ordinal: number;
  readonly attempts: number;
  /** Tells this attempt's work from a later one's. */
  readonly claims: number;
}

export interface Claim {
  readonly messages: readonly ClaimedMessage[];
  /** Nothing may be sent for so long: the server asked for it, or the rate is used up. 0: go on. */
  readonly closedMs: number;
  /** When the first of them may be sent, from now; and how long after each the next. */
  readonly firstInMs: number;
  readonly everyMs: number;
  /** The server was away, and has not been heard since. */
  readonly isProbing: boolean;
}

export interface Rates {
  /** Messages a second, by all workers and of one tenant; undefined: as many as come. */
  readonly all: number | undefined;
  readonly tenant: number | undefined;
}

/** A turn further away than this is waited for without a worker. */
const PACED_AHEAD_MS_MAX = 2_000;
const MS_PER_SECOND = 1_000;

interface GateRow {
  readonly scope: string;
  readonly slotInMs: number;
  readonly closedMs: number;
  readonly failures: number;
}

/**
 * Takes up messages that are due, from the one after `after`, and marks them as under way; their turns are given out over all
 * workers. After a failure of the server one alone is tried.
 */
export async function claimDue(
  tx: Transaction,
  {
    tenantId,
    jobId,
    after,
    limit,
    rates,
  }: {
    readonly tenantId: string;
    readonly jobId: string;
    readonly after: number;
    readonly limit: number;
    readonly rates: Rates;
  },
): Promise<Claim> {
  const gates = await lockGates(tx, tenantId, rates);
  const rate = Math.min(rates.all ?? Infinity, rates.tenant ?? Infinity);
  const everyMs = Number.isFinite(rate) ? MS_PER_SECOND / rate : 0;
  const isProbing = gates.some(({ failures }) => failures > 0);
  const none = { messages: [], firstInMs: 0, everyMs, isProbing };
  const closedMs = Math.max(0, ...gates.map((gate) => gate.closedMs));
  if (closedMs > 0) return { ...none, closedMs };
  const firstInMs = Math.max(
    0,
    ...gates.filter(({ scope }) => rateOf(scope, rates)).map((gate) => gate.slotInMs),
  );
  if (firstInMs > PACED_AHEAD_MS_MAX) return { ...none, closedMs: firstInMs };
  const atRate = everyMs === 0 ? limit : Math.max(1, Math.floor(PACED_AHEAD_MS_MAX / everyMs));
  const { rows } = await tx.query<ClaimedMessage>(
    // Materialized: planned as the inner side of a join, it would be run again for each row, and take up more than its limit.
    `with due as materialized (
       select ordinal from longhaul.email_deliveries
        where job_id = $1 and ordinal > $2 and state = 'open' and due_at <= now()
        order by ordinal limit $3 for update skip locked)
     update longhaul.email_deliveries d set state = 'sending', claims = d.claims + 1
       from due
      where d.job_id = $1 and d.ordinal = due.ordinal returning d.ordinal, d.attempts, d.claims`,
    [jobId, after, isProbing ? 1 : Math.min(limit, atRate)],
  );
  const messages = rows.toSorted((a, b) => a.ordinal - b.ordinal);
  await takeTurns(tx, gates, messages.length, rates);
  return { messages, closedMs: 0, firstInMs, everyMs, isProbing };
}

async function lockGates(tx: Transaction, tenantId: string, rates: Rates): Promise<GateRow[]> {
  if (rates.tenant !== undefined) {
    await tx.query(
      'insert into longhaul.email_gates (scope, tenant_id) values ($1::text, $1::uuid) on conflict do nothing',
      [tenantId],
    );
  }
  const { rows } = await tx.query<GateRow>(
    `select scope, failures, greatest(0, extract(epoch from next_slot_at - now()) * 1000)::float8 as "slotInMs",
            greatest(0, coalesce(extract(epoch from open_until - now()) * 1000, 0))::float8 as "closedMs"
       from longhaul.email_gates where scope in ('all', $1) order by scope for update`,
    [tenantId],
  );
  return rows;
}

function rateOf(scope: string, rates: Rates): number | undefined {
  return scope === 'all' ? rates.all : rates.tenant;
}

async function takeTurns(
  tx: Transaction,
  gates: readonly GateRow[],
  many: number,
  rates: Rates,
): Promise<void> {
  if (many === 0) return;
  for (const { scope } of gates) {
    const rate = rateOf(scope, rates);
    if (rate === undefined) continue;
    await tx.query(
      `update longhaul.email_gates set next_slot_at = greatest(next_slot_at, now()) + $2::float8 * interval '1 second' where scope = $1`,
      [scope, many / rate],
    );
  }
}

/** Gives back what was taken up and not begun. */
export async function release(
  tx: Transaction,
  jobId: string,
  messages: readonly ClaimedMessage[],
): Promise<void> {
  await tx.query(
    `update longhaul.email_deliveries d set state = 'open'
       from unnest($2::int[], $3::int[]) as o(ordinal, claims)
      where d.job_id = $1 and d.ordinal = o.ordinal and (d.state = 'sending' and d.claims = o.claims) is true`,
    [jobId, messages.map(({ ordinal }) => ordinal), messages.map(({ claims }) => claims)],
  );
}

/** What became of one. */
export interface Outcome {
  readonly message: ClaimedMessage;
  readonly verdict: Verdict;
  /** Where it is a bounce: whom nothing is sent to any more. */
  readonly address: string | undefined;
}

/** Writes outcomes down. Answers how many were news: what another attempt of the job has taken up meanwhile is not. */
export async function recordOutcomes(
  tx: Transaction,
  jobId: string,
  outcomes: readonly Outcome[],
): Promise<number> {
  const { rowCount } = await tx.query(
    `update longhaul.email_deliveries d
        set state = o.state, attempts = d.attempts + o.attempt, doubts = d.doubts + o.doubt,
            due_at = now() + o.delay_ms * interval '1 millisecond', reason = o.reason, reply = o.reply,
            settled_at = case when o.state <> 'open' then now() end
       from unnest($2::int[], $3::int[], $4::text[], $5::int[], $6::int[], $7::bigint[], $8::text[], $9::text[])
         as o(ordinal, claims, state, attempt, doubt, delay_ms, reason, reply)
      where d.job_id = $1 and d.ordinal = o.ordinal
        -- As conditions that no index serves: taken for rare, each would have all of the job's rows read for a few.
        and (d.state = 'sending' and d.claims = o.claims) is true`,
    [
      jobId,
      outcomes.map(({ message }) => message.ordinal),
      outcomes.map(({ message }) => message.claims),
      outcomes.map(({ verdict }) => verdict.state),
      outcomes.map(({ verdict }) => Number(verdict.isAttempt)),
      outcomes.map(({ verdict }) => Number(verdict.isDoubtful)),
      outcomes.map(({ verdict }) => verdict.delayMs),
      outcomes.map(({ verdict }) => verdict.reason ?? null),
      outcomes.map(({ verdict }) => verdict.reply ?? null),
    ],
  );
  return rowCount ?? 0;
}

/** For so long nothing is sent when the server is away; doubled each time in a row, up to the most. */
const PAUSE_FIRST_SECONDS = 5;
const PAUSE_MOST_SECONDS = 300;

/**
 * The server is away, or wants less: all workers heed it. Failures that are noticed together are one. Answers for how long,
 * in milliseconds.
 */
export async function closeGate(tx: Transaction, reason: string): Promise<number> {
  await tx.query(
    `update longhaul.email_gates
        set failures = failures + 1, reason = $1,
            open_until = now() + interval '1 second' * least(${PAUSE_MOST_SECONDS}, ${PAUSE_FIRST_SECONDS} * 2 ^ least(failures, 10))
      where scope = 'all' and (open_until is null or open_until <= now())`,
    [reason],
  );
  const { rows } = await tx.query<{ closedMs: number }>(
    `select greatest(0, extract(epoch from open_until - now()) * 1000)::float8 as "closedMs" from longhaul.email_gates where scope = 'all'`,
  );
  return rows[0]?.closedMs ?? 0;
}

/** The server is back. */
export async function openGate(tx: Transaction): Promise<void> {
  await tx.query(
    `update longhaul.email_gates set failures = 0, open_until = null, reason = null where scope = 'all' and failures > 0`,
  );
}

export interface Standing {
  readonly open: number;
  readonly sent: number;
  readonly suppressed: number;
  readonly refused: number;
  readonly dead: number;
  /** Until the next may be sent; null where none is open. */
  readonly nextInMs: number | null;
}

/** How far a job's messages are. */
export async function standingOf(tx: Transaction, jobId: string): Promise<Standing> {
  const { rows } = await tx.query<Standing>(
    `select count(*) filter (where state in ('open', 'sending'))::int as open, count(*) filter (where state = 'sent')::int as sent,
            count(*) filter (where state = 'suppressed')::int as suppressed,
            count(*) filter (where state = 'refused')::int as refused, count(*) filter (where state = 'dead')::int as dead,
            (extract(epoch from min(due_at) filter (where state in ('open', 'sending')) - now()) * 1000)::float8 as "nextInMs"
       from longhaul.email_deliveries where job_id = $1`,
    [jobId],
  );
  return rows[0] as Standing;
}

/** Why a job's only message was not sent. */
export async function failureOf(
  tx: Transaction,
  jobId: string,
): Promise<{ readonly reason: string | null; readonly reply: string | null } | undefined> {
  const { rows } = await tx.query<{ reason: string | null; reply: string | null }>(
    `select reason, reply from longhaul.email_deliveries where job_id = $1 and state in ('refused', 'dead')`,
    [jobId],
  );
  return rows[0];
}
