/** Who listens to a tenant's events (role app, in the tenant's transaction). */
import type { Transaction } from '../saga/implement.js';

/** For so long the secret before signs beside the new one. */
export const PREVIOUS_SECRET_HOURS = 24;

export type DisabledReason = 'owner' | 'gone' | 'failing';

export interface EndpointRecord {
  readonly id: string;
  readonly url: string;
  readonly eventTypes: readonly string[];
  readonly description: string | null;
  readonly ratePerSecond: number | null;
  readonly concurrency: number;
  readonly state: 'enabled' | 'disabled';
  readonly disabledReason: DisabledReason | null;
  readonly disabledAt: Date | null;
  readonly failingSince: Date | null;
  /** Nothing is sent to it until then. */
  readonly openUntil: Date | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** What its owner sets. */
export interface EndpointWish {
  readonly url: string;
  readonly eventTypes: readonly string[];
  readonly description: string | null;
  readonly ratePerSecond: number | null;
  readonly concurrency: number;
}

/** What its owner changes; what is undefined stays. */
export type EndpointChange = {
  readonly [K in keyof EndpointWish]?: EndpointWish[K] | undefined;
} & { readonly state?: 'enabled' | 'disabled' | undefined };

const COLUMNS = `id, url, event_types as "eventTypes", description, rate_per_second as "ratePerSecond", concurrency, state,
  disabled_reason as "disabledReason", disabled_at as "disabledAt", failing_since as "failingSince",
  case when open_until > now() then open_until end as "openUntil", created_at as "createdAt", updated_at as "updatedAt"`;

/** Writes a new endpoint; undefined where the tenant has one of that URL. */
export async function insertEndpoint(
  tx: Transaction,
  tenantId: string,
  { id, secret, ...wish }: EndpointWish & { readonly id: string; readonly secret: Buffer },
): Promise<EndpointRecord | undefined> {
  const { rows } = await tx.query<EndpointRecord>(
    `insert into longhaul.webhook_endpoints
         (id, tenant_id, url, event_types, description, rate_per_second, concurrency, secret)
       values ($1, $2, $3, $4, $5, $6, $7, $8)
       on conflict (tenant_id, url, is_callback) where deleted_at is null do nothing returning ${COLUMNS}`,
    [id, tenantId, wish.url, wish.eventTypes, wish.description, wish.ratePerSecond, wish.concurrency, secret],
  );
  return rows[0];
}

export async function readEndpoint(tx: Transaction, id: string): Promise<EndpointRecord | undefined> {
  const { rows } = await tx.query<EndpointRecord>(
    `select ${COLUMNS} from longhaul.webhook_endpoints where id = $1 and deleted_at is null and not is_callback`,
    [id],
  );
  return rows[0];
}

/** A page, the newest first. */
export async function listEndpoints(
  tx: Transaction,
  { before, limit }: { readonly before: string | undefined; readonly limit: number },
): Promise<EndpointRecord[]> {
  const { rows } = await tx.query<EndpointRecord>(
    `select ${COLUMNS} from longhaul.webhook_endpoints
      where deleted_at is null and not is_callback and ($1::uuid is null or id < $1) order by id desc limit $2`,
    [before ?? null, limit],
  );
  return rows;
}

/**
 * Changes what is named. Enabled again, an endpoint starts with a clean slate. Undefined where there is no such endpoint;
 * fails with a unique violation where the tenant has another of that URL.
 */
export async function updateEndpoint(
  tx: Transaction,
  id: string,
  change: EndpointChange,
): Promise<EndpointRecord | undefined> {
  const { rows } = await tx.query<EndpointRecord>(
    `update longhaul.webhook_endpoints set
        url = coalesce($2, url), event_types = coalesce($3, event_types),
        description = case when $4 then $5 else description end,
        rate_per_second = case when $6 then $7 else rate_per_second end,
        concurrency = coalesce($8, concurrency),
        state = coalesce($9, state),
        disabled_reason = case coalesce($9, state) when 'disabled' then coalesce(disabled_reason, 'owner') end,
        disabled_at = case coalesce($9, state) when 'disabled' then coalesce(disabled_at, now()) end,
        failures = case when $9 = 'enabled' then 0 else failures end,
        failing_since = case when $9 = 'enabled' then null else failing_since end,
        open_until = case when $9 = 'enabled' then null else open_until end,
        updated_at = now()
      where id = $1 and deleted_at is null and not is_callback returning ${COLUMNS}`,
    [
      id,
      change.url ?? null,
      change.eventTypes ?? null,
      change.description !== undefined,
      change.description ?? null,
      change.ratePerSecond !== undefined,
      change.ratePerSecond ?? null,
      change.concurrency ?? null,
      change.state ?? null,
    ],
  );
  return rows[0];
}

/** A new secret; the one before signs beside it for a day, and one before that no more. */
export async function replaceSecret(
  tx: Transaction,
  id: string,
  secret: Buffer,
): Promise<EndpointRecord | undefined> {
  const { rows } = await tx.query<EndpointRecord>(
    `update longhaul.webhook_endpoints
        set previous_secret = secret, previous_until = now() + make_interval(hours => $3), secret = $2, updated_at = now()
      where id = $1 and deleted_at is null and not is_callback returning ${COLUMNS}`,
    [id, secret, PREVIOUS_SECRET_HOURS],
  );
  return rows[0];
}

/** Takes it off the list, its secrets with it; deliveries still open are given up at their turn. False: there is none. */
export async function deleteEndpoint(tx: Transaction, id: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update longhaul.webhook_endpoints
        set deleted_at = now(), secret = '', previous_secret = null, previous_until = null
      where id = $1 and deleted_at is null and not is_callback`,
    [id],
  );
  return rowCount === 1;
}

/** What an endpoint's secret is sealed for. */
export function secretAad(tenantId: string, endpointId: string): string {
  return `${tenantId}/${endpointId}/webhook-secret`;
}
