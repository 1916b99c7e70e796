-- Jobs that a job starts: accepted in the transaction of one of its steps, sent by the relay like any other. They are the
-- effect of that step, and belong to it. Their last end wakes their parent.
alter table longhaul.jobs
  add column parent_id uuid references longhaul.jobs,
  -- The effect key (S11) of the step that started it.
  add column parent_effect text,
  add constraint jobs_parent_check check ((parent_id is null) = (parent_effect is null));
create index jobs_children on longhaul.jobs (parent_id, id) where parent_id is not null;
create index jobs_open_children on longhaul.jobs (parent_effect) where parent_effect is not null and ended_at is null;

alter table longhaul.outbox
  drop constraint outbox_message_check,
  add constraint outbox_message_check
    check (message in ('start', 'cancel', 'decide', 'wake') and (message = 'decide') = (decision_id is not null));

grant insert on longhaul.jobs to longhaul_worker;
grant update (cancel_requested_at, cancel_reason) on longhaul.jobs to longhaul_worker;
grant select, insert on longhaul.outbox to longhaul_worker;
grant update (dispatched_at, due_at) on longhaul.outbox to longhaul_worker, longhaul_app;
grant select (parent_id, parent_effect) on longhaul.jobs to longhaul_relay;

-- jobs: [{id, kind, key, input (base64), digest (hex), deadlineMs}]; effect: the key of the step that starts them.
-- False, and none is started, where the parent is a child of a child … `depth_max` times.
create function longhaul.start_children(tenant uuid, parent uuid, effect text, depth_max int, jobs jsonb)
  returns boolean language plpgsql as $$
#variable_conflict use_variable
begin
  perform set_config('longhaul.tenant', tenant::text, true);
  if (with recursive line as (
        select j.parent_id, 1 as depth from longhaul.jobs j where j.id = parent
        union all
        select j.parent_id, line.depth + 1 from longhaul.jobs j join line on j.id = line.parent_id)
      select max(line.depth) > depth_max from line) then
    return false;
  end if;
  with fresh as (
    insert into longhaul.jobs (id, tenant_id, kind, natural_key, input, input_digest, deadline_at, parent_id, parent_effect, trace_parent)
      select (j ->> 'id')::uuid, tenant, j ->> 'kind', j ->> 'key', decode(j ->> 'input', 'base64'), decode(j ->> 'digest', 'hex'),
             now() + (j ->> 'deadlineMs')::bigint * interval '1 millisecond', parent, effect, p.trace_parent
        from jsonb_array_elements(jobs) j, longhaul.jobs p where p.id = parent
      returning id)
  insert into longhaul.outbox (job_id, tenant_id, message) select id, tenant, 'start' from fresh;
  -- Heard when the transaction commits.
  perform pg_notify('longhaul_outbox', '');
  return true;
end $$;

-- Asks for the cancellation of every child of this effect that is still open; those past their commit point end well.
create function longhaul.cancel_children(tenant uuid, parent uuid, effect text, reason text) returns void language plpgsql as $$
#variable_conflict use_variable
declare child uuid;
begin
  perform set_config('longhaul.tenant', tenant::text, true);
  for child in
    select j.id from longhaul.jobs j
    where j.parent_id = parent and j.parent_effect = effect and j.ended_at is null and j.cancel_requested_at is null
    order by j.id
  loop
    perform longhaul.request_cancel(tenant, child, reason);
  end loop;
  perform pg_notify('longhaul_outbox', '');
end $$;

-- {open, succeeded, failed, cancelled}
create function longhaul.count_children(tenant uuid, parent uuid, effect text) returns jsonb language plpgsql as $$
#variable_conflict use_variable
begin
  perform set_config('longhaul.tenant', tenant::text, true);
  return (select jsonb_build_object('open', count(*) filter (where j.ended_at is null),
      'succeeded', count(*) filter (where j.status = 'SUCCEEDED'), 'failed', count(*) filter (where j.status = 'FAILED'),
      'cancelled', count(*) filter (where j.status = 'CANCELLED'))
    from longhaul.jobs j where j.parent_id = parent and j.parent_effect = effect);
end $$;

-- The children of an effect that have ended, by id; `result` is sealed.
create function longhaul.ended_children(tenant uuid, parent uuid, effect text)
  returns table (id uuid, status text, result bytea, error jsonb) language plpgsql as $$
