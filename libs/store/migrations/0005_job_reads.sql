-- How the API reads jobs: everything a representation needs, in one round trip, as the tenant and nobody else.

-- One row a job, with its ledger, its open park and its artifact beside it. The invoker's row-level security holds.
create view longhaul.readable_jobs with (security_invoker = true) as
select j.id, j.tenant_id, j.kind, j.natural_key, j.status, j.phase, j.revision, j.created_at, j.dispatched_at,
  j.started_at, j.committed_at, j.cancel_requested_at, j.ended_at, j.deadline_at, j.compensated, j.skipped, j.leftovers,
  j.result, j.error, j.attempt_of, j.view_hash, j.view,
  (select coalesce(jsonb_agg(jsonb_build_object(
      'name', e.step, 'item', e.item, 'generation', e.generation, 'seq', e.seq, 'kind', e.step_kind, 'undo', e.undo,
      'state', e.state, 'attempt', e.attempt, 'failed', e.failed, 'lastError', e.last_error,
      'nextAttemptAt', e.next_attempt_at, 'startedAt', e.started_at, 'finishedAt', e.finished_at,
      'updatedAt', e.updated_at, 'progress', e.progress) order by e.seq, e.item), '[]')
    from longhaul.effects e where e.job_id = j.id) as effects,
  (select jsonb_build_object('number', d.park, 'step', d.step, 'item', d.item, 'undo', d.undo, 'doubt', d.doubt)
    from longhaul.dead_letters d where d.job_id = j.id and d.closed_at is null order by d.park desc limit 1) as park,
  (select jsonb_build_object('store', a.store, 'location', a.location, 'filename', a.filename,
      'contentType', a.content_type, 'bytes', a.bytes, 'rows', a.rows, 'sha256', a.sha256,
      'expiresAt', a.expires_at, 'expired', a.expires_at <= now() or a.deleted_at is not null)
    from longhaul.artifacts a where a.job_id = j.id) as artifact
from longhaul.jobs j;
grant select on longhaul.readable_jobs to longhaul_app;

-- Jobs by id; those of other tenants are as absent as those that never were.
create function longhaul.read_jobs(tenant uuid, jobs uuid[]) returns setof longhaul.readable_jobs
  language plpgsql as $$
#variable_conflict use_variable
begin
  perform set_config('longhaul.tenant', tenant::text, true);
  return query select r.* from longhaul.readable_jobs r where r.tenant_id = tenant and r.id = any (jobs);
end $$;

-- A page of a tenant's jobs, newest first. Null means: not asked for.
create function longhaul.list_jobs(tenant uuid, of_kind text, of_status text, of_key text, since timestamptz, before uuid, at_most int)
  returns setof longhaul.readable_jobs language plpgsql as $$
#variable_conflict use_variable
begin
  perform set_config('longhaul.tenant', tenant::text, true);
  return query select r.* from longhaul.readable_jobs r
    where r.tenant_id = tenant
      and (of_kind is null or r.kind = of_kind)
      and (of_status is null or r.status = of_status)
      and (of_key is null or r.natural_key = of_key)
      and (since is null or r.created_at >= since)
      and (before is null or r.id < before)
    order by r.id desc limit at_most;
end $$;

-- The tenant's name, which datasets' access lists use.
create function longhaul.tenant_name(tenant uuid) returns text language plpgsql as $$
#variable_conflict use_variable
begin
  perform set_config('longhaul.tenant', tenant::text, true);
  return (select t.name from longhaul.tenants t where t.id = tenant);
end $$;

revoke all on function longhaul.tenant_name(uuid), longhaul.read_jobs(uuid, uuid[]),
  longhaul.list_jobs(uuid, text, text, text, timestamptz, uuid, int) from public;
grant execute on function longhaul.tenant_name(uuid), longhaul.read_jobs(uuid, uuid[]),
  longhaul.list_jobs(uuid, text, text, text, timestamptz, uuid, int) to longhaul_app;
