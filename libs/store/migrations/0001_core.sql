-- Longhaul's core: tenants, keys, jobs, outbox, ledger, artifacts. Tenancy and secrecy are here from the start:
-- three roles, row-level security forced on every table that has a tenant, ciphertext where a client's data lies.

create schema if not exists longhaul;

-- Roles belong to the cluster, not to the database: several databases of one cluster share them.
do $$
declare role_name text;
begin
  foreach role_name in array array['longhaul_app', 'longhaul_worker', 'longhaul_relay'] loop
    begin
      execute format('create role %I nologin nobypassrls', role_name);
    exception when duplicate_object or unique_violation then null;
    end;
    begin
      execute format('grant %I to current_user', role_name);
    exception when unique_violation or object_in_use then null;
    end;
  end loop;
end $$;

grant usage on schema longhaul to longhaul_app, longhaul_worker, longhaul_relay;

-- The tenant a transaction works for; null (and so: no row at all) where none was set.
create function longhaul.current_tenant() returns uuid language sql stable parallel safe
  as $$ select nullif(current_setting('longhaul.tenant', true), '')::uuid $$;

create table longhaul.tenants (
  id uuid primary key,
  name text not null unique check (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  created_at timestamptz not null default now()
);

-- Data keys, wrapped by a master key. The newest that is not destroyed encrypts; the others still decrypt.
create table longhaul.tenant_keys (
  id uuid primary key,
  tenant_id uuid not null references longhaul.tenants,
  wrapped bytea,
  master_key_id text not null,
  created_at timestamptz not null default now(),
  destroyed_at timestamptz,
  check ((wrapped is null) = (destroyed_at is not null))
);
create index tenant_keys_tenant on longhaul.tenant_keys (tenant_id, created_at desc);

-- API keys: `lh_<env>_<id>_<secret>`; only the SHA-256 of the secret (256 random bits) is kept.
create table longhaul.api_keys (
  id text primary key check (id ~ '^[a-z0-9]{8,32}$'),
  tenant_id uuid references longhaul.tenants,
  role text not null check (role in ('client', 'operator', 'admin')),
  name text not null,
  secret_sha256 bytea not null check (octet_length(secret_sha256) = 32),
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  check ((role = 'client') = (tenant_id is not null))
);

create table longhaul.jobs (
  id uuid primary key,
  tenant_id uuid not null references longhaul.tenants,
  kind text not null,
  natural_key text,
  input bytea not null,
  input_digest bytea not null,
  status text not null default 'PENDING' check (status in ('PENDING', 'STARTED', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
  phase text not null default 'queued' check (phase in ('queued', 'forward', 'compensating', 'parked', 'done')),
  created_at timestamptz not null default now(),
  deadline_at timestamptz not null,
  dispatched_at timestamptz,
  started_at timestamptz,
  committed_at timestamptz,
  cancel_requested_at timestamptz,
  cancel_reason text,
  ended_at timestamptz,
  compensated text check (compensated in ('none', 'all', 'partial')),
  skipped jsonb not null default '[]',
  leftovers jsonb not null default '[]',
  result bytea,
  error jsonb,
  attempt_of uuid unique references longhaul.jobs,
  superseded_by uuid,
  trace_parent text,
  -- What readers saw last: the revision rises whenever the job's representation changes (see longhaul.observe).
  revision bigint not null default 1,
  view_hash bytea,
  view jsonb,
  viewed_at timestamptz,
  check ((ended_at is not null) = (status in ('SUCCEEDED', 'FAILED', 'CANCELLED')))
) with (fillfactor = 70);
create unique index jobs_natural_key on longhaul.jobs (tenant_id, kind, natural_key)
  where natural_key is not null and superseded_by is null;
create index jobs_listing on longhaul.jobs (tenant_id, id desc);
create index jobs_open on longhaul.jobs (id) where ended_at is null;

create table longhaul.outbox (
  id bigint generated always as identity primary key,
  job_id uuid not null references longhaul.jobs,
  tenant_id uuid not null,
  message text not null check (message in ('start', 'cancel')),
  created_at timestamptz not null default now(),
  due_at timestamptz not null default now(),
  attempts int not null default 0,
  last_error text,
  dispatched_at timestamptz,
  unique (job_id, message)
) with (fillfactor = 70);
create index outbox_unsent on longhaul.outbox (due_at, id) where dispatched_at is null;

-- The effect ledger: one row for each step (and item, and generation) a job has begun.
create table longhaul.effects (
  job_id uuid not null references longhaul.jobs,
  step text not null,
  item int not null default -1,
  generation int not null default 0,
  tenant_id uuid not null,
  seq int not null,
  step_kind text not null check (step_kind in ('readOnly', 'compensable', 'pivot', 'retriable')),
  effect text not null check (effect in ('none', 'own', 'keyed')),
  undo text,
  args jsonb,
  state text not null check (state in ('claimed', 'done', 'undoing', 'undone', 'kept')),
  attempt int not null default 0,
  undo_attempt int not null default 0,
  lease_until timestamptz,
  doubt boolean not null default false,
  failed boolean not null default false,
  outcome jsonb,
  last_error jsonb,
  next_attempt_at timestamptz,
  progress jsonb,
  started_at timestamptz not null default now(),
  finished_at timestamptz,
  updated_at timestamptz not null default now(),
  primary key (job_id, generation, step, item),
  check ((undo is not null) = (step_kind = 'compensable'))
) with (fillfactor = 50);

create table longhaul.dead_letters (
  id uuid primary key,
  job_id uuid not null references longhaul.jobs,
  tenant_id uuid not null,
  park int not null,
  step text not null,
  item int,
  undo boolean not null,
  doubt boolean not null,
  possible jsonb not null,
  attempts int not null,
  first_error jsonb,
  last_error jsonb,
  trace_parent text,
  created_at timestamptz not null default now(),
  closed_at timestamptz,
  unique (job_id, park)
);

create table longhaul.artifacts (
  job_id uuid primary key references longhaul.jobs,
  tenant_id uuid not null,
  store text not null,
  location text not null,
  filename text not null,
  content_type text not null,
  bytes bigint not null,
  rows bigint,
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  published_at timestamptz not null default now(),
  expires_at timestamptz not null,
  deleted_at timestamptz
);
create index artifacts_expiry on longhaul.artifacts (expires_at) where deleted_at is null;

create table longhaul.idempotency (
  tenant_id uuid not null,
  route text not null,
  key text not null,
  fingerprint bytea not null,
  response jsonb,
  created_at timestamptz not null default now(),
  primary key (tenant_id, route, key)
);
create index idempotency_age on longhaul.idempotency (created_at);

-- Row-level security. `forced`: the owner obeys it too.
do $$
declare t text;
begin
  foreach t in array array['tenants', 'tenant_keys', 'api_keys', 'jobs', 'outbox', 'effects', 'dead_letters', 'artifacts', 'idempotency'] loop
    execute format('alter table longhaul.%I enable row level security', t);
    execute format('alter table longhaul.%I force row level security', t);
  end loop;
  foreach t in array array['tenant_keys', 'jobs', 'outbox', 'effects', 'dead_letters', 'artifacts', 'idempotency'] loop
    execute format(
      'create policy own_tenant on longhaul.%I to longhaul_app, longhaul_worker using (tenant_id = longhaul.current_tenant()) with check (tenant_id = longhaul.current_tenant())', t);
  end loop;
  -- Relay, sweepers and operators' routes see every tenant, on the columns and tables they were granted.
  foreach t in array array['tenants', 'tenant_keys', 'jobs', 'outbox', 'effects', 'dead_letters', 'artifacts', 'idempotency'] loop
    execute format('create policy every_tenant on longhaul.%I to longhaul_relay using (true) with check (true)', t);
  end loop;
end $$;
create policy own_tenant on longhaul.tenants to longhaul_app, longhaul_worker using (id = longhaul.current_tenant());

grant select on longhaul.tenants, longhaul.tenant_keys to longhaul_app, longhaul_worker, longhaul_relay;

grant select, insert on longhaul.jobs, longhaul.outbox, longhaul.idempotency to longhaul_app;
grant update (superseded_by, status, phase, ended_at, compensated, error, cancel_requested_at, cancel_reason, revision, view_hash, view, viewed_at)
  on longhaul.jobs to longhaul_app;
grant update (dispatched_at) on longhaul.outbox to longhaul_app;
grant update (response) on longhaul.idempotency to longhaul_app;
grant select on longhaul.effects, longhaul.dead_letters, longhaul.artifacts to longhaul_app;

grant select on longhaul.jobs to longhaul_worker;
grant update (status, phase, started_at, committed_at, ended_at, compensated, skipped, leftovers, result, error, revision)
  on longhaul.jobs to longhaul_worker;
grant select, insert, update on longhaul.effects, longhaul.dead_letters, longhaul.artifacts to longhaul_worker;

grant select (id, tenant_id, kind, status, phase, created_at, deadline_at, dispatched_at, started_at, ended_at, cancel_requested_at, cancel_reason, trace_parent)
  on longhaul.jobs to longhaul_relay;
grant update (dispatched_at, phase) on longhaul.jobs to longhaul_relay;
grant select, update, delete on longhaul.outbox to longhaul_relay;
grant select on longhaul.effects, longhaul.dead_letters to longhaul_relay;
grant select on longhaul.artifacts to longhaul_relay;
grant update (deleted_at) on longhaul.artifacts to longhaul_relay;
grant select, delete on longhaul.idempotency to longhaul_relay;

-- Before a tenant is known: the key's owner, role and secret hash. Answers nothing for a revoked key.
create function longhaul.authenticate(key_id text)
  returns table (tenant_id uuid, role text, secret_sha256 bytea)
  language sql stable security definer set search_path = pg_catalog, longhaul
  as $$ select k.tenant_id, k.role, k.secret_sha256 from longhaul.api_keys k where k.id = key_id and k.revoked_at is null $$;
revoke all on function longhaul.authenticate(text) from public;
grant execute on function longhaul.authenticate(text) to longhaul_app;

-- Whoever migrates also administers tenants and keys (`longhaul keys`, `longhaul up`); of jobs it sees nothing.
do $$
declare t text;
begin
  foreach t in array array['tenants', 'tenant_keys', 'api_keys'] loop
    execute format('create policy administration on longhaul.%I to %I using (true) with check (true)', t, current_user);
  end loop;
end $$;

-- Accepts jobs: idempotency row, job and outbox row, or the duplicate, in one round trip and one transaction.
-- jobs: [{id, kind, key?, input (base64), digest (hex), deadlineMs, restart, traceParent?} or {problem}].
-- Answers {replayed, reused, items: [{outcome, jobId?, status?, createdAt?, deadlineAt?, attemptOf?, problem?}]};
-- outcome: accepted, duplicate, conflict, invalid. Waits 1 s at most for a rival transaction, then 55P03.
create function longhaul.accept(tenant uuid, route text, idempotency_key text, fingerprint bytea, jobs jsonb)
  returns jsonb language plpgsql as $$
#variable_conflict use_variable
declare
  seen longhaul.idempotency;
  item jsonb;
  there longhaul.jobs;
  fresh record;
  position int;
  answers jsonb[] := array_fill(null::jsonb, array[jsonb_array_length(jobs)]);
  kept boolean := false;
  predecessor uuid;
  answer jsonb;
begin
  perform set_config('longhaul.tenant', tenant::text, true), set_config('lock_timeout', '1s', true);

  if idempotency_key is not null then
    insert into longhaul.idempotency (tenant_id, route, key, fingerprint)
      values (tenant, route, idempotency_key, fingerprint) on conflict do nothing;
    if not found then
      select * into seen from longhaul.idempotency i
        where i.tenant_id = tenant and i.route = route and i.key = idempotency_key;
      return jsonb_build_object('replayed', seen.fingerprint = fingerprint, 'reused', seen.fingerprint <> fingerprint,
        'items', coalesce(seen.response, '[]'));
    end if;
  end if;

  -- In the order of their keys, so that two batches never wait for each other in a circle.
  for item, position in
    select j.value, j.ordinality::int from jsonb_array_elements(jobs) with ordinality j
    order by j.value ->> 'kind', j.value ->> 'key', j.ordinality
  loop
    predecessor := null;
    if item ? 'problem' then
      answers[position] := jsonb_build_object('outcome', 'invalid', 'problem', item -> 'problem');
      continue;
    end if;
    if item ->> 'key' is not null then
      select * into there from longhaul.jobs j
        where j.tenant_id = tenant and j.kind = item ->> 'kind' and j.natural_key = item ->> 'key' and j.superseded_by is null
        for update;
      if found then
        answer := longhaul.answer_duplicate(there, item);
        if answer is not null then
          kept := kept or answer ->> 'outcome' = 'duplicate';
          answers[position] := answer;
          continue;
        end if;
        predecessor := there.id;
        update longhaul.jobs set superseded_by = (item ->> 'id')::uuid, revision = revision + 1 where id = there.id;
      end if;
    end if;

    insert into longhaul.jobs (id, tenant_id, kind, natural_key, input, input_digest, deadline_at, attempt_of, trace_parent)
      values ((item ->> 'id')::uuid, tenant, item ->> 'kind', item ->> 'key', decode(item ->> 'input', 'base64'),
              decode(item ->> 'digest', 'hex'), now() + (item ->> 'deadlineMs')::bigint * interval '1 millisecond',
              predecessor, item ->> 'traceParent')
      on conflict (tenant_id, kind, natural_key) where natural_key is not null and superseded_by is null do nothing
      returning created_at, deadline_at into fresh;
    if found then
      insert into longhaul.outbox (job_id, tenant_id, message) values ((item ->> 'id')::uuid, tenant, 'start');
      kept := true;
      answers[position] := jsonb_build_object('outcome', 'accepted', 'status', 202, 'jobId', item ->> 'id',
        'createdAt', fresh.created_at, 'deadlineAt', fresh.deadline_at, 'attemptOf', predecessor);
    else
      -- A rival committed the same natural key between our look and our insert.
      select * into strict there from longhaul.jobs j
        where j.tenant_id = tenant and j.kind = item ->> 'kind' and j.natural_key = item ->> 'key' and j.superseded_by is null;
      answers[position] := coalesce(longhaul.answer_duplicate(there, item),
        jsonb_build_object('outcome', 'duplicate', 'status', 200, 'jobId', there.id));
      kept := kept or answers[position] ->> 'outcome' = 'duplicate';
    end if;
  end loop;

  if idempotency_key is not null then
    if kept then
      update longhaul.idempotency i set response = to_jsonb(answers)
        where i.tenant_id = tenant and i.route = route and i.key = idempotency_key;
    else
      -- Nothing was accepted: the same key may be used for a corrected request.
      delete from longhaul.idempotency i where i.tenant_id = tenant and i.route = route and i.key = idempotency_key;
    end if;
  end if;
  return jsonb_build_object('replayed', false, 'reused', false, 'items', to_jsonb(answers));
end $$;

-- What a job that is there means for a request with the same natural key; null: start a successor (S16).
create function longhaul.answer_duplicate(there longhaul.jobs, item jsonb) returns jsonb language plpgsql stable as $$
begin
  if there.input_digest <> decode(item ->> 'digest', 'hex') then
    return jsonb_build_object('outcome', 'conflict', 'jobId', there.id);
  end if;
  if coalesce((item ->> 'restart')::boolean, false) and (
    (there.status in ('FAILED', 'CANCELLED') and not exists (
      select 1 from jsonb_array_elements(there.leftovers) l where not coalesce((l.value ->> 'fenced')::boolean, false)))
    or (there.status = 'SUCCEEDED' and exists (
      select 1 from longhaul.artifacts a where a.job_id = there.id and a.expires_at <= now()))
  ) then
    return null;
  end if;
  return jsonb_build_object('outcome', 'duplicate', 'status', 200, 'jobId', there.id);
end $$;
grant delete on longhaul.idempotency to longhaul_app;

-- Asks for a job's cancellation. One not yet dispatched ends here, under its outbox row's lock; else the relay
-- carries the wish to the workflow. Answers: not_found, already_cancelled, finished, too_late, requested, cancelled.
create function longhaul.request_cancel(tenant uuid, job uuid, reason text) returns text language plpgsql as $$
#variable_conflict use_variable
declare
  undispatched boolean := false;
  there longhaul.jobs;
begin
  perform set_config('longhaul.tenant', tenant::text, true), set_config('lock_timeout', '2s', true);
  begin
    select true into undispatched from longhaul.outbox o
      where o.job_id = job and o.message = 'start' and o.dispatched_at is null for update;
  exception when lock_not_available then
    undispatched := false; -- the relay is starting it this moment: the cancel follows it
  end;
  select * into there from longhaul.jobs j where j.id = job for update;
  if not found then return 'not_found'; end if;
  if there.status = 'CANCELLED' then return 'already_cancelled'; end if;
  if there.ended_at is not null then return 'finished'; end if;
  if there.committed_at is not null then return 'too_late'; end if;
  if coalesce(undispatched, false) then
    update longhaul.outbox o set dispatched_at = now() where o.job_id = job and o.message = 'start';
    update longhaul.jobs j set status = 'CANCELLED', phase = 'done', ended_at = now(), compensated = 'none',
      cancel_requested_at = now(), cancel_reason = reason, revision = j.revision + 1,
      error = jsonb_build_object('code', 'cancelled', 'title', 'Cancelled on request',
        'detail', coalesce(reason, 'Cancelled before it was started.'), 'failureClass', 'cancelled')
      where j.id = job;
    return 'cancelled';
  end if;
  if there.cancel_requested_at is null then
    update longhaul.jobs j set cancel_requested_at = now(), cancel_reason = reason, revision = j.revision + 1 where j.id = job;
    insert into longhaul.outbox (job_id, tenant_id, message) values (job, tenant, 'cancel') on conflict do nothing;
  end if;
  return 'requested';
end $$;

-- Records that readers saw a new representation. Null: another reader was quicker; read again.
create function longhaul.observe(tenant uuid, job uuid, old_hash bytea, new_hash bytea, new_view jsonb)
  returns bigint language plpgsql as $$
#variable_conflict use_variable
declare risen bigint;
begin
  perform set_config('longhaul.tenant', tenant::text, true);
  update longhaul.jobs j set revision = j.revision + 1, view_hash = new_hash, view = new_view, viewed_at = now()
    where j.id = job and j.view_hash is not distinct from old_hash returning j.revision into risen;
  return risen;
end $$;

revoke all on all functions in schema longhaul from public;
grant execute on function longhaul.current_tenant() to public;
grant execute on function longhaul.accept(uuid, text, text, bytea, jsonb), longhaul.answer_duplicate(longhaul.jobs, jsonb),
  longhaul.request_cancel(uuid, uuid, text), longhaul.observe(uuid, uuid, bytea, bytea, jsonb) to longhaul_app;