#variable_conflict use_column
begin
  perform set_config('longhaul.tenant', tenant::text, true);
  return query select j.id, j.status, j.result, j.error from longhaul.jobs j
    where j.parent_id = parent and j.parent_effect = effect and j.ended_at is not null order by j.id;
end $$;

-- Leaves word for the parent when the last open child of an effect has ended, in the transaction that ends it.
create function longhaul.wake_parent() returns trigger language plpgsql as $$
begin
  -- Of two that end at once the later one sees the earlier.
  perform pg_advisory_xact_lock(hashtextextended(new.parent_effect, 0));
  if exists (select from longhaul.jobs j where j.parent_effect = new.parent_effect and j.ended_at is null) then
    return null;
  end if;
  -- A word that is being sent this moment is sent again: it may have come before this end.
  insert into longhaul.outbox (job_id, tenant_id, message) values (new.parent_id, new.tenant_id, 'wake')
    on conflict (job_id, message, decision_id) do update set dispatched_at = null, due_at = now();
  perform pg_notify('longhaul_outbox', '');
  return null;
end $$;
-- At the commit, when the transaction has every row it locks: whoever waits here holds nobody up who is to come first.
create constraint trigger jobs_wake_parent after update of ended_at on longhaul.jobs deferrable initially deferred
  for each row when (old.ended_at is null and new.ended_at is not null and new.parent_id is not null)
  execute function longhaul.wake_parent();

-- What readers see of a job's children beside the job: {parent, children: {total, open, parked, succeeded, failed, cancelled,
-- parkedJobs: [{id, kind, key, step}]} or null}. The tenant must be set.
create function longhaul.kin_of(job uuid, parked_max int) returns jsonb language sql stable as $$
  select jsonb_build_object('parent', j.parent_id, 'children', (
    select jsonb_build_object('total', count(*), 'open', count(*) filter (where c.ended_at is null),
        'parked', count(*) filter (where c.phase = 'parked'),
        'succeeded', count(*) filter (where c.status = 'SUCCEEDED'), 'failed', count(*) filter (where c.status = 'FAILED'),
        'cancelled', count(*) filter (where c.status = 'CANCELLED'),
        'parkedJobs', (
          select coalesce(jsonb_agg(to_jsonb(p)), '[]') from (
            select c.id, c.kind, c.natural_key as key, d.step
              from longhaul.jobs c join longhaul.dead_letters d on d.job_id = c.id and d.closed_at is null
              where c.parent_id = job and c.phase = 'parked' order by c.id limit parked_max) p))
      from longhaul.jobs c where c.parent_id = job having count(*) > 0))
  from longhaul.jobs j where j.id = job $$;

-- A page of a tenant's jobs, newest first. Null means: not asked for.
drop function longhaul.list_jobs(uuid, text, text, text, timestamptz, uuid, int);
create function longhaul.list_jobs(
  tenant uuid, of_kind text, of_status text, of_key text, of_parent uuid, since timestamptz, before uuid, at_most int
) returns setof longhaul.readable_jobs language plpgsql as $$
#variable_conflict use_variable
begin
  perform set_config('longhaul.tenant', tenant::text, true);
  return query select r.* from longhaul.readable_jobs r
    where r.tenant_id = tenant
      and (of_kind is null or r.kind = of_kind)
      and (of_status is null or r.status = of_status)
      and (of_key is null or r.natural_key = of_key)
      and (of_parent is null or r.id in (select c.id from longhaul.jobs c where c.parent_id = of_parent))
      and (since is null or r.created_at >= since)
      and (before is null or r.id < before)
    order by r.id desc limit at_most;
end $$;

do $$
declare f text;
begin
  foreach f in array array[
    'start_children(uuid, uuid, text, int, jsonb)', 'cancel_children(uuid, uuid, text, text)',
    'count_children(uuid, uuid, text)', 'ended_children(uuid, uuid, text)'
  ] loop
    execute format('revoke all on function longhaul.%s from public', f);
    execute format('grant execute on function longhaul.%s to longhaul_worker', f);
  end loop;
  foreach f in array array['kin_of(uuid, int)', 'list_jobs(uuid, text, text, text, uuid, timestamptz, uuid, int)'] loop
    execute format('revoke all on function longhaul.%s from public', f);
    execute format('grant execute on function longhaul.%s to longhaul_app', f);
  end loop;
end $$;
revoke all on function longhaul.wake_parent() from public;
grant execute on function longhaul.request_cancel(uuid, uuid, text) to longhaul_worker;
