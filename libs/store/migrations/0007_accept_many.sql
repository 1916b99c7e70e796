-- Many requests of one tenant, a job each, in one round trip and one commit: what longhaul.accept does for each alone,
-- a statement for all. It never waits long and never restarts a job: what would is answered by longhaul.accept.

create type longhaul.submission as (id uuid, route text, idempotency_key text, fingerprint bytea, kind text, key text,
  input bytea, digest bytea, deadline_ms bigint, trace_parent text);

-- What the answer to a new job is kept as under its idempotency key; the same as longhaul.accept keeps.
create function longhaul.answer_accepted(job uuid, deadline_ms bigint) returns jsonb language sql stable as $$
  select jsonb_build_object('outcome', 'accepted', 'status', 202, 'jobId', job, 'createdAt', now(),
    'deadlineAt', now() + deadline_ms * interval '1 millisecond', 'attemptOf', null)
$$;

-- Answers {at, others}: `others` has an answer of longhaul.accept's form, by job id, for each that did not make a new job,
-- the rest were created `at`. An answer with `replayed: null`: ask longhaul.accept for this one. Keys are taken in order,
-- those of idempotency before those of jobs, here and in longhaul.accept, so that no two transactions wait in a circle.
create function longhaul.accept_many(tenant uuid, requests json) returns jsonb language plpgsql as $$
#variable_conflict use_variable
declare
  given constant longhaul.submission[] := array(select r from json_populate_recordset(null::longhaul.submission, requests) r);
  others jsonb := '{}';
  firsts uuid[];
  later uuid[] := '{}';
  rejected uuid[];
  one longhaul.submission;
  seen longhaul.idempotency;
  there record;
begin
  -- A rival that takes longer fails the call, and each request then waits for itself alone.
  perform set_config('longhaul.tenant', tenant::text, true), set_config('lock_timeout', '100ms', true);

  if exists (select from unnest(given) g where g.idempotency_key is not null) then
    with taken as (
      insert into longhaul.idempotency (tenant_id, route, key, fingerprint, response)
        select tenant, g.route, g.idempotency_key, g.fingerprint, jsonb_build_array(longhaul.answer_accepted(g.id, g.deadline_ms))
        from unnest(given) with ordinality g where g.idempotency_key is not null
        order by g.route, g.idempotency_key, g.ordinality
        on conflict do nothing
        returning (response -> 0 ->> 'jobId')::uuid as id)
    select coalesce(array_agg(t.id), '{}') into firsts from taken t;
    for one in select g.* from unnest(given) g where g.idempotency_key is not null and g.id <> all (firsts) loop
      execute 'select * from longhaul.idempotency i where i.tenant_id = $1 and i.route = $2 and i.key = $3'
        into seen using tenant, one.route, one.idempotency_key;
      later := later || one.id;
      others := others || jsonb_build_object(one.id, case
        -- Swept a moment ago; or the first is among these here, and not accepted yet.
        when seen.key is null or (seen.response -> 0 ->> 'jobId')::uuid = any (firsts) then '{"replayed": null}'::jsonb
        else jsonb_build_object('replayed', seen.fingerprint = one.fingerprint, 'reused', seen.fingerprint <> one.fingerprint,
          'items', coalesce(seen.response, '[]')) end);
    end loop;
  end if;

  with fresh as (
    insert into longhaul.jobs (id, tenant_id, kind, natural_key, input, input_digest, deadline_at, trace_parent)
      select g.id, tenant, g.kind, g.key, g.input, g.digest, now() + g.deadline_ms * interval '1 millisecond', g.trace_parent
      from unnest(given) with ordinality g where g.id <> all (later)
      order by g.kind, g.key, g.ordinality
      on conflict (tenant_id, kind, natural_key) where natural_key is not null and superseded_by is null do nothing
      returning id),
  sent as (
    insert into longhaul.outbox (job_id, tenant_id, message) select f.id, tenant, 'start' from fresh f)
  select array_agg(g.id) into rejected
    from unnest(given) g where g.id <> all (later) and not exists (select from fresh f where f.id = g.id);

  for one in select g.* from unnest(given) g where g.id = any (rejected) loop
    -- Planned anew each time: a plan kept from when the table was empty reads all the tenant's jobs.
    execute 'select j.id, j.input_digest = $4 as same from longhaul.jobs j where j.tenant_id = $1 and j.kind = $2
      and j.natural_key = $3 and j.superseded_by is null' into there using tenant, one.kind, one.key, one.digest;
    if there.id is null then
      raise exception 'the job with the same natural key is gone' using errcode = 'serialization_failure';
    end if;
    if there.same then
      others := others || jsonb_build_object(one.id, jsonb_build_object('replayed', false, 'reused', false, 'items',
        jsonb_build_array(jsonb_build_object('outcome', 'duplicate', 'status', 200, 'jobId', there.id))));
      update longhaul.idempotency i set response = others -> one.id::text -> 'items'
        where i.tenant_id = tenant and i.route = one.route and i.key = one.idempotency_key;
    else
      others := others || jsonb_build_object(one.id, jsonb_build_object('replayed', false, 'reused', false, 'items',
        jsonb_build_array(jsonb_build_object('outcome', 'conflict', 'jobId', there.id))));
      -- Nothing was accepted: the same key may be used for a corrected request.
      delete from longhaul.idempotency i
        where i.tenant_id = tenant and i.route = one.route and i.key = one.idempotency_key;
    end if;
  end loop;

  return jsonb_build_object('at', now(), 'others', others);
end $$;

revoke all on function longhaul.answer_accepted(uuid, bigint), longhaul.accept_many(uuid, json) from public;
grant execute on function longhaul.answer_accepted(uuid, bigint), longhaul.accept_many(uuid, json) to longhaul_app;

-- Almost no job is an attempt of another: an index over all their nulls cost a tenth of accepting.
alter table longhaul.jobs drop constraint jobs_attempt_of_key;
create unique index jobs_attempt_of_key on longhaul.jobs (attempt_of) where attempt_of is not null;
