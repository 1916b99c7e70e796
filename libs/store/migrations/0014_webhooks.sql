-- Webhooks: who listens to a tenant's events, and what became of each event at each of them.
create table longhaul.webhook_endpoints (
  id uuid primary key,
  tenant_id uuid not null references longhaul.tenants,
  url text not null check (length(url) <= 2000),
  -- Names, prefixes (`invoice.*`), or `*` for all.
  event_types text[] not null check (cardinality(event_types) between 1 and 50),
  description text check (length(description) <= 500),
  -- Deliveries begun in a second, over all workers; null: as many as come.
  rate_per_second int check (rate_per_second between 1 and 1000),
  -- Deliveries at a time, of each worker process.
  concurrency int not null check (concurrency between 1 and 100),
  -- Sealed. The one before signs beside it until then.
  secret bytea not null,
  previous_secret bytea,
  previous_until timestamptz,
  state text not null default 'enabled' check (state in ('enabled', 'disabled')),
  disabled_reason text check (disabled_reason in ('owner', 'gone', 'failing')),
  disabled_at timestamptz,
  -- In a row, since when, and until when nothing is sent because of them.
  failures int not null default 0,
  failing_since timestamptz,
  open_until timestamptz,
  -- When the next delivery may begin, where there is a rate.
  next_slot_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  check ((state = 'disabled') = (disabled_reason is not null) and (state = 'disabled') = (disabled_at is not null)),
  check ((previous_secret is null) = (previous_until is null))
) with (fillfactor = 50);
create unique index webhook_endpoints_url on longhaul.webhook_endpoints (tenant_id, url) where deleted_at is null;
create index webhook_endpoints_listing on longhaul.webhook_endpoints (tenant_id, id desc) where deleted_at is null;

-- One event for one endpoint. Without foreign keys, whose check costs more than the row: one statement makes the rows,
-- from the endpoints themselves, for a job that it belongs to.
create table longhaul.webhook_deliveries (
  -- The job whose input is the event.
  job_id uuid not null,
  endpoint_id uuid not null,
  tenant_id uuid not null,
  -- The job that delivers it now: the event's own, or one that sends again.
  carrier_id uuid not null,
  state text not null default 'open' check (state in ('open', 'delivered', 'dead', 'withdrawn')),
  attempts int not null default 0,
  due_at timestamptz not null default now(),
  -- When its turn is, where the endpoint has a rate.
  slot_at timestamptz,
  -- Why it is dead: a code.
  reason text check (length(reason) <= 100),
  -- The last attempts: [{at, status?, code?, detail?, durationMs}]
  tries jsonb not null default '[]',
  created_at timestamptz not null default now(),
  settled_at timestamptz,
  primary key (job_id, endpoint_id),
  check ((state = 'open') = (settled_at is null)),
  check ((state = 'dead') = (reason is not null))
) with (fillfactor = 30); -- room on the same page for each row's outcome, which is twice as long
-- Over all states: as none of their columns ever changes but the carrier, an outcome touches no index.
create index webhook_deliveries_carrier on longhaul.webhook_deliveries (carrier_id, endpoint_id);
create index webhook_deliveries_listing on longhaul.webhook_deliveries (endpoint_id, job_id desc);

do $$
declare t text;
begin
  foreach t in array array['webhook_endpoints', 'webhook_deliveries'] loop
    execute format('alter table longhaul.%I enable row level security', t);
    execute format('alter table longhaul.%I force row level security', t);
    execute format('create policy own_tenant on longhaul.%I using (tenant_id = longhaul.current_tenant()) with check (tenant_id = longhaul.current_tenant())', t);
    execute format('create policy every_tenant on longhaul.%I for select to longhaul_relay using (true)', t);
    execute format('grant select on longhaul.%I to longhaul_app, longhaul_worker, longhaul_relay', t);
  end loop;
end $$;
grant insert on longhaul.webhook_endpoints to longhaul_app;
grant update (url, event_types, description, rate_per_second, concurrency, secret, previous_secret, previous_until, state,
  disabled_reason, disabled_at, failures, failing_since, open_until, next_slot_at, updated_at, deleted_at)
  on longhaul.webhook_endpoints to longhaul_app;
grant update (state, disabled_reason, disabled_at, failures, failing_since, open_until, next_slot_at)
  on longhaul.webhook_endpoints to longhaul_worker;
grant insert on longhaul.webhook_deliveries to longhaul_worker;
grant update (carrier_id, state, attempts, due_at, slot_at, reason, tries, settled_at)
  on longhaul.webhook_deliveries to longhaul_worker;
