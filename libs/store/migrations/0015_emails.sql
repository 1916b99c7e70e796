-- E-mail: templates, lists of recipients, whom not to write to, and what became of each message of a job.

-- A version never changes: a job is written by the version it was accepted with, a deleted one too.
create table longhaul.email_templates (
  id uuid primary key,
  tenant_id uuid not null references longhaul.tenants,
  name text not null check (name ~ '^[a-z0-9][a-z0-9._-]{0,99}$'),
  version int not null check (version > 0),
  subject text not null check (length(subject) <= 1000),
  text text not null,
  html text,
  -- {properties: {name: {type, format?, maxLength?, description?}}, required: [name]}
  variables jsonb not null,
  created_at timestamptz not null default now(),
  deleted_at timestamptz,
  unique (tenant_id, name, version)
);

create table longhaul.recipient_lists (
  id uuid primary key,
  tenant_id uuid not null references longhaul.tenants,
  name text not null check (length(name) between 1 and 200),
  -- Only ready ones are seen; an upload that was cut off is swept.
  state text not null default 'uploading' check (state in ('uploading', 'ready')),
  -- What rows may have beside the address: templates' variables.
  columns text[] not null default '{}',
  recipients int not null default 0,
  duplicates int not null default 0,
  invalid int not null default 0,
  bytes bigint not null default 0,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);
create index recipient_lists_listing on longhaul.recipient_lists (tenant_id, id desc);
create index recipient_lists_expiry on longhaul.recipient_lists (expires_at);

-- Recipients, so many at a time, sealed: addresses and names are in no other table but the sealed ones of suppressions.
create table longhaul.recipient_chunks (
  list_id uuid not null references longhaul.recipient_lists on delete cascade,
  chunk int not null check (chunk >= 0),
  tenant_id uuid not null,
  recipients int not null check (recipients > 0),
  sealed bytea not null,
  primary key (list_id, chunk)
);

create table longhaul.email_suppressions (
  id uuid primary key,
  tenant_id uuid not null references longhaul.tenants,
  -- Keyed, so that nobody without the tenant's key can try addresses; and the address itself, sealed.
  digest bytea not null,
  address bytea not null,
  reason text not null check (reason in ('owner', 'bounced')),
  -- Of a bounce: the server's reply, redacted.
  detail text check (length(detail) <= 500),
  created_at timestamptz not null default now(),
  unique (tenant_id, digest)
);

-- One message of a job; `ordinal` is its recipient's place in the list. Without foreign keys, whose check costs more than the row.
create table longhaul.email_deliveries (
  job_id uuid not null,
  ordinal int not null,
  tenant_id uuid not null,
  state text not null default 'open'
    check (state in ('open', 'sending', 'sent', 'refused', 'suppressed', 'dead', 'withdrawn')),
  -- Answers that left it open; how often it was taken up, by which two workers know each other; how often nobody heard an answer.
  attempts int not null default 0,
  claims int not null default 0,
  doubts int not null default 0,
  due_at timestamptz not null default now(),
  reason text check (length(reason) <= 100),
  reply text check (length(reply) <= 500),
  settled_at timestamptz,
  primary key (job_id, ordinal),
  check ((state in ('open', 'sending')) = (settled_at is null))
) with (fillfactor = 50); -- room on the same page for each row's outcome

-- When the next message may be sent, by all workers together (`all`) and of a tenant; and until when none is, because the
-- server asked for less or is away.
create table longhaul.email_gates (
  scope text primary key,
  tenant_id uuid,
  next_slot_at timestamptz not null default now(),
  open_until timestamptz,
  failures int not null default 0,
  reason text check (length(reason) <= 500)
);
insert into longhaul.email_gates (scope) values ('all');

do $$
declare t text;
begin
  foreach t in array array['email_templates', 'recipient_lists', 'recipient_chunks', 'email_suppressions', 'email_deliveries', 'email_gates'] loop
    execute format('alter table longhaul.%I enable row level security', t);
    execute format('alter table longhaul.%I force row level security', t);
    execute format('create policy own_tenant on longhaul.%I using (tenant_id = longhaul.current_tenant()) with check (tenant_id = longhaul.current_tenant())', t);
  end loop;
  foreach t in array array['email_templates', 'recipient_lists', 'recipient_chunks', 'email_suppressions', 'email_deliveries'] loop
    execute format('grant select on longhaul.%I to longhaul_app, longhaul_worker', t);
  end loop;
end $$;
create policy everybodys on longhaul.email_gates to longhaul_worker using (tenant_id is null) with check (tenant_id is null);
grant select, insert, update on longhaul.email_gates to longhaul_worker;

grant insert, update (deleted_at) on longhaul.email_templates to longhaul_app;
grant insert, delete, update (state, columns, recipients, duplicates, invalid, bytes) on longhaul.recipient_lists to longhaul_app;
grant insert on longhaul.recipient_chunks to longhaul_app;
grant insert, delete on longhaul.email_suppressions to longhaul_app;
grant insert on longhaul.email_suppressions to longhaul_worker;
grant insert, update (state, attempts, claims, doubts, due_at, reason, reply, settled_at) on longhaul.email_deliveries to longhaul_worker;

-- The relay sweeps what has expired, and uploads that were cut off.
create policy every_tenant on longhaul.recipient_lists to longhaul_relay using (true);
grant select, delete on longhaul.recipient_lists to longhaul_relay;
