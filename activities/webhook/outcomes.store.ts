/** What became of deliveries, written down many at a time (role worker, in the tenant's transaction). */
import type { Transaction } from '../../libs/saga/implement.js';
import type { AttemptRecord } from '../../libs/webhooks/delivery-log.store.js';
import type { DisabledReason } from '../../libs/webhooks/endpoints.store.js';
import type { Verdict } from '../../libs/webhooks/verdict.js';
import type { DueDelivery } from './deliveries.store.js';

/** Attempts whose outcome is kept with the delivery. */
const TRIES_KEPT_MAX = 20;
/** From so many failures in a row on, an endpoint is left alone for a while, and for longer the more there are. */
const FAILURES_BEFORE_PAUSE = 5;
const PAUSE_FIRST_SECONDS = 10;
const PAUSE_MOST_SECONDS = 300;
/** An endpoint that failed everything for so long is disabled. */
const FAILING_MAX_DAYS = 5;

/** An attempt, begun at `atMs` since 1970. */
export type Attempted = Omit<AttemptRecord, 'at'> & { readonly atMs: number };

/** What became of one attempt. */
export interface Outcome {
  readonly carrierId: string;
  readonly delivery: DueDelivery;
  readonly verdict: Verdict;
  readonly attempt: Attempted;
}

/** Of each carrier, how many outcomes were news: what another attempt of the job has recorded already is not. */
export type News = ReadonlyMap<string, number>;

/** The columns by which a delivery is found, and known to be as it was when it was sent, as arrays of PostgreSQL. */
const WHICH = `$1::uuid[], $2::uuid[], $3::uuid[], $4::int[]`;
const IS_AS_SENT = `d.job_id = o.job_id and d.endpoint_id = o.endpoint_id
  -- As conditions that no index serves: taken for rare, each would have all of the job's rows read for a few.
  and (d.carrier_id = o.carrier_id and d.state = 'open' and d.attempts = o.attempts) is true`;

/** Writes outcomes down. */
export async function recordOutcomes(tx: Transaction, outcomes: readonly Outcome[]): Promise<News> {
  const well = outcomes.filter(isWell);
  const others = outcomes.filter((outcome) => !isWell(outcome));
  const news = new Map<string, number>();
  for (const [carrierId, count] of [
    ...(well.length > 0 ? await recordWell(tx, well) : []),
    ...(others.length > 0 ? await recordOthers(tx, others) : []),
  ]) {
    news.set(carrierId, (news.get(carrierId) ?? 0) + count);
  }
  return news;
}

function isWell({ verdict }: Outcome): boolean {
  return verdict.state === 'delivered';
}

/** Nearly all of them, so in few bytes: what `tries` would say of them has columns of its own. */
function recordWell(tx: Transaction, outcomes: readonly Outcome[]): Promise<[string, number][]> {
  return counted(
    tx,
    `update longhaul.webhook_deliveries d
        set state = 'delivered', attempts = d.attempts + 1, slot_at = null, settled_at = now(),
            well_status = o.status, well_ms = o.ms
       from unnest(${WHICH}, $5::smallint[], $6::int[])
         as o(carrier_id, job_id, endpoint_id, attempts, status, ms)
      where ${IS_AS_SENT}
      returning d.carrier_id`,
    [
      ...which(outcomes),
      plainArray(outcomes.map(({ attempt }) => attempt.status as number)),
      plainArray(outcomes.map(({ attempt }) => attempt.durationMs)),
    ],
  );
}

function recordOthers(tx: Transaction, outcomes: readonly Outcome[]): Promise<[string, number][]> {
  return counted(
    tx,
    `update longhaul.webhook_deliveries d
        set state = o.state, attempts = d.attempts + 1, due_at = now() + o.delay_ms * interval '1 millisecond',
            slot_at = null, reason = o.reason, settled_at = case when o.state <> 'open' then now() end,
            tries = case when jsonb_array_length(d.tries) < ${TRIES_KEPT_MAX} then d.tries else d.tries - 0 end || o.attempt
       from unnest(${WHICH}, $5::text[], $6::bigint[], $7::text[], $8::jsonb[])
         as o(carrier_id, job_id, endpoint_id, attempts, state, delay_ms, reason, attempt)
      where ${IS_AS_SENT}
      returning d.carrier_id`,
    [
      ...which(outcomes),
      outcomes.map(({ verdict }) => verdict.state),
      outcomes.map(({ verdict }) => verdict.delayMs),
      outcomes.map(({ verdict }) => verdict.reason ?? null),
      outcomes.map(({ attempt }) => JSON.stringify(recordOf(attempt))),
    ],
  );
}

