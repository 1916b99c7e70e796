-- Jobs that begin later, jobs that a schedule asked for (0019_schedules.sql), and jobs whose end is told: to a URL that was
-- given with the job, by a job of its own.

alter table longhaul.jobs
  -- Not before then; its start lies in the outbox until it is due.
  add column delay_until timestamptz,
  -- The job that tells of the end; it comes to be with that end.
  add column callback_id uuid,
  -- The schedule it is a run of, for when, and the workflow that waits for its end; a run by hand has none.
  add column schedule_id uuid,
  add column scheduled_at timestamptz,
  add column schedule_run text,
  add constraint jobs_schedule_check check ((schedule_id is null) = (scheduled_at is null));

-- Until the end: the job that will tell of it, sealed under its own id when the job was accepted, because nobody who
-- records an end can seal. It goes once it is a job.
create table longhaul.callbacks (
  -- Whose end.
  job_id uuid primary key references longhaul.jobs,
  tenant_id uuid not null references longhaul.tenants,
  -- The job that it will be.
  id uuid not null,
  input bytea not null,
  input_digest bytea not null,
  deadline_ms bigint not null
);

-- What callbacks of a tenant are signed with. Sealed. The one before signs beside it until then.
create table longhaul.callback_secrets (
  tenant_id uuid primary key references longhaul.tenants,
  id uuid not null,
  secret bytea not null,
  previous_secret bytea,
  previous_until timestamptz,
  created_at timestamptz not null default now(),
  check ((previous_secret is null) = (previous_until is null))
);

do $$
declare t text;
begin
  foreach t in array array['callbacks', 'callback_secrets'] loop
    execute format('alter table longhaul.%I enable row level security', t);
    execute format('alter table longhaul.%I force row level security', t);
    execute format('create policy own_tenant on longhaul.%I using (tenant_id = longhaul.current_tenant()) with check (tenant_id = longhaul.current_tenant())', t);
  end loop;
end $$;
create policy every_tenant on longhaul.callbacks to longhaul_relay using (true) with check (true);
grant insert on longhaul.callbacks to longhaul_app;
grant select, delete on longhaul.callbacks to longhaul_relay;
grant select, insert on longhaul.callback_secrets to longhaul_app, longhaul_worker;
grant update (secret, previous_secret, previous_until, created_at) on longhaul.callback_secrets to longhaul_app;

-- Where callbacks go is an endpoint like the others, so that deliveries, pauses and their records are the same; its owner
-- does not see it, and it subscribes to nothing. Its secret is the tenant's.
alter table longhaul.webhook_endpoints
  add column is_callback boolean not null default false,
  drop constraint webhook_endpoints_event_types_check,
  add constraint webhook_endpoints_event_types_check check (is_callback or cardinality(event_types) between 1 and 50);
drop index longhaul.webhook_endpoints_url;
create unique index webhook_endpoints_url on longhaul.webhook_endpoints (tenant_id, url, is_callback) where deleted_at is null;
grant insert (id, tenant_id, url, event_types, concurrency, secret, is_callback) on longhaul.webhook_endpoints to longhaul_worker;

-- In the transaction that records the end, whoever does: what was promised at acceptance becomes a job. As the relay's
-- role, so that nobody else needs the right to. No NOTIFY: in every job's end it would serialise commits, and the relay
-- looks by itself.
create function longhaul.send_callback() returns trigger language plpgsql security definer
  set search_path = pg_catalog, longhaul as $$
begin
  with kept as (
    delete from longhaul.callbacks c where c.job_id = new.id returning c.*),
  told as (
    insert into longhaul.jobs (id, tenant_id, kind, natural_key, input, input_digest, deadline_at, trace_parent)
      select k.id, k.tenant_id, 'webhook.callback', new.id::text, k.input, k.input_digest,
             now() + k.deadline_ms * interval '1 millisecond', new.trace_parent
        from kept k
      returning id, tenant_id)
  insert into longhaul.outbox (job_id, tenant_id, message) select t.id, t.tenant_id, 'start' from told t;
  return null;
end $$;
revoke all on function longhaul.send_callback() from public;
grant insert on longhaul.jobs to longhaul_relay;
grant create on schema longhaul to longhaul_relay;
alter function longhaul.send_callback() owner to longhaul_relay;
revoke create on schema longhaul from longhaul_relay;
create trigger jobs_send_callback after update of ended_at on longhaul.jobs for each row
  when (old.ended_at is null and new.ended_at is not null and new.callback_id is not null)
  execute function longhaul.send_callback();

