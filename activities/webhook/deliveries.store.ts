/** Deliveries as their job works on them (role worker, in the tenant's transaction). */
import type { Transaction } from '../../libs/saga/implement.js';

/** Whom an event goes to: who subscribes to one of the patterns, or this endpoint alone. */
export interface Audience {
  readonly patterns: readonly string[];
  readonly endpoint: string | undefined;
}

/**
 * The deliveries a job carries. Nearly always they are its own event's, which their key finds; an index of those that are
 * another event's is small.
 */
export type Carrier = { readonly id: string; readonly carries: 'its own event' | 'other events' };

function carriedBy({ carries }: Carrier): string {
  return carries === 'its own event'
    ? '(d.job_id = $1 and d.carrier_id = $1)'
    : '(d.carrier_id = $1 and d.carrier_id <> d.job_id)';
}

/** Lists the endpoints an event goes to; answers how many there are. */
export async function enroll(
  tx: Transaction,
  jobId: string,
  { patterns, endpoint }: Audience,
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
    `update longhaul.webhook_deliveries d
        set carrier_id = $1, state = 'open', attempts = 0, due_at = now(), slot_at = null, reason = null, settled_at = null,
            tries = longhaul.webhook_tries(d), well_status = null, well_ms = null
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
      where carrier_id = $1 and carrier_id <> job_id and state = 'open'`,
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

/** All callbacks of a tenant are signed with one secret, every other endpoint with its own. */
const CALLBACK_SECRETS = `longhaul.callback_secrets s on e.is_callback and s.tenant_id = e.tenant_id`;
const ENDPOINT_COLUMNS = `e.id as "endpointId", e.url, e.concurrency, e.failing_since is not null as failing,
  coalesce(s.id, e.id) as "secretOf", coalesce(s.secret, e.secret) as secret,
  case when coalesce(s.previous_until, e.previous_until) > now()
       then coalesce(s.previous_secret, e.previous_secret) end as "previousSecret"`;
/** Nothing keeps the endpoint from being sent to. */
const IS_FREE = `(e.open_until is null or e.open_until <= now()) and e.state = 'enabled' and e.deleted_at is null`;

/**
 * A page of what is due, by endpoint, from the one after `after`. Endpoints in trouble are passed over until their pause
 * is over; those with a rate have their turns given out first.
 */
export async function dueDeliveries(
  tx: Transaction,
  carrier: Carrier,
  { after, limit }: { readonly after: string | undefined; readonly limit: number },
): Promise<DueDelivery[]> {
  const { rows } = await tx.query<DueDelivery>(
    `select d.job_id as "jobId", d.attempts, ${ENDPOINT_COLUMNS}
       from longhaul.webhook_deliveries d join longhaul.webhook_endpoints e on e.id = d.endpoint_id
       left join ${CALLBACK_SECRETS}
      where ${carriedBy(carrier)} and d.state = 'open' and d.due_at <= now() and ($2::uuid is null or d.endpoint_id > $2)
        and ${IS_FREE} and (e.rate_per_second is null or d.slot_at <= now())
      order by d.endpoint_id limit $3`,
    [carrier.id, after ?? null, limit],
  );
  return rows;
}

/** An event's deliveries as they are made, and the first page of them. */
export interface Enrolled {
  /** None where they were made before. */
  readonly endpoints: number;
  readonly page: readonly DueDelivery[];
}

/** Makes the deliveries of an event, unless they are there, and answers the first page of what is due at once. */
export async function enrollAndPage(
  tx: Transaction,
  jobId: string,
  { patterns, endpoint }: Audience,
  limit: number,
): Promise<Enrolled> {
  const { rows } = await tx.query<DueDelivery & { readonly made: number; readonly asked: number }>(
    // The page is read beside what is made of it: a join of the two would be planned for a row or two.
    `with audience as materialized (
       select * from longhaul.webhook_endpoints
        where deleted_at is null and state = 'enabled' and case when $3::uuid is null then event_types && $2 else id = $3 end
          and not exists (select 1 from longhaul.webhook_deliveries where job_id = $1)
     ), made as (
       insert into longhaul.webhook_deliveries (job_id, endpoint_id, tenant_id, carrier_id)
         select $1, id, tenant_id, $1 from audience on conflict do nothing returning 1
     )
     select (select count(*)::int from made) as made, (select count(*)::int from audience) as asked,
            $1::uuid as "jobId", 0 as attempts, ${ENDPOINT_COLUMNS}
       from audience e left join ${CALLBACK_SECRETS}
      where ${IS_FREE} and e.rate_per_second is null
      order by e.id limit $4`,
    [jobId, patterns, endpoint ?? null, limit],
  );
  const [first] = rows;
  // Where another attempt made some of them meanwhile, it may be sending them.
  if (!first || first.made < first.asked) return { endpoints: 0, page: [] };
  return { endpoints: first.made, page: rows };
}

/** Gives up what is for endpoints that are no more; gives turns to what is due at endpoints with a rate. */
export async function prepareRound(tx: Transaction, carrier: Carrier): Promise<void> {
  const { rows } = await tx.query<{ readonly orphaned: boolean; readonly rated: boolean }>(
    `select bool_or(e.state = 'disabled' or e.deleted_at is not null) as orphaned,
            bool_or(d.due_at <= now() and d.slot_at is null and e.rate_per_second is not null) as rated
       from longhaul.webhook_deliveries d join longhaul.webhook_endpoints e on e.id = d.endpoint_id
      where ${carriedBy(carrier)} and d.state = 'open'`,
    [carrier.id],
  );
  if (rows[0]?.orphaned) await giveUpOrphans(tx, carrier);
  if (rows[0]?.rated) await giveTurns(tx, carrier);
}

async function giveUpOrphans(tx: Transaction, carrier: Carrier): Promise<void> {
  await tx.query(
    `update longhaul.webhook_deliveries d
        set state = 'dead', settled_at = now(),
            reason = case when e.deleted_at is null then 'endpoint_disabled' else 'endpoint_deleted' end
       from longhaul.webhook_endpoints e
      where e.id = d.endpoint_id and ${carriedBy(carrier)} and d.state = 'open'
        and (e.state = 'disabled' or e.deleted_at is not null)`,
    [carrier.id],
  );
}

async function giveTurns(tx: Transaction, carrier: Carrier): Promise<void> {
  await tx.query(
    `with rated as (
       select d.job_id, e.id, e.rate_per_second from longhaul.webhook_deliveries d
         join longhaul.webhook_endpoints e on e.id = d.endpoint_id
        where ${carriedBy(carrier)} and d.state = 'open' and d.due_at <= now() and d.slot_at is null
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
    [carrier.id],
  );
}

export interface Standing {
  readonly open: number;
  readonly delivered: number;
  readonly dead: number;
  /** Until the next may be sent; null where none is open. */
  readonly nextInMs: number | null;
}

/** How far a job's deliveries are. */
export async function standingOf(tx: Transaction, carrier: Carrier): Promise<Standing> {
  const { rows } = await tx.query<Standing>(
    `select count(*) filter (where d.state = 'open')::int as open,
            count(*) filter (where d.state = 'delivered')::int as delivered,
            count(*) filter (where d.state = 'dead')::int as dead,
            (extract(epoch from min(greatest(d.due_at, e.open_until)) filter (where d.state = 'open') - now()) * 1000)::float8
              as "nextInMs"
       from longhaul.webhook_deliveries d join longhaul.webhook_endpoints e on e.id = d.endpoint_id
      where ${carriedBy(carrier)}`,
    [carrier.id],
  );
  return rows[0] as Standing;
}
