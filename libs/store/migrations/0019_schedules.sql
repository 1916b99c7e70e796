-- Schedules: jobs that are asked for again and again. The row is the truth; the engine's schedule is made from it.
create table longhaul.schedules (
  id uuid primary key,
  tenant_id uuid not null references longhaul.tenants,
  kind text not null,
  -- Sealed: the input as it was given, placeholders and all, and where each run's end is told.
  template bytea not null,
  cron text not null check (length(cron) <= 200),
  time_zone text not null check (length(time_zone) <= 100),
  overlap text not null check (overlap in ('skip', 'bufferOne', 'bufferAll', 'allowAll', 'cancelOther')),
  -- What was missed no longer ago is made up for.
  catch_up_seconds int not null check (catch_up_seconds between 10 and 31536000),
  paused boolean not null default false,
  note text check (length(note) <= 500),
  -- Rises with every change; the engine has this one.
  revision int not null default 1,
  synced_revision int not null default 0,
  synced_at timestamptz,
  -- When the engine is told next, after how many failures.
  sync_due_at timestamptz not null default now(),
  sync_attempts int not null default 0,
  -- Why the last run that could not become a job did not: {at, code, detail}.
  last_error jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);
create index schedules_listing on longhaul.schedules (tenant_id, id desc) where deleted_at is null;
create index schedules_unsynced on longhaul.schedules (sync_due_at) where revision <> synced_revision;

alter table longhaul.schedules enable row level security;
alter table longhaul.schedules force row level security;
create policy own_tenant on longhaul.schedules to longhaul_app, longhaul_worker
  using (tenant_id = longhaul.current_tenant()) with check (tenant_id = longhaul.current_tenant());
create policy every_tenant on longhaul.schedules to longhaul_relay using (true) with check (true);
grant select, insert on longhaul.schedules to longhaul_app;
grant update (kind, template, cron, time_zone, overlap, catch_up_seconds, paused, note, revision, sync_due_at, sync_attempts,
  updated_at, deleted_at) on longhaul.schedules to longhaul_app;
grant select on longhaul.schedules to longhaul_worker;
grant update (last_error) on longhaul.schedules to longhaul_worker;
grant select (id, tenant_id, cron, time_zone, overlap, catch_up_seconds, paused, revision, synced_revision, synced_at,
  sync_due_at, sync_attempts, deleted_at) on longhaul.schedules to longhaul_relay;
grant update (synced_revision, synced_at, sync_due_at, sync_attempts) on longhaul.schedules to longhaul_relay;

alter table longhaul.jobs add constraint jobs_schedule_id_fkey foreign key (schedule_id) references longhaul.schedules;
create index jobs_of_schedule on longhaul.jobs (schedule_id, id desc) where schedule_id is not null;
grant select (schedule_run) on longhaul.jobs to longhaul_relay;

-- The workflow that runs a schedule's action belongs to the schedule: its id begins with the schedule's.
create or replace function longhaul.tenant_of_job(job uuid) returns uuid
  language sql stable security definer set search_path = pg_catalog, longhaul
  as $$ select j.tenant_id from longhaul.jobs j where j.id = job
        union all select s.tenant_id from longhaul.schedules s where s.id = job $$;

-- A run's job is accepted by the worker.
grant execute on function longhaul.accept(uuid, text, text, bytea, jsonb), longhaul.answer_duplicate(longhaul.jobs, jsonb)
  to longhaul_worker;
grant insert on longhaul.callbacks to longhaul_worker;

-- Word of its job's end for the workflow that waits for it, in the transaction that records the end. No NOTIFY, as for callbacks.
alter table longhaul.outbox
  drop constraint outbox_message_check,
  add constraint outbox_message_check
    check (message in ('start', 'cancel', 'decide', 'wake', 'ended') and (message = 'decide') = (decision_id is not null));
create function longhaul.tell_run() returns trigger language plpgsql as $$
begin
  insert into longhaul.outbox (job_id, tenant_id, message) values (new.id, new.tenant_id, 'ended') on conflict do nothing;
  return null;
end $$;
revoke all on function longhaul.tell_run() from public;
create trigger jobs_tell_run after update of ended_at on longhaul.jobs for each row
  when (old.ended_at is null and new.ended_at is not null and new.schedule_run is not null)
  execute function longhaul.tell_run();

-- A page of a tenant's jobs, newest first. Null means: not asked for.
drop function longhaul.list_jobs(uuid, text, text, text, uuid, timestamptz, uuid, int);
create function longhaul.list_jobs(
  tenant uuid, of_kind text, of_status text, of_key text, of_parent uuid, of_schedule uuid, since timestamptz, before uuid,
  at_most int
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
      and (of_schedule is null or r.schedule_id = of_schedule)
      and (since is null or r.created_at >= since)
      and (before is null or r.id < before)
    order by r.id desc limit at_most;
end $$;
revoke all on function longhaul.list_jobs(uuid, text, text, text, uuid, uuid, timestamptz, uuid, int) from public;
grant execute on function longhaul.list_jobs(uuid, text, text, text, uuid, uuid, timestamptz, uuid, int) to longhaul_app;
