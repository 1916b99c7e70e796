/** Deliveries as their job works on them (role worker, in the tenant's transaction). */
import type { Transaction } from '../../libs/saga/implement.js';
import type { AttemptRecord } from '../../libs/webhooks/delivery-log.store.js';
import type { DisabledReason } from '../../libs/webhooks/endpoints.store.js';
import type { Verdict } from '../../libs/webhooks/verdict.js';

/** Attempts whose outcome is kept with the delivery. */
const TRIES_KEPT_MAX = 20;
/** From so many failures in a row on, an endpoint is left alone for a while, and for longer the more there are. */
const FAILURES_BEFORE_PAUSE = 5;
const PAUSE_FIRST_SECONDS = 10;
const PAUSE_MOST_SECONDS = 300;
/** An endpoint that failed everything for so long is disabled. */
const FAILING_MAX_DAYS = 5;

/** Lists the endpoints that subscribe to one of the patterns, or `endpoint` alone; answers how many there are. */
export async function enroll(
  tx: Transaction,
  jobId: string,
  { patterns, endpoint }: { readonly patterns: readonly string[]; readonly endpoint: string | undefined },
): Promise<number> {
  const { rowCount } = await tx.query(
    `insert into longhaul.webhook_deliveries (job_id, endpoint_id, tenant_id, carrier_id)
       select $1, id, tenant_id, $1 from longhaul.webhook_endpoints
        where deleted_at is null and state = 'enabled' and case when $3::uuid is null then event_types && $2 else id = $3 end
       on conflict do nothing`,
    [jobId, patterns, endpoint ?? null],
  );
  return rowCount ?? 0;
}

/** The undo of {@link enroll}. */
export async function withdraw(tx: Transaction, jobId: string): Promise<'undone' | 'noop'> {
  const { rowCount } = await tx.query(
    `update longhaul.webhook_deliveries set state = 'withdrawn', settled_at = now()
      where job_id = $1 and carrier_id = $1 and state = 'open'`,
    [jobId],
  );
  return rowCount ? 'undone' : 'noop';
}

export interface Resending {
  readonly endpoint: string;
  readonly event?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}

/** Takes over what is to be sent again: one event's delivery, whatever became of it, or those given up in a range of time. */
export async function collect(
  tx: Transaction,
  jobId: string,
  { endpoint, event, since, until }: Resending,
): Promise<number> {
  const { rowCount } = await tx.query(
    `update longhaul.webhook_deliveries
        set carrier_id = $1, state = 'open', attempts = 0, due_at = now(), slot_at = null, reason = null, settled_at = null
      where endpoint_id = $2 and state <> 'open'
        and case when $3::uuid is not null then job_id = $3
            else state = 'dead' and created_at >= $4::timestamptz and created_at < coalesce($5::timestamptz, now()) end`,
    [jobId, endpoint, event ?? null, since ?? null, until ?? null],
  );
  return rowCount ?? 0;
}

/** The undo of {@link collect}: given up again. */
export async function giveBack(tx: Transaction, jobId: string): Promise<'undone' | 'noop'> {
  const { rowCount } = await tx.query(
    `update longhaul.webhook_deliveries set state = 'dead', reason = 'resend_withdrawn', settled_at = now()
      where carrier_id = $1 and state = 'open'`,
    [jobId],
  );
  return rowCount ? 'undone' : 'noop';
}

/** A delivery whose turn it is, with its endpoint as it is now. */
export interface DueDelivery {
  readonly jobId: string;
  readonly endpointId: string;
  readonly attempts: number;
  readonly url: string;
  /** The endpoint, or what else its secret is sealed for. */
  readonly secretOf: string;
  readonly secret: Buffer;
  /** Null where the secret was not changed lately. */
  readonly previousSecret: Buffer | null;
  readonly concurrency: number;
  /** It failed before: a success is worth to be written down. */
  readonly failing: boolean;
}

/**
 * A page of what is due, by endpoint, from the one after `after`. Endpoints in trouble are passed over until their pause
 * is over; those with a rate have their turns given out first.
 */
export async function dueDeliveries(
  tx: Transaction,
  carrierId: string,
  { after, limit }: { readonly after: string | undefined; readonly limit: number },
): Promise<DueDelivery[]> {
  const { rows } = await tx.query<DueDelivery>(
    `select d.job_id as "jobId", d.endpoint_id as "endpointId", d.attempts, e.url, e.concurrency,
            coalesce(s.id, e.id) as "secretOf", coalesce(s.secret, e.secret) as secret,
            case when coalesce(s.previous_until, e.previous_until) > now()
                 then coalesce(s.previous_secret, e.previous_secret) end as "previousSecret",
            e.failing_since is not null as failing
       from longhaul.webhook_deliveries d join longhaul.webhook_endpoints e on e.id = d.endpoint_id
       left join longhaul.callback_secrets s on e.is_callback and s.tenant_id = e.tenant_id
      where d.carrier_id = $1 and d.state = 'open' and d.due_at <= now() and ($2::uuid is null or d.endpoint_id > $2)
        and (e.open_until is null or e.open_until <= now()) and (e.rate_per_second is null or d.slot_at <= now())
        and e.state = 'enabled' and e.deleted_at is null
      order by d.endpoint_id limit $3`,
    [carrierId, after ?? null, limit],
  );
  return rows;
}

