-- Exports: where each part of a plan begins and ends. A part's worker reads its row again after a crash.
create table longhaul.export_parts (
  job_id uuid not null references longhaul.jobs,
  tenant_id uuid not null,
  -- A start-over plans anew, in another snapshot.
  plan int not null,
  part int not null,
  -- Keys from key_from (inclusive) up to key_to (exclusive), as the source writes them; null: no bound.
  key_from text,
  key_to text,
  created_at timestamptz not null default now(),
  primary key (job_id, plan, part)
);

alter table longhaul.export_parts enable row level security;
alter table longhaul.export_parts force row level security;
create policy own_tenant on longhaul.export_parts to longhaul_worker
  using (tenant_id = longhaul.current_tenant()) with check (tenant_id = longhaul.current_tenant());
create policy every_tenant on longhaul.export_parts to longhaul_relay using (true) with check (true);

grant select, insert, delete on longhaul.export_parts to longhaul_worker;
-- The sweeper drops the plans of jobs that have ended.
grant select (job_id), delete on longhaul.export_parts to longhaul_relay;
