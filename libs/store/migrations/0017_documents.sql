-- Documents: what each version of an object was when it was first made. The file may expire; what it was does not.
create table longhaul.documents (
  tenant_id uuid not null references longhaul.tenants,
  template text not null,
  object text not null,
  version int not null check (version > 0),
  -- Of the file, and of the rows it was made of: whether one that is made again is the same, and if not, why.
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  rows_sha256 text not null check (rows_sha256 ~ '^[0-9a-f]{64}$'),
  pages int not null check (pages > 0),
  -- The job whose file it is: a later one, where the first file has expired.
  job_id uuid not null references longhaul.jobs,
  created_at timestamptz not null default now(),
  primary key (tenant_id, template, object, version)
);

alter table longhaul.documents enable row level security;
alter table longhaul.documents force row level security;
create policy own_tenant on longhaul.documents to longhaul_worker, longhaul_app
  using (tenant_id = longhaul.current_tenant()) with check (tenant_id = longhaul.current_tenant());

grant select, insert, update (job_id) on longhaul.documents to longhaul_worker;
grant select on longhaul.documents to longhaul_app;