create or replace view longhaul.readable_jobs with (security_invoker = true) as
select j.id, j.tenant_id, j.kind, j.natural_key, j.status, j.phase, j.revision, j.created_at, j.dispatched_at,
  j.started_at, j.committed_at, j.cancel_requested_at, j.ended_at, j.deadline_at, j.compensated, j.skipped, j.leftovers,
  j.result, j.error, j.attempt_of, j.view_hash, j.view,
  (select coalesce(jsonb_agg(jsonb_build_object(
      'name', e.step, 'item', e.item, 'generation', e.generation, 'seq', e.seq, 'kind', e.step_kind, 'undo', e.undo,
      'state', e.state, 'attempt', e.attempt, 'failed', e.failed, 'lastError', e.last_error,
      'nextAttemptAt', e.next_attempt_at, 'startedAt', e.started_at, 'finishedAt', e.finished_at,
      'updatedAt', e.updated_at, 'progress', e.progress) order by e.seq, e.item), '[]')
    from longhaul.effects e where e.job_id = j.id) as effects,
  (select jsonb_build_object('number', d.park, 'step', d.step, 'item', d.item, 'undo', d.undo, 'doubt', d.doubt,
      'since', d.created_at)
    from longhaul.dead_letters d where d.job_id = j.id and d.closed_at is null order by d.park desc limit 1) as park,
  (select jsonb_build_object('store', a.store, 'location', a.location, 'filename', a.filename,
      'contentType', a.content_type, 'bytes', a.bytes, 'rows', a.rows, 'sha256', a.sha256,
      'expiresAt', a.expires_at, 'expired', a.expires_at <= now() or a.deleted_at is not null)
    from longhaul.artifacts a where a.job_id = j.id) as artifact,
  j.delay_until, j.callback_id, j.schedule_id, j.scheduled_at
from longhaul.jobs j;

-- As before, and: `delayUntil` holds the start back, and the deadline with it; `callback: {id, input (base64), digest (hex),
-- deadlineMs}` is kept for the end; `scheduleId`, `scheduledAt` and `scheduleRun` are kept with the job. The outbox row of a delayed start counts as written when it is due.
create or replace function longhaul.accept(tenant uuid, route text, idempotency_key text, fingerprint bytea, jobs jsonb)
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
  begins_at timestamptz;
  answer jsonb;
  tries_max constant int := 5;
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
    begins_at := greatest(now(), (item ->> 'delayUntil')::timestamptz);
    if item ? 'problem' then
      answers[position] := jsonb_build_object('outcome', 'invalid', 'problem', item -> 'problem');
      continue;
    end if;
    for tries in 1..tries_max loop
      insert into longhaul.jobs (id, tenant_id, kind, natural_key, input, input_digest, deadline_at, attempt_of, trace_parent,
          delay_until, callback_id, schedule_id, scheduled_at, schedule_run)
        values ((item ->> 'id')::uuid, tenant, item ->> 'kind', item ->> 'key', decode(item ->> 'input', 'base64'),
                decode(item ->> 'digest', 'hex'), begins_at + (item ->> 'deadlineMs')::bigint * interval '1 millisecond',
                predecessor, item ->> 'traceParent', (item ->> 'delayUntil')::timestamptz, (item -> 'callback' ->> 'id')::uuid,
                (item ->> 'scheduleId')::uuid, (item ->> 'scheduledAt')::timestamptz, item ->> 'scheduleRun')
        on conflict (tenant_id, kind, natural_key) where natural_key is not null and superseded_by is null do nothing
        returning created_at, deadline_at into fresh;
      if found then
        insert into longhaul.outbox (job_id, tenant_id, message, created_at, due_at)
          values ((item ->> 'id')::uuid, tenant, 'start', begins_at, begins_at);
        if item ? 'callback' then
          insert into longhaul.callbacks (job_id, tenant_id, id, input, input_digest, deadline_ms)
            values ((item ->> 'id')::uuid, tenant, (item -> 'callback' ->> 'id')::uuid, decode(item -> 'callback' ->> 'input', 'base64'),
                    decode(item -> 'callback' ->> 'digest', 'hex'), (item -> 'callback' ->> 'deadlineMs')::bigint);
        end if;
        kept := true;
        answers[position] := jsonb_build_object('outcome', 'accepted', 'status', 202, 'jobId', item ->> 'id',
          'createdAt', fresh.created_at, 'deadlineAt', fresh.deadline_at, 'attemptOf', predecessor);
        exit;
      end if;
      -- Planned anew each time: a plan kept from when the table was empty reads all the tenant's jobs.
      execute 'select * from longhaul.jobs j where j.tenant_id = $1 and j.kind = $2 and j.natural_key = $3
        and j.superseded_by is null for update' into there using tenant, item ->> 'kind', item ->> 'key';
      -- Superseded while we waited for its lock: the next round meets its successor.
      continue when there.id is null;
      answer := longhaul.answer_duplicate(there, item);
      if answer is not null then
        kept := kept or answer ->> 'outcome' = 'duplicate';
        answers[position] := answer;
        exit;
      end if;
      predecessor := there.id;
      update longhaul.jobs set superseded_by = (item ->> 'id')::uuid, revision = revision + 1 where id = there.id;
    end loop;
    if answers[position] is null then
      raise exception 'rivals superseded the job % times', tries_max using errcode = 'serialization_failure';
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