/** Gives up what is for endpoints that are no more; gives turns to what is due at endpoints with a rate. */
export async function prepareRound(tx: Transaction, carrierId: string): Promise<void> {
  await tx.query(
    `update longhaul.webhook_deliveries d
        set state = 'dead', settled_at = now(),
            reason = case when e.deleted_at is null then 'endpoint_disabled' else 'endpoint_deleted' end
       from longhaul.webhook_endpoints e
      where e.id = d.endpoint_id and d.carrier_id = $1 and d.state = 'open'
        and (e.state = 'disabled' or e.deleted_at is not null)`,
    [carrierId],
  );
  await tx.query(
    `with rated as (
       select d.job_id, e.id, e.rate_per_second from longhaul.webhook_deliveries d
         join longhaul.webhook_endpoints e on e.id = d.endpoint_id
        where d.carrier_id = $1 and d.state = 'open' and d.due_at <= now() and d.slot_at is null
          and e.rate_per_second is not null
     ), locked as (
       select id from longhaul.webhook_endpoints where id in (select id from rated) order by id for update
     ), turns as (
       update longhaul.webhook_endpoints e
          set next_slot_at = greatest(e.next_slot_at, now()) + asked.many * interval '1 second' / e.rate_per_second
         from (select id, count(*) as many from rated join locked using (id) group by id) asked
        where e.id = asked.id returning e.id, e.next_slot_at as after_last
     )
     update longhaul.webhook_deliveries d set slot_at = t.slot, due_at = t.slot
       from (select r.job_id, r.id, t.after_last
                    - row_number() over (partition by r.id order by r.job_id desc) * interval '1 second' / r.rate_per_second as slot
               from rated r join turns t on t.id = r.id) t
      where d.job_id = t.job_id and d.endpoint_id = t.id`,
    [carrierId],
  );
}

/** What became of one attempt. */
export interface Outcome {
  readonly delivery: DueDelivery;
  readonly verdict: Verdict;
  readonly attempt: AttemptRecord;
}

/** Writes outcomes down. Answers how many were news: what another attempt of the job has recorded already is not. */
export async function recordOutcomes(
  tx: Transaction,
  carrierId: string,
  outcomes: readonly Outcome[],
): Promise<number> {
  const { rowCount } = await tx.query(
    `update longhaul.webhook_deliveries d
        set state = o.state, attempts = d.attempts + 1, due_at = now() + o.delay_ms * interval '1 millisecond',
            slot_at = null, reason = o.reason, settled_at = case when o.state <> 'open' then now() end,
            tries = case when jsonb_array_length(d.tries) < ${TRIES_KEPT_MAX} then d.tries else d.tries - 0 end || o.attempt
       from unnest($2::uuid[], $3::uuid[], $4::int[], $5::text[], $6::bigint[], $7::text[], $8::jsonb[])
         as o(job_id, endpoint_id, attempts, state, delay_ms, reason, attempt)
      where d.job_id = o.job_id and d.endpoint_id = o.endpoint_id
        -- As conditions that no index serves: taken for rare, each would have all of the job's rows read for a few.
        and (d.carrier_id = $1 and d.state = 'open' and d.attempts = o.attempts) is true`,
    [
      carrierId,
      outcomes.map(({ delivery }) => delivery.jobId),
      outcomes.map(({ delivery }) => delivery.endpointId),
      outcomes.map(({ delivery }) => delivery.attempts),
      outcomes.map(({ verdict }) => verdict.state),
      outcomes.map(({ verdict }) => verdict.delayMs),
      outcomes.map(({ verdict }) => verdict.reason ?? null),
      outcomes.map(({ attempt }) => JSON.stringify(attempt)),
    ],
  );
  return rowCount ?? 0;
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

export interface Standing {
  readonly open: number;
  readonly delivered: number;
  readonly dead: number;
  /** Until the next may be sent; null where none is open. */
  readonly nextInMs: number | null;
}

/** How far a job's deliveries are. */
export async function standingOf(tx: Transaction, carrierId: string): Promise<Standing> {
  const { rows } = await tx.query<Standing>(
    `select count(*) filter (where d.state = 'open')::int as open,
            count(*) filter (where d.state = 'delivered')::int as delivered,
            count(*) filter (where d.state = 'dead')::int as dead,
            (extract(epoch from min(greatest(d.due_at, e.open_until)) filter (where d.state = 'open') - now()) * 1000)::float8
              as "nextInMs"
       from longhaul.webhook_deliveries d join longhaul.webhook_endpoints e on e.id = d.endpoint_id
      where d.carrier_id = $1`,
    [carrierId],
  );
  return rows[0] as Standing;
}