function recordOf({ atMs, ...rest }: Attempted): AttemptRecord {
  return { at: new Date(atMs).toISOString(), ...rest };
}

async function counted(
  tx: Transaction,
  update: string,
  values: readonly unknown[],
): Promise<[string, number][]> {
  const { rows } = await tx.query<{ readonly carrierId: string; readonly count: number }>(
    `with written as (${update})
     select carrier_id as "carrierId", count(*)::int as count from written group by carrier_id`,
    values,
  );
  return rows.map(({ carrierId, count }) => [carrierId, count]);
}

function which(outcomes: readonly Outcome[]): string[] {
  return [
    plainArray(outcomes.map(({ carrierId }) => carrierId)),
    plainArray(outcomes.map(({ delivery }) => delivery.jobId)),
    plainArray(outcomes.map(({ delivery }) => delivery.endpointId)),
    plainArray(outcomes.map(({ delivery }) => delivery.attempts)),
  ];
}

/** Ids and numbers need no quotes, for which the driver would look at each. */
function plainArray(values: readonly (string | number)[]): string {
  return `{${values.join(',')}}`;
}

/** An endpoint that was disabled by what it answered, or did not. */
export interface DisabledEndpoint {
  readonly id: string;
  readonly url: string;
  readonly reason: DisabledReason;
}

/** Writes down how endpoints are, where that changed; answers those that are disabled from now on. */
export async function recordHealth(
  tx: Transaction,
  outcomes: readonly Outcome[],
): Promise<DisabledEndpoint[]> {
  const changes = outcomes.filter(({ verdict, delivery }) => verdict.health !== 'well' || delivery.failing);
  if (changes.length === 0) return [];
  const { rows } = await tx.query<DisabledEndpoint>(
    `with said as (
       select id, count(*) filter (where health in ('failed', 'slowed'))::int as failed, max(pause_ms) as pause_ms,
              bool_or(health = 'well') as well, bool_or(health = 'gone') as gone
         from unnest($1::uuid[], $2::text[], $3::int[]) as o(id, health, pause_ms) group by id
     ), now_so as (
       select e.id, s.well, s.pause_ms, case when s.well then 0 else e.failures + s.failed end as failures,
              case when s.well then null else coalesce(e.failing_since, now()) end as failing_since,
              case when e.is_callback then null
                   when s.gone then 'gone'
                   when not s.well and e.failing_since < now() - interval '${FAILING_MAX_DAYS} days' then 'failing' end as disabled
         from longhaul.webhook_endpoints e join said s on s.id = e.id
        where e.state = 'enabled' and e.deleted_at is null order by e.id for update of e
     )
     update longhaul.webhook_endpoints e
        set failures = n.failures, failing_since = n.failing_since,
            open_until = case when n.well then null else greatest(e.open_until,
              case when n.pause_ms > 0 then now() + n.pause_ms * interval '1 millisecond' end,
              case when n.failures >= ${FAILURES_BEFORE_PAUSE} then now() + interval '1 second' *
                least(${PAUSE_MOST_SECONDS}, ${PAUSE_FIRST_SECONDS} * 2 ^ least(n.failures - ${FAILURES_BEFORE_PAUSE}, 10)) end) end,
            state = case when n.disabled is null then e.state else 'disabled' end,
            disabled_reason = n.disabled, disabled_at = case when n.disabled is not null then now() end
       from now_so n where e.id = n.id
       returning e.id, e.url, e.disabled_reason as reason`,
    [
      changes.map(({ delivery }) => delivery.endpointId),
      changes.map(({ verdict }) => verdict.health),
      changes.map(({ verdict }) => verdict.pauseMs),
    ],
  );
  return rows.filter(({ reason }) => reason !== null);
}
