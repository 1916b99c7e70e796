-- Payouts: our own books of money that leaves through a payment provider. Integers of minor units, never above what a
-- JavaScript number holds exactly. Money moves only by an entry, and an entry is never changed.
create domain longhaul.minor_units as bigint check (value between 0 and 9007199254740991);

create table longhaul.accounts (
  tenant_id uuid not null references longhaul.tenants,
  id text not null check (id ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  balance_minor longhaul.minor_units not null default 0,
  -- Of the balance: promised to batches that have not ended.
  reserved_minor longhaul.minor_units not null default 0,
  created_at timestamptz not null default now(),
  primary key (tenant_id, id),
  check (reserved_minor <= balance_minor)
) with (fillfactor = 50);

-- What a batch may still spend of its account; held by its job, as its semantic lock (S15).
create table longhaul.payout_batches (
  job_id uuid primary key references longhaul.jobs,
  tenant_id uuid not null,
  account_id text not null,
  items_total int not null check (items_total between 1 and 10000),
  amount_minor longhaul.minor_units not null check (amount_minor > 0),
  -- Of the amount: still reserved on the account.
  held_minor longhaul.minor_units not null,
  -- Of what is held: for items that are reserved and neither paid nor released yet.
  allocated_minor longhaul.minor_units not null default 0,
  state text not null default 'open' check (state in ('open', 'settled', 'released')),
  opened_at timestamptz not null default now(),
  closed_at timestamptz,
  foreign key (tenant_id, account_id) references longhaul.accounts,
  check (allocated_minor <= held_minor and held_minor <= amount_minor),
  check ((state = 'open') = (closed_at is null)),
  -- Closed, it holds nothing but what items in hand may still need.
  check (state = 'open' or held_minor = allocated_minor)
) with (fillfactor = 50);
create index payout_batches_holding on longhaul.payout_batches (tenant_id, account_id) where held_minor > 0;

create table longhaul.payout_items (
  batch_id uuid not null references longhaul.payout_batches,
  item int not null check (item >= 0),
  tenant_id uuid not null,
  amount_minor longhaul.minor_units not null check (amount_minor > 0),
  state text not null default 'planned' check (state in ('planned', 'reserved', 'paid', 'released', 'refused')),
  -- The job that pays it, or paid it, or last tried to.
  job_id uuid references longhaul.jobs,
  -- The provider's id of what was paid.
  transfer_id text,
  -- Why it was refused: a code.
  reason text check (length(reason) <= 100),
  changed_at timestamptz not null default now(),
  primary key (batch_id, item),
  check ((state = 'paid') = (transfer_id is not null)),
  check (state not in ('reserved', 'paid') or job_id is not null),
  check ((state = 'refused') = (reason is not null))
) with (fillfactor = 70);
-- One transfer pays one item.
create unique index payout_items_transfer on longhaul.payout_items (tenant_id, transfer_id) where transfer_id is not null;

create table longhaul.account_entries (
  id bigint generated always as identity primary key,
  tenant_id uuid not null,
  account_id text not null,
  movement text not null,
  balance_delta bigint not null,
  reserved_delta bigint not null,
  -- Whose doing: the batch and, where it is one item's, its number; −1 is the batch as a whole.
  batch_id uuid references longhaul.payout_batches,
  item int not null default -1,
  -- What a deposit is called by whoever made it.
  reference text check (length(reference) between 1 and 200),
  created_at timestamptz not null default now(),
  foreign key (tenant_id, account_id) references longhaul.accounts,
  check ((movement = 'deposit') = (batch_id is null) and (movement = 'deposit') = (reference is not null)),
  check (case movement
    when 'deposit' then balance_delta > 0 and reserved_delta = 0
    when 'reserve' then balance_delta = 0 and reserved_delta > 0 and item = -1
    when 'release' then balance_delta = 0 and reserved_delta < 0
    when 'pay' then balance_delta < 0 and reserved_delta = balance_delta and item >= 0
    else false end)
);
-- A batch reserves once, an item is paid once, whatever the code above believes.
create unique index account_entries_once on longhaul.account_entries (batch_id, item, movement) where batch_id is not null;
create unique index account_entries_deposit on longhaul.account_entries (tenant_id, account_id, reference) where reference is not null;
create index account_entries_account on longhaul.account_entries (tenant_id, account_id, id);

create trigger append_only before update or delete on longhaul.account_entries
  for each row execute function longhaul.refuse_change();
create trigger append_only_whole before truncate on longhaul.account_entries
  for each statement execute function longhaul.refuse_change();

-- Moves money of the transaction's tenant: the account's row and its entry, or, where the account has not that much, neither.
create function longhaul.post_entry(
  account text, movement text, balance_delta bigint, reserved_delta bigint, batch uuid, item int, reference text
) returns boolean language plpgsql security definer set search_path = pg_catalog, longhaul as $$
#variable_conflict use_variable
begin
  update longhaul.accounts a
    set balance_minor = a.balance_minor + balance_delta, reserved_minor = a.reserved_minor + reserved_delta
    where a.tenant_id = longhaul.current_tenant() and a.id = account
      and a.reserved_minor + reserved_delta between 0 and a.balance_minor + balance_delta;
  if not found then return false; end if;
  insert into longhaul.account_entries
      (tenant_id, account_id, movement, balance_delta, reserved_delta, batch_id, item, reference)
    values (longhaul.current_tenant(), account, movement, balance_delta, reserved_delta, batch, item, reference);
  return true;
end $$;

-- What payouts may post: everything but deposits, so that a worker cannot make money.
create function longhaul.post_payout(
  account text, movement text, balance_delta bigint, reserved_delta bigint, batch uuid, item int
) returns boolean language sql security definer set search_path = pg_catalog, longhaul as $$
  select longhaul.post_entry(account, movement, balance_delta, reserved_delta, batch, item, null)
    where movement in ('reserve', 'release', 'pay') $$;

-- Puts money into an account, which it opens. The same reference again is the same deposit; answers whether it is new.
create function longhaul.deposit(tenant uuid, account text, currency text, amount bigint, reference text)
  returns boolean language plpgsql security definer set search_path = pg_catalog, longhaul as $$
#variable_conflict use_variable
declare
  there longhaul.accounts;
  seen longhaul.account_entries;
begin
  perform set_config('longhaul.tenant', tenant::text, true);
  insert into longhaul.accounts (tenant_id, id, currency) values (tenant, account, currency) on conflict do nothing;
  select * into strict there from longhaul.accounts a where a.tenant_id = tenant and a.id = account for update;
  if there.currency <> currency then
    raise exception 'Account % is in %, not in %', account, there.currency, currency using errcode = '23514';
  end if;
  select * into seen from longhaul.account_entries e
    where e.tenant_id = tenant and e.account_id = account and e.reference = reference;
  if found then
    if seen.balance_delta = amount then return false; end if;
    raise exception 'Deposit % was of %, not of %', reference, seen.balance_delta, amount using errcode = '23505';
  end if;
  return longhaul.post_entry(account, 'deposit', amount, 0, null, -1, reference);
end $$;

do $$
declare t text;
begin
  foreach t in array array['accounts', 'payout_batches', 'payout_items', 'account_entries'] loop
    execute format('alter table longhaul.%I enable row level security', t);
    execute format('alter table longhaul.%I force row level security', t);
    -- To everyone: the functions above act as their owner, who obeys it, too.
    execute format('create policy own_tenant on longhaul.%I using (tenant_id = longhaul.current_tenant()) with check (tenant_id = longhaul.current_tenant())', t);
    execute format('create policy every_tenant on longhaul.%I for select to longhaul_relay using (true)', t);
    execute format('grant select on longhaul.%I to longhaul_app, longhaul_worker, longhaul_relay', t);
  end loop;
end $$;
grant insert on longhaul.payout_batches, longhaul.payout_items to longhaul_worker;
grant update (held_minor, allocated_minor, state, closed_at) on longhaul.payout_batches to longhaul_worker;
grant update (state, job_id, transfer_id, reason, changed_at) on longhaul.payout_items to longhaul_worker;

revoke all on function longhaul.post_entry(text, text, bigint, bigint, uuid, int, text) from public;
revoke all on function longhaul.post_payout(text, text, bigint, bigint, uuid, int) from public;
revoke all on function longhaul.deposit(uuid, text, text, bigint, text) from public;
grant execute on function longhaul.post_payout(text, text, bigint, bigint, uuid, int) to longhaul_worker;
grant execute on function longhaul.deposit(uuid, text, text, bigint, text) to longhaul_app;

-- Where the books contradict themselves; empty, or something is wrong. Whoever asks sees what he may see.
create view longhaul.payout_drift with (security_invoker = true) as
  with booked as (
    select a.tenant_id, a.id, a.balance_minor, a.reserved_minor,
           coalesce(sum(e.balance_delta), 0) as balance, coalesce(sum(e.reserved_delta), 0) as reserved
      from longhaul.accounts a
      left join longhaul.account_entries e on e.tenant_id = a.tenant_id and e.account_id = a.id
      group by a.tenant_id, a.id
  ), held as (
    select a.tenant_id, a.id, a.reserved_minor, coalesce(sum(b.held_minor), 0) as held
      from longhaul.accounts a
      left join longhaul.payout_batches b on b.tenant_id = a.tenant_id and b.account_id = a.id
      group by a.tenant_id, a.id
  ), items as (
    select b.tenant_id, b.job_id, b.amount_minor, b.held_minor, b.allocated_minor, b.items_total,
           count(*) as items, sum(i.amount_minor) as amount,
           coalesce(sum(i.amount_minor) filter (where i.state = 'reserved'), 0) as allocated,
           coalesce(sum(i.amount_minor) filter (where i.state = 'paid'), 0) as paid
      from longhaul.payout_batches b join longhaul.payout_items i on i.batch_id = b.job_id
      group by b.job_id
  ), posted as (
    select e.batch_id, sum(e.reserved_delta) as held, coalesce(-sum(e.balance_delta), 0) as paid
      from longhaul.account_entries e where e.batch_id is not null group by e.batch_id
  )
  select tenant_id, id as subject, 'balance is the sum of its entries' as rule, balance as expected, balance_minor as actual
    from booked where balance <> balance_minor
  union all
  select tenant_id, id, 'reserved is the sum of its entries', reserved, reserved_minor from booked where reserved <> reserved_minor
  union all
  select tenant_id, id, 'reserved is what batches hold', held, reserved_minor from held where held <> reserved_minor
  union all
  select tenant_id, job_id::text, 'a batch is its items', amount, amount_minor from items
    where amount <> amount_minor or items <> items_total
  union all
  select tenant_id, job_id::text, 'allocated is what reserved items need', allocated, allocated_minor from items
    where allocated <> allocated_minor
  union all
  select i.tenant_id, i.job_id::text, 'held is the sum of a batch’s entries', coalesce(p.held, 0), i.held_minor
    from items i left join posted p on p.batch_id = i.job_id where coalesce(p.held, 0) <> i.held_minor
  union all
  select i.tenant_id, i.job_id::text, 'paid items are paid entries', coalesce(p.paid, 0), i.paid
    from items i left join posted p on p.batch_id = i.job_id where coalesce(p.paid, 0) <> i.paid;
grant select on longhaul.payout_drift to longhaul_app, longhaul_worker, longhaul_relay;
