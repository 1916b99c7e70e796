-- Jobs that a job starts: accepted in the transaction of one of its steps, sent by the relay like any other.
alter table longhaul.jobs add column parent_id uuid references longhaul.jobs;
create index jobs_children on longhaul.jobs (parent_id) where parent_id is not null;

grant insert on longhaul.jobs to longhaul_worker;
grant update (cancel_requested_at, cancel_reason) on longhaul.jobs to longhaul_worker;
grant select, insert on longhaul.outbox to longhaul_worker;
grant update (dispatched_at) on longhaul.outbox to longhaul_worker;

-- jobs: [{id, kind, key, input (base64), digest (hex), deadlineMs}]. A child that is there already, by its natural key, is
-- passed over. Answers how many were accepted.
create function longhaul.start_children(tenant uuid, parent uuid, jobs jsonb) returns int language plpgsql as $$
#variable_conflict use_variable
declare accepted int;
begin
  perform set_config('longhaul.tenant', tenant::text, true);
  with fresh as (
    insert into longhaul.jobs (id, tenant_id, kind, natural_key, input, input_digest, deadline_at, parent_id, trace_parent)
      select (j ->> 'id')::uuid, tenant, j ->> 'kind', j ->> 'key', decode(j ->> 'input', 'base64'), decode(j ->> 'digest', 'hex'),
             now() + (j ->> 'deadlineMs')::bigint * interval '1 millisecond', parent, p.trace_parent
        from jsonb_array_elements(jobs) j, longhaul.jobs p where p.id = parent
      on conflict (tenant_id, kind, natural_key) where natural_key is not null and superseded_by is null do nothing
      returning id)
  insert into longhaul.outbox (job_id, tenant_id, message) select id, tenant, 'start' from fresh;
  get diagnostics accepted = row_count;
  -- Heard when the transaction commits.
  perform pg_notify('longhaul_outbox', '');
  return accepted;
end $$;

-- Asks for the cancellation of every child that is still open; those past their commit point end well.
create function longhaul.cancel_children(tenant uuid, parent uuid, reason text) returns void language plpgsql as $$
#variable_conflict use_variable
declare child uuid;
begin
  perform set_config('longhaul.tenant', tenant::text, true);
  for child in select j.id from longhaul.jobs j where j.parent_id = parent and j.ended_at is null order by j.id loop
    perform longhaul.request_cancel(tenant, child, reason);
  end loop;
  perform pg_notify('longhaul_outbox', '');
end $$;

-- {open, SUCCEEDED, FAILED, CANCELLED}
create function longhaul.count_children(tenant uuid, parent uuid) returns jsonb language plpgsql as $$
#variable_conflict use_variable
begin
  perform set_config('longhaul.tenant', tenant::text, true);
  return (select jsonb_build_object('open', count(*) filter (where j.ended_at is null),
      'SUCCEEDED', count(*) filter (where j.status = 'SUCCEEDED'), 'FAILED', count(*) filter (where j.status = 'FAILED'),
      'CANCELLED', count(*) filter (where j.status = 'CANCELLED'))
    from longhaul.jobs j where j.parent_id = parent);
end $$;

do $$
declare f text;
begin
  foreach f in array array['start_children(uuid, uuid, jsonb)', 'cancel_children(uuid, uuid, text)', 'count_children(uuid, uuid)'] loop
    execute format('revoke all on function longhaul.%s from public', f);
    execute format('grant execute on function longhaul.%s to longhaul_worker', f);
  end loop;
end $$;
grant execute on function longhaul.request_cancel(uuid, uuid, text) to longhaul_worker;
