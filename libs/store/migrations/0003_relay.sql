-- What the relay and the payload codec need: whose a job is, and the rights to end a job that was never started.

-- The tenant a job belongs to, for the codec, which is told a workflow's id (the job's) and nothing else. It answers
-- an id and no row, so it may be asked before a tenant is known. It runs as the relay's role, which sees the columns
-- it was granted, so that the schema's owner needs no rights on jobs.
create function longhaul.tenant_of_job(job uuid) returns uuid
  language sql stable security definer set search_path = pg_catalog, longhaul
  as $$ select j.tenant_id from longhaul.jobs j where j.id = job $$;
revoke all on function longhaul.tenant_of_job(uuid) from public;
grant execute on function longhaul.tenant_of_job(uuid) to longhaul_app, longhaul_worker, longhaul_relay;
grant create on schema longhaul to longhaul_relay;
alter function longhaul.tenant_of_job(uuid) owner to longhaul_relay;
revoke create on schema longhaul from longhaul_relay;

-- A cancel that found the start row locked by the relay ends the job here when the start was not sent after all.
grant select (revision) on longhaul.jobs to longhaul_relay;
grant update (status, ended_at, compensated, error, revision) on longhaul.jobs to longhaul_relay;
-- The reconciler sends a start again whose workflow never was.
grant insert on longhaul.outbox to longhaul_relay;

-- The oldest unsent row, whatever its next attempt; and dispatched rows by age, for the sweeper.
create index outbox_unsent_age on longhaul.outbox (created_at) where dispatched_at is null;
create index outbox_dispatched on longhaul.outbox (dispatched_at) where dispatched_at is not null;
