-- Uploads: source objects of a tenant, kept in the artifact store for a while. A row is there before the first byte is,
-- so that the sweeper finds what a killed process left; it has a checksum once all bytes are.
create table longhaul.uploads (
  id uuid primary key,
  tenant_id uuid not null references longhaul.tenants,
  store text not null,
  location text not null unique,
  -- As sniffed; width and height as shown, its orientation applied.
  content_type text,
  width int,
  height int,
  bytes bigint,
  sha256 text check (sha256 ~ '^[0-9a-f]{64}$'),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  deleted_at timestamptz,
  check ((sha256 is null) = (bytes is null) and (sha256 is null) = (content_type is null))
);
-- The same bytes of a tenant are one upload.
create unique index uploads_contents on longhaul.uploads (tenant_id, sha256) where deleted_at is null;
create index uploads_expiry on longhaul.uploads (expires_at) where deleted_at is null;

-- What became of each source of an image.renditions.
create table longhaul.rendition_sources (
  job_id uuid not null references longhaul.jobs,
  source int not null,
  tenant_id uuid not null,
  upload_id uuid not null,
  state text not null default 'waiting' check (state in ('waiting', 'rendered', 'refused', 'withdrawn')),
  -- Why it was refused: a code, and a line for people.
  reason text check (length(reason) <= 60),
  detail text check (length(detail) <= 500),
  -- Of the decoded image, its orientation applied.
  width int,
  height int,
  frames int,
  -- Attempts of this generation and earlier ones may record nothing any more.
  withdrawn int not null default -1,
  primary key (job_id, source),
  unique (job_id, upload_id),
  check ((state = 'refused') = (reason is not null))
);

create table longhaul.rendition_files (
  job_id uuid not null,
  source int not null,
  -- Its place in the set.
  place int not null,
  tenant_id uuid not null,
  name text not null,
  location text not null unique,
  format text not null,
  content_type text not null,
  width int not null,
  height int not null,
  bytes bigint not null,
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  -- Null until the job announces them.
  expires_at timestamptz,
  deleted_at timestamptz,
  primary key (job_id, source, place),
  unique (job_id, source, name),
  foreign key (job_id, source) references longhaul.rendition_sources
);
create index rendition_files_expiry on longhaul.rendition_files (expires_at) where deleted_at is null;

do $$
declare t text;
begin
  foreach t in array array['uploads', 'rendition_sources', 'rendition_files'] loop
    execute format('alter table longhaul.%I enable row level security', t);
    execute format('alter table longhaul.%I force row level security', t);
    execute format('create policy own_tenant on longhaul.%I using (tenant_id = longhaul.current_tenant()) with check (tenant_id = longhaul.current_tenant())', t);
    execute format('create policy every_tenant on longhaul.%I to longhaul_relay using (true) with check (true)', t);
    execute format('grant select on longhaul.%I to longhaul_app, longhaul_worker, longhaul_relay', t);
  end loop;
end $$;
grant insert, delete on longhaul.uploads to longhaul_app;
grant update (content_type, width, height, bytes, sha256, expires_at, deleted_at) on longhaul.uploads to longhaul_app;
grant update (expires_at) on longhaul.uploads to longhaul_worker;
grant update (deleted_at), delete on longhaul.uploads to longhaul_relay;
grant insert, update on longhaul.rendition_sources to longhaul_worker;
grant insert, update, delete on longhaul.rendition_files to longhaul_worker;
grant update (deleted_at), delete on longhaul.rendition_files to longhaul_relay;
