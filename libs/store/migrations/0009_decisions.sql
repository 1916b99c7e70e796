-- Operators' decisions on parked jobs (S8); `probed` and `blind` effects (SAGA_RULES, ledger); semantic locks (S15).

alter table longhaul.effects drop constraint effects_effect_check, drop constraint effects_step_kind_check;
alter table longhaul.effects
  add constraint effects_effect_check check (effect in ('none', 'own', 'keyed', 'probed', 'blind')),
  add constraint effects_step_kind_check check (step_kind in ('readOnly', 'compensable', 'pivot', 'retriable', 'decision')),
  -- What its undo left as it is, in a line for people.
  add column undo_kept text;

alter table longhaul.dead_letters
  add column generation int not null default 0,
  -- `retry` may come with corrected args.
  add column correctable boolean not null default false,
  -- The step's: what is to be decided about.
  add column args jsonb,
  -- Of a wait by design: when the declared default counts.
  add column until timestamptz;
create index dead_letters_open on longhaul.dead_letters (id) where closed_at is null;

create table longhaul.decisions (
  -- The update's id too, so that the same decision twice is one.
  id uuid primary key,
  job_id uuid not null references longhaul.jobs,
  tenant_id uuid not null,
  park int not null,
  decision text not null check (decision in ('retry', 'skip', 'compensate', 'resolve')),
  reason text not null,
  -- Corrected args, of a retry; null where there are none.
  input jsonb,
  -- What a person says the step answered, of a resolve.
  output jsonb,
  decided_by text not null,
  decided_at timestamptz not null default now(),
  outcome text not null default 'pending' check (outcome in ('pending', 'taken', 'refused')),
  refusal text,
  settled_at timestamptz,
  check ((outcome = 'refused') = (refusal is not null)),
  check (input is null or decision = 'retry'),
  check (output is null or decision = 'resolve')
);
create unique index decisions_standing on longhaul.decisions (job_id, park) where outcome <> 'refused';
create index decisions_of_park on longhaul.decisions (job_id, park, id);

create table longhaul.locks (
  tenant_id uuid not null references longhaul.tenants,
  name text not null check (length(name) between 1 and 255),
  job_id uuid not null references longhaul.jobs,
  taken_at timestamptz not null default now(),
  primary key (tenant_id, name)
);
create index locks_of_job on longhaul.locks (job_id);

-- A job is started once and cancelled once, but may be decided about at every park.
alter table longhaul.outbox
  add column decision_id uuid references longhaul.decisions,
  drop constraint outbox_message_check,
  drop constraint outbox_job_id_message_key,
  add constraint outbox_message_check check (message in ('start', 'cancel', 'decide') and (message = 'decide') = (decision_id is not null)),
  add constraint outbox_message_key unique nulls not distinct (job_id, message, decision_id);

-- Who did what, why, and what it changed. Rows are only ever added.
create table longhaul.audit (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  actor text not null,
  action text not null,
  subject text not null,
  tenant_id uuid,
  reason text,
  before jsonb,
  after jsonb
);
create index audit_subject on longhaul.audit (subject, id);

create function longhaul.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'longhaul.% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end $$;
create trigger audit_append_only before update or delete or truncate on longhaul.audit
  for each statement execute function longhaul.refuse_change();

do $$
declare t text;
begin
  foreach t in array array['decisions', 'locks', 'audit'] loop
    execute format('alter table longhaul.%I enable row level security', t);
    execute format('alter table longhaul.%I force row level security', t);
    execute format('create policy every_tenant on longhaul.%I to longhaul_relay using (true) with check (true)', t);
  end loop;
  foreach t in array array['decisions', 'locks'] loop
    execute format(
      'create policy own_tenant on longhaul.%I to longhaul_app, longhaul_worker using (tenant_id = longhaul.current_tenant()) with check (tenant_id = longhaul.current_tenant())', t);
  end loop;
end $$;
grant select, insert, delete on longhaul.locks to longhaul_worker;
grant select on longhaul.locks to longhaul_relay;
grant select, update on longhaul.decisions to longhaul_worker;
grant select, insert, update on longhaul.decisions to longhaul_relay;
grant select, insert on longhaul.audit to longhaul_relay;
-- Reading a dead letter, and holding it while it is decided about.
grant select (natural_key) on longhaul.jobs to longhaul_relay;
grant update (closed_at) on longhaul.dead_letters to longhaul_relay;

-- At somebody else's: no transaction of ours holds the effect, so an attempt and what it does may part.
create function longhaul.is_elsewhere(effect text) returns boolean language sql immutable parallel safe as $$
  select effect in ('keyed', 'probed', 'blind') $$;

-- Until when attempts that have not reported may still act.
create function longhaul.acting_until(e longhaul.effects) returns timestamptz language sql immutable as $$
  select case when e.state = 'undoing' then e.quarantine_until else greatest(e.quarantine_until, e.lease_until) end $$;

-- An answer with the args to act on; those of a step without any are absent.
create function longhaul.with_args(kind text, args jsonb) returns jsonb language sql immutable as $$
  select jsonb_build_object('kind', kind) || case when args is null then '{}' else jsonb_build_object('args', args) end $$;

-- claim: {job, step, item, generation, seq, stepKind, effect, undo, args, attempt, leaseMs}; item -1 is none.
-- Answers {kind: claimed, doubt?}, {kind: wait, waitMs}, {kind: done, outcome?} or {kind: refused, why}.
create or replace function longhaul.claim_effect(tenant uuid, claim jsonb) returns jsonb language plpgsql as $$
#variable_conflict use_variable
declare
  job uuid := (claim ->> 'job')::uuid;
  attempt int := (claim ->> 'attempt')::int;
  lease timestamptz := longhaul.in_milliseconds((claim ->> 'leaseMs')::bigint);
  there longhaul.jobs;
  e longhaul.effects;
  quarantine timestamptz;
  is_overtaking boolean;
  in_doubt boolean := false;
begin
  perform set_config('longhaul.tenant', tenant::text, true), set_config('lock_timeout', '5s', true);
  perform longhaul.lock_job(job, false);
  select * into there from longhaul.jobs j where j.id = job;
  if not found then return '{"kind": "refused", "why": "job_unknown"}'; end if;
  if there.ended_at is not null then return '{"kind": "refused", "why": "job_ended"}'; end if;

  insert into longhaul.effects
      (job_id, step, item, generation, tenant_id, seq, step_kind, effect, undo, args, state, attempt, lease_until)
    values (job, claim ->> 'step', (claim ->> 'item')::int, (claim ->> 'generation')::int, tenant,
            (claim ->> 'seq')::int, claim ->> 'stepKind', claim ->> 'effect', claim ->> 'undo', claim -> 'args',
            'claimed', attempt, lease)
    on conflict do nothing;
  if not found then
    select * into strict e from longhaul.effects x
      where x.job_id = job and x.generation = (claim ->> 'generation')::int
        and x.step = claim ->> 'step' and x.item = (claim ->> 'item')::int
      for update;
    if e.state = 'done' then
      return jsonb_build_object('kind', 'done')
        || case when e.outcome is null then '{}' else jsonb_build_object('outcome', e.outcome) end;
    end if;
    if e.state <> 'claimed' then return '{"kind": "refused", "why": "fenced"}'; end if;
    if attempt < e.attempt then return '{"kind": "refused", "why": "superseded"}'; end if;
    -- The attempt before never reported: it may still act, and nobody knows whether it did.
    is_overtaking := attempt > e.attempt and e.lease_until is not null;
    quarantine := case when is_overtaking then greatest(e.quarantine_until, e.lease_until) else e.quarantine_until end;
    in_doubt := e.doubt or (is_overtaking and longhaul.is_elsewhere(e.effect));
    -- The probe's word counts only when nobody can act any more who acted before (S6).
    if in_doubt and (e.effect = 'blind' or (e.effect = 'probed' and quarantine > clock_timestamp())) then
      update longhaul.effects x set
          quarantine_until = quarantine, doubt = true, lease_until = case when is_overtaking then null else x.lease_until end,
          next_attempt_at = case when e.effect = 'probed' then quarantine end, updated_at = clock_timestamp()
        where x.job_id = job and x.generation = e.generation and x.step = e.step and x.item = e.item;
      if e.effect = 'blind' then return '{"kind": "refused", "why": "in_doubt"}'; end if;
      return jsonb_build_object('kind', 'wait', 'waitMs', longhaul.milliseconds_until(quarantine));
    end if;
    update longhaul.effects x set
        attempt = attempt, lease_until = lease, next_attempt_at = null, failed = false, updated_at = clock_timestamp(),
        quarantine_until = quarantine, doubt = in_doubt
      where x.job_id = job and x.generation = e.generation and x.step = e.step and x.item = e.item;
  end if;
  -- An `own` effect marks the job at the end of its transaction, so as not to hold the job's row.
  if claim ->> 'effect' <> 'own' then
    if there.status = 'PENDING' or (claim ->> 'stepKind' = 'retriable' and there.committed_at is null) then
      perform longhaul.mark_begun(job, claim ->> 'stepKind' = 'retriable');
    end if;
  end if;
  if in_doubt and claim ->> 'effect' = 'probed' then return '{"kind": "claimed", "doubt": true}'; end if;
  return '{"kind": "claimed"}';
end $$;

-- report: {failure?, unknown, isLast, retryInMs?, progress?}. Frees the attempt's lease; answers the step's doubt.
create or replace function longhaul.fail_effect(tenant uuid, claim jsonb, report jsonb) returns boolean language plpgsql as $$
#variable_conflict use_variable
declare
  job uuid := (claim ->> 'job')::uuid;
  attempt int := (claim ->> 'attempt')::int;
  next_at timestamptz := longhaul.in_milliseconds((report ->> 'retryInMs')::bigint);
  is_unknown boolean := (report ->> 'unknown')::boolean and claim ->> 'effect' <> 'none';
  doubt boolean;
begin
  perform set_config('longhaul.tenant', tenant::text, true), set_config('lock_timeout', '5s', true);
  perform longhaul.lock_job(job, false);
  -- The row of an `own` effect was rolled back with its transaction: it is written here, for those who watch.
  insert into longhaul.effects as x
      (job_id, step, item, generation, tenant_id, seq, step_kind, effect, undo, args, state, attempt,
       doubt, failed, first_error, last_error, next_attempt_at, progress)
    values (job, claim ->> 'step', (claim ->> 'item')::int, (claim ->> 'generation')::int, tenant,
            (claim ->> 'seq')::int, claim ->> 'stepKind', claim ->> 'effect', claim ->> 'undo', claim -> 'args',
            'claimed', attempt, is_unknown, (report ->> 'isLast')::boolean, report -> 'failure', report -> 'failure',
            next_at, report -> 'progress')
    on conflict (job_id, generation, step, item) do update set
      -- Of an attempt that never claimed: the one before it may still act under its lease, and nobody knows whether it did.
      quarantine_until = case when x.attempt < attempt then greatest(x.quarantine_until, x.lease_until) else x.quarantine_until end,
      doubt = x.doubt or is_unknown
        or (longhaul.is_elsewhere(x.effect) and x.attempt < attempt and x.lease_until is not null),
      attempt = greatest(x.attempt, attempt),
      lease_until = case when x.attempt <= attempt then null else x.lease_until end,
      failed = case when x.attempt <= attempt then (report ->> 'isLast')::boolean else x.failed end,
      first_error = coalesce(x.first_error, report -> 'failure'),
      last_error = case when x.attempt <= attempt then coalesce(report -> 'failure', x.last_error) else x.last_error end,
      next_attempt_at = case when x.attempt <= attempt then next_at else x.next_attempt_at end,
      progress = case when x.attempt <= attempt then coalesce(report -> 'progress', x.progress) else x.progress end,
      updated_at = clock_timestamp()
    where x.state = 'claimed'
    returning x.doubt into doubt;
  -- Its claim was rolled back, and with it that the saga commits with a retriable's first attempt.
  if claim ->> 'effect' = 'own' then perform longhaul.mark_begun(job, claim ->> 'stepKind' = 'retriable'); end if;
  if doubt is null then
    -- Done by a record whose answer was lost, or by an earlier attempt: it has happened, whatever this one knows.
    select x.doubt or x.state = 'done' into doubt from longhaul.effects x
      where x.job_id = job and x.generation = (claim ->> 'generation')::int
        and x.step = claim ->> 'step' and x.item = (claim ->> 'item')::int;
  end if;
  return coalesce(doubt, is_unknown);
end $$;

-- claim: {job, step, item, generation, seq, effect, undo, attempt, leaseMs, awaitsLease, compensating, insists}.
-- From here on no claim and no late record gets through.
-- Answers {kind: go, args?}, {kind: noop, kept?}, {kind: wait, waitMs} or {kind: in_doubt}.
create or replace function longhaul.begin_undo(tenant uuid, claim jsonb) returns jsonb language plpgsql as $$
#variable_conflict use_variable
declare
  job uuid := (claim ->> 'job')::uuid;
  e longhaul.effects;
  quarantine timestamptz;
  in_doubt boolean;
  is_overtaking boolean;
  -- The lease that goes on: of a `keyed` undo, which may be repeated under its key.
  kept_lease timestamptz;
begin
  perform set_config('longhaul.tenant', tenant::text, true), set_config('lock_timeout', '5s', true);
  insert into longhaul.effects
      (job_id, step, item, generation, tenant_id, seq, step_kind, effect, undo, state, finished_at)
    values (job, claim ->> 'step', (claim ->> 'item')::int, (claim ->> 'generation')::int, tenant,
            (claim ->> 'seq')::int, 'compensable', claim ->> 'effect', claim ->> 'undo', 'undone', clock_timestamp())
    on conflict do nothing;
  if found then
    perform longhaul.mark_compensating(job, claim);
    return '{"kind": "noop"}';
  end if;
  select * into strict e from longhaul.effects x
    where x.job_id = job and x.generation = (claim ->> 'generation')::int
      and x.step = claim ->> 'step' and x.item = (claim ->> 'item')::int
    for update;
  if e.state in ('undone', 'kept') then
    return '{"kind": "noop"}'::jsonb || case when e.undo_kept is null then '{}' else jsonb_build_object('kept', e.undo_kept) end;
  end if;
  perform longhaul.mark_compensating(job, claim);

  -- Its worker was taken for lost, and a later attempt acts in its place: nobody waits for this one's answer.
  if e.state = 'undoing' and (claim ->> 'attempt')::int < e.undo_attempt then
    return jsonb_build_object('kind', 'wait', 'waitMs', (claim ->> 'leaseMs')::bigint);
  end if;

  in_doubt := e.doubt or (e.effect = 'blind' and e.state = 'claimed' and e.lease_until is not null);
  -- Of a `blind` one certainly nothing happened, and undoing nothing is not safe there.
  if (e.effect = 'own' and e.state <> 'done') or (e.effect = 'blind' and e.state = 'claimed' and not in_doubt) then
    update longhaul.effects x set state = 'undone', doubt = false, lease_until = null, next_attempt_at = null,
        finished_at = clock_timestamp(), updated_at = clock_timestamp()
      where x.job_id = job and x.generation = e.generation and x.step = e.step and x.item = e.item;
    return '{"kind": "noop"}';
  end if;
  -- Whatever was not committed did not happen, and the row's lock is the fence.
  if e.effect = 'own' then return longhaul.with_args('go', e.args); end if;

  quarantine := longhaul.acting_until(e);
  if e.state = 'undoing' then
    -- The undo's attempt before never reported: a `keyed` one may be repeated all the same, others are waited for.
    is_overtaking := e.lease_until is not null and (claim ->> 'attempt')::int > e.undo_attempt;
    in_doubt := in_doubt or (is_overtaking and e.effect = 'blind');
    if is_overtaking and e.effect <> 'keyed' then quarantine := greatest(quarantine, e.lease_until);
    else kept_lease := e.lease_until;
    end if;
  end if;
  if (claim ->> 'awaitsLease')::boolean and quarantine > clock_timestamp() then
    update longhaul.effects x set state = 'undoing', quarantine_until = quarantine, doubt = in_doubt,
        lease_until = kept_lease,
        next_attempt_at = quarantine, updated_at = clock_timestamp()
      where x.job_id = job and x.generation = e.generation and x.step = e.step and x.item = e.item;
    return jsonb_build_object('kind', 'wait', 'waitMs', longhaul.milliseconds_until(quarantine));
  end if;
  if e.effect = 'blind' and in_doubt and not (claim ->> 'insists')::boolean then
    update longhaul.effects x set state = 'undoing', quarantine_until = quarantine, doubt = true, lease_until = kept_lease,
        next_attempt_at = null, updated_at = clock_timestamp()
      where x.job_id = job and x.generation = e.generation and x.step = e.step and x.item = e.item;
    return '{"kind": "in_doubt"}';
  end if;
  update longhaul.effects x set state = 'undoing', quarantine_until = quarantine, next_attempt_at = null,
      doubt = in_doubt and e.effect <> 'blind', undo_attempt = (claim ->> 'attempt')::int,
      lease_until = longhaul.in_milliseconds((claim ->> 'leaseMs')::bigint), updated_at = clock_timestamp()
    where x.job_id = job and x.generation = e.generation and x.step = e.step and x.item = e.item;
  return longhaul.with_args('go', e.args);
end $$;

-- outcome: {kept} where the undo left something as it is, else null.
drop function longhaul.complete_undo(uuid, jsonb);
create function longhaul.complete_undo(tenant uuid, claim jsonb, outcome jsonb) returns void language plpgsql as $$
#variable_conflict use_variable
begin
  perform set_config('longhaul.tenant', tenant::text, true), set_config('lock_timeout', '5s', true);
  update longhaul.effects x set state = 'undone', doubt = false, lease_until = null, next_attempt_at = null,
      undo_attempt = (claim ->> 'attempt')::int, undo_kept = outcome ->> 'kept',
      finished_at = clock_timestamp(), updated_at = clock_timestamp()
    where x.job_id = (claim ->> 'job')::uuid and x.generation = (claim ->> 'generation')::int
      and x.step = claim ->> 'step' and x.item = (claim ->> 'item')::int
      and (x.state = 'undoing' or (x.state = 'done' and x.effect = 'own'));
end $$;

create or replace function longhaul.fail_undo(tenant uuid, claim jsonb, report jsonb) returns void language plpgsql as $$
#variable_conflict use_variable
begin
  perform set_config('longhaul.tenant', tenant::text, true), set_config('lock_timeout', '5s', true);
  update longhaul.effects x set doubt = true
    where x.job_id = (claim ->> 'job')::uuid and x.generation = (claim ->> 'generation')::int
      and x.step = claim ->> 'step' and x.item = (claim ->> 'item')::int and x.state not in ('undone', 'kept')
      and x.effect = 'blind' and (report ->> 'unknown')::boolean;
  -- Where its own beginning was not heard, the lease is of an undo before that never reported.
  update longhaul.effects x set doubt = x.doubt or x.effect = 'blind',
      quarantine_until = case when x.effect = 'keyed' then x.quarantine_until else greatest(x.quarantine_until, x.lease_until) end
    where x.job_id = (claim ->> 'job')::uuid and x.generation = (claim ->> 'generation')::int
      and x.step = claim ->> 'step' and x.item = (claim ->> 'item')::int and x.state = 'undoing'
      and x.lease_until is not null and (claim ->> 'attempt')::int > x.undo_attempt;
  update longhaul.effects x set undo_attempt = (claim ->> 'attempt')::int,
      -- Where its beginning was not heard, the lease is still the step's.
      lease_until = case when x.state = 'undoing' then null else x.lease_until end,
      first_error = coalesce(x.first_error, report -> 'failure'),
      last_error = coalesce(report -> 'failure', x.last_error),
      next_attempt_at = longhaul.in_milliseconds((report ->> 'retryInMs')::bigint), updated_at = clock_timestamp()
    where x.job_id = (claim ->> 'job')::uuid and x.generation = (claim ->> 'generation')::int
      and x.step = claim ->> 'step' and x.item = (claim ->> 'item')::int and x.state not in ('undone', 'kept')
      -- Else the lease is a later attempt's.
      and (claim ->> 'attempt')::int >= x.undo_attempt;
end $$;

-- A pivot in doubt, or called off. Answers {kind: settled, settlement}, {kind: ask, args?}, {kind: unknown} or {kind: wait, waitMs}.
create or replace function longhaul.begin_settle(tenant uuid, claim jsonb, can_ask boolean) returns jsonb language plpgsql as $$
#variable_conflict use_variable
declare
  job uuid := (claim ->> 'job')::uuid;
  e longhaul.effects;
  acting timestamptz;
  is_certain boolean;
begin
  perform set_config('longhaul.tenant', tenant::text, true), set_config('lock_timeout', '5s', true);
  insert into longhaul.effects
      (job_id, step, item, generation, tenant_id, seq, step_kind, effect, state, finished_at)
    values (job, claim ->> 'step', (claim ->> 'item')::int, (claim ->> 'generation')::int, tenant,
            (claim ->> 'seq')::int, 'pivot', claim ->> 'effect', 'undone', clock_timestamp())
    on conflict do nothing;
  if found then return '{"kind": "settled", "settlement": {"verdict": "not_happened"}}'; end if;
  select * into strict e from longhaul.effects x
    where x.job_id = job and x.generation = (claim ->> 'generation')::int
      and x.step = claim ->> 'step' and x.item = (claim ->> 'item')::int
    for update;
  if e.state = 'done' then
    return jsonb_build_object('kind', 'settled', 'settlement', jsonb_build_object('verdict', 'happened')
      || case when e.outcome is null then '{}' else jsonb_build_object('output', e.outcome) end);
  end if;
  -- Not in doubt and without a lease: every attempt that claimed has reported that it did nothing.
  is_certain := e.state = 'claimed' and not e.doubt and e.lease_until is null;
  if e.state = 'undone' or is_certain or not longhaul.is_elsewhere(e.effect) then
    update longhaul.effects x set state = 'undone', doubt = false, next_attempt_at = null, finished_at = clock_timestamp(), updated_at = clock_timestamp()
      where x.job_id = job and x.generation = e.generation and x.step = e.step and x.item = e.item;
    return '{"kind": "settled", "settlement": {"verdict": "not_happened"}}';
  end if;
  -- Until the lease is over a late record is still welcome: it settles the matter.
  acting := longhaul.acting_until(e);
  if acting > clock_timestamp() then
    return jsonb_build_object('kind', 'wait', 'waitMs', longhaul.milliseconds_until(acting));
  end if;
  if not can_ask then return '{"kind": "unknown"}'; end if;
  update longhaul.effects x set state = 'undoing', lease_until = null, quarantine_until = acting, updated_at = clock_timestamp()
    where x.job_id = job and x.generation = e.generation and x.step = e.step and x.item = e.item;
  return longhaul.with_args('ask', e.args);
end $$;

-- True when the job has the lock: taken now, or before. Inside the transaction of an `own` effect, and gone with it.
create function longhaul.take_lock(tenant uuid, job uuid, name text) returns boolean language plpgsql as $$
#variable_conflict use_variable
begin
  perform set_config('longhaul.tenant', tenant::text, true), set_config('lock_timeout', '5s', true);
  insert into longhaul.locks (tenant_id, name, job_id) values (tenant, name, job) on conflict do nothing;
  return found or exists (select from longhaul.locks l where l.tenant_id = tenant and l.name = name and l.job_id = job);
end $$;

-- What a decision made of an effect: {job, step, item, generation, seq, stepKind, effect, undoName, undo, doubt, ruling, decisionId}.
-- Answers {kind: settled, value?}, {kind: done, outcome?}, {kind: undone}, {kind: wait, waitMs} or {kind: refused, why}.
create function longhaul.rule_effect(tenant uuid, claim jsonb) returns jsonb language plpgsql as $$
#variable_conflict use_variable
declare
  answer jsonb;
  why text;
begin
  perform set_config('longhaul.tenant', tenant::text, true), set_config('lock_timeout', '5s', true);
  answer := longhaul.ruling_on(tenant, claim);
  why := case
    when answer ->> 'kind' = 'refused' then answer ->> 'why'
    -- The saga goes on with what is on record, whatever a person said but that it is done.
    when answer ->> 'kind' = 'done' and claim ->> 'ruling' <> 'resolve' then 'happened'
    end;
  if why is not null then
    update longhaul.decisions d set outcome = 'refused', refusal = why, settled_at = clock_timestamp()
      where d.id = (claim ->> 'decisionId')::uuid;
  else
    -- Asked again, because the answer was lost: what was in flight then may be over now.
    update longhaul.decisions d set outcome = 'taken', refusal = null, settled_at = clock_timestamp()
      where d.id = (claim ->> 'decisionId')::uuid and d.outcome = 'refused';
  end if;
  return answer;
end $$;

create function longhaul.ruling_on(tenant uuid, claim jsonb) returns jsonb language plpgsql as $$
#variable_conflict use_variable
declare
  job uuid := (claim ->> 'job')::uuid;
  ruling text := claim ->> 'ruling';
  of_undo boolean := (claim ->> 'undo')::boolean;
  elsewhere boolean := longhaul.is_elsewhere(claim ->> 'effect');
  e longhaul.effects;
  given jsonb;
  settled jsonb := '{"kind": "settled"}';
  is_new boolean;
  acting timestamptz;
begin
  select case ruling when 'resolve' then d.output when 'correct' then d.input end into given
    from longhaul.decisions d where d.id = (claim ->> 'decisionId')::uuid and d.job_id = job;
  if given is not null then settled := settled || jsonb_build_object('value', given); end if;

  insert into longhaul.effects
      (job_id, step, item, generation, tenant_id, seq, step_kind, effect, undo, args, state, outcome, finished_at)
    values (job, claim ->> 'step', (claim ->> 'item')::int, (claim ->> 'generation')::int, tenant,
            (claim ->> 'seq')::int, claim ->> 'stepKind', claim ->> 'effect', claim ->> 'undoName', claim -> 'args',
            case ruling when 'keep' then 'kept' when 'resolve' then 'done' else 'undone' end,
            case ruling when 'resolve' then given end, clock_timestamp())
    on conflict do nothing;
  is_new := found;
  select * into strict e from longhaul.effects x
    where x.job_id = job and x.generation = (claim ->> 'generation')::int
      and x.step = claim ->> 'step' and x.item = (claim ->> 'item')::int
    for update;
  acting := longhaul.acting_until(e);

  if not is_new and e.state = 'done' and not of_undo then
    return jsonb_build_object('kind', 'done')
      || case when e.outcome is null then '{}' else jsonb_build_object('outcome', e.outcome) end;
  end if;

  case ruling
    when 'keep' then
      if e.state = 'undone' and of_undo then return '{"kind": "undone"}'; end if;
      -- Nothing acts any more only when the leases of all who began are over, an undo's included.
      acting := greatest(e.quarantine_until, e.lease_until);
      update longhaul.effects x set state = 'kept', quarantine_until = acting, lease_until = null, next_attempt_at = null,
          finished_at = coalesce(x.finished_at, clock_timestamp()), updated_at = clock_timestamp()
        where x.job_id = job and x.generation = e.generation and x.step = e.step and x.item = e.item;
      if elsewhere and acting > clock_timestamp() then
        return jsonb_build_object('kind', 'wait', 'waitMs', longhaul.milliseconds_until(acting));
      end if;
    when 'resolve' then
      if not is_new then
        -- A pivot is never undone: such a row says that nobody acts any more, and a person did it outside all the same.
        -- One that proved not done only after the person had spoken is another matter.
        if e.state = 'undone' and (claim ->> 'doubt')::boolean then return '{"kind": "refused", "why": "not_happened"}'; end if;
        if e.state not in ('claimed', 'undoing') and not (e.state = 'undone' and claim ->> 'stepKind' = 'pivot') then return '{"kind": "refused", "why": "fenced"}'; end if;
        if elsewhere and acting > clock_timestamp() then return '{"kind": "refused", "why": "in_flight"}'; end if;
        update longhaul.effects x set state = 'done', outcome = given, doubt = false, failed = false,
            next_attempt_at = null, finished_at = clock_timestamp(), updated_at = clock_timestamp()
          where x.job_id = job and x.generation = e.generation and x.step = e.step and x.item = e.item;
      end if;
      if claim ->> 'stepKind' in ('pivot', 'retriable') then perform longhaul.mark_begun(job, true); end if;
    when 'disown', 'correct' then
      if is_new or e.state in ('undone', 'kept') then return settled; end if;
      if ruling = 'correct' and (e.doubt or e.state = 'undoing') then return '{"kind": "refused", "why": "in_doubt"}'; end if;
      if elsewhere and acting > clock_timestamp() then return '{"kind": "refused", "why": "in_flight"}'; end if;
      update longhaul.effects x set state = 'undone', doubt = false, next_attempt_at = null,
          finished_at = clock_timestamp(), updated_at = clock_timestamp()
        where x.job_id = job and x.generation = e.generation and x.step = e.step and x.item = e.item;
  end case;
  return settled;
end $$;

-- Parks up to this number are over, and nothing is decided about them any more.
create function longhaul.close_parks(job uuid, up_to int, refusal text) returns void language plpgsql as $$
#variable_conflict use_variable
begin
  update longhaul.dead_letters d set closed_at = clock_timestamp()
    where d.job_id = job and d.park <= up_to and d.closed_at is null;
  update longhaul.decisions d set outcome = 'refused', refusal = refusal, settled_at = clock_timestamp()
    where d.job_id = job and d.park <= up_to and d.outcome = 'pending';
end $$;

-- letter: {number, step, item, undo, doubt, generation, possible, correctable, args?, until?, failure?}; item -1 is none. Attempts
-- and errors come from the ledger's row. The same park again changes nothing.
create or replace function longhaul.park_job(tenant uuid, job uuid, letter_id uuid, letter jsonb) returns void language plpgsql as $$
#variable_conflict use_variable
begin
  perform set_config('longhaul.tenant', tenant::text, true), set_config('lock_timeout', '5s', true);
  perform longhaul.close_parks(job, (letter ->> 'number')::int - 1, 'park_over');
  insert into longhaul.dead_letters
      (id, job_id, tenant_id, park, step, item, generation, undo, doubt, possible, correctable, args, until, attempts, first_error,
       last_error, trace_parent)
    select letter_id, job, tenant, (letter ->> 'number')::int, letter ->> 'step', nullif((letter ->> 'item')::int, -1),
           (letter ->> 'generation')::int, (letter ->> 'undo')::boolean, (letter ->> 'doubt')::boolean, letter -> 'possible',
           (letter ->> 'correctable')::boolean, letter -> 'args', (letter ->> 'until')::timestamptz,
           coalesce(case when (letter ->> 'undo')::boolean then x.undo_attempt else x.attempt end, 0),
           coalesce(x.first_error, letter -> 'failure'), letter -> 'failure', j.trace_parent
      from longhaul.jobs j
      left join longhaul.effects x on x.job_id = j.id and x.generation = (letter ->> 'generation')::int
        and x.step = letter ->> 'step' and x.item = (letter ->> 'item')::int
      where j.id = job and j.ended_at is null
    on conflict (job_id, park) do nothing;
  if found then
    perform longhaul.mark_begun(job, false);
    update longhaul.jobs j set phase = 'parked', revision = j.revision + 1 where j.id = job and j.ended_at is null;
  end if;
end $$;

-- unparking: {number, phase, decisionId?}; without the id the park became moot, or its time was over.
create function longhaul.unpark_job(tenant uuid, job uuid, unparking jsonb) returns void language plpgsql as $$
#variable_conflict use_variable
declare
  number int := (unparking ->> 'number')::int;
begin
  perform set_config('longhaul.tenant', tenant::text, true), set_config('lock_timeout', '5s', true);
  update longhaul.decisions d set outcome = 'taken', refusal = null, settled_at = clock_timestamp()
    where d.id = (unparking ->> 'decisionId')::uuid and d.job_id = job and d.outcome <> 'taken';
  if not exists (select from longhaul.dead_letters d where d.job_id = job and d.park = number and d.closed_at is null) then
    return;
  end if;
  perform longhaul.close_parks(job, number, 'park_over');
  update longhaul.jobs j set phase = case when j.phase = 'parked' then unparking ->> 'phase' else j.phase end,
      revision = j.revision + 1
    where j.id = job and j.ended_at is null;
end $$;

-- The terminal record, once, and with it the end of the job's locks (S15).
-- ending: {status, compensated?, leftovers, skipped, error?}; answers whether it is ours.
create or replace function longhaul.finish_job(tenant uuid, job uuid, ending jsonb, result bytea) returns boolean language plpgsql as $$
#variable_conflict use_variable
begin
  perform set_config('longhaul.tenant', tenant::text, true), set_config('lock_timeout', '5s', true);
  perform longhaul.lock_job(job, true);
  update longhaul.jobs j set status = ending ->> 'status', phase = 'done', ended_at = now(),
      started_at = coalesce(j.started_at, now()), compensated = ending ->> 'compensated',
      skipped = coalesce(ending -> 'skipped', '[]'), leftovers = coalesce(ending -> 'leftovers', '[]'),
      result = result, error = ending -> 'error', revision = j.revision + 1
    where j.id = job and j.ended_at is null;
  if not found then return false; end if;
  perform longhaul.close_parks(job, 2147483647, 'job_ended');
  delete from longhaul.locks l where l.job_id = job;
  return true;
end $$;

do $$
declare f text;
begin
  foreach f in array array[
    'acting_until(longhaul.effects)', 'with_args(text, jsonb)', 'take_lock(uuid, uuid, text)', 'rule_effect(uuid, jsonb)',
    'ruling_on(uuid, jsonb)', 'complete_undo(uuid, jsonb, jsonb)', 'close_parks(uuid, int, text)', 'unpark_job(uuid, uuid, jsonb)'
  ] loop
    execute format('revoke all on function longhaul.%s from public', f);
    execute format('grant execute on function longhaul.%s to longhaul_worker', f);
  end loop;
end $$;
revoke all on function longhaul.is_elsewhere(text), longhaul.refuse_change() from public;
grant execute on function longhaul.is_elsewhere(text) to longhaul_worker, longhaul_relay;
grant execute on function longhaul.acting_until(longhaul.effects) to longhaul_relay;

-- Operators' routes see every tenant, through these functions and nothing else: they act as the relay's role, and answer
-- references and errors, no client's data.
create view longhaul.readable_dead_letters with (security_invoker = true) as
select d.id, d.job_id, d.tenant_id, t.name as tenant, j.kind, j.natural_key, j.status, j.phase, j.ended_at,
  d.park, d.step, d.item, d.generation, d.undo, d.doubt, d.possible, d.correctable, d.args, d.until, d.attempts, d.first_error,
  d.last_error, d.trace_parent, d.created_at, d.closed_at,
  -- Until when an attempt may still act, so that what a person says of the effect may be overtaken.
  (select longhaul.acting_until(e) from longhaul.effects e
    where e.job_id = d.job_id and e.generation = d.generation and e.step = d.step and e.item = coalesce(d.item, -1)
      and longhaul.is_elsewhere(e.effect) and longhaul.acting_until(e) > clock_timestamp()) as acting_until,
  (select e.effect from longhaul.effects e
    where e.job_id = d.job_id and e.generation = d.generation and e.step = d.step and e.item = coalesce(d.item, -1)) as effect,
  (select jsonb_build_object('id', c.id, 'decision', c.decision, 'reason', c.reason, 'input', c.input, 'output', c.output,
      'decidedBy', c.decided_by, 'decidedAt', c.decided_at, 'outcome', c.outcome, 'refusal', c.refusal,
      'settledAt', c.settled_at)
    from longhaul.decisions c where c.job_id = d.job_id and c.park = d.park
    order by (c.outcome <> 'refused') desc, c.id desc limit 1) as decision
from longhaul.dead_letters d
  join longhaul.jobs j on j.id = d.job_id
  join longhaul.tenants t on t.id = d.tenant_id;
grant select on longhaul.readable_dead_letters to longhaul_relay;

-- A page, the latest park first. Null means: not asked for.
create function longhaul.list_dead_letters(of_kind text, of_step text, is_open boolean, before uuid, at_most int)
  returns setof longhaul.readable_dead_letters
  language sql stable security definer set search_path = pg_catalog, longhaul as $$
  select r.* from longhaul.readable_dead_letters r
    where (of_kind is null or r.kind = of_kind)
      and (of_step is null or r.step = of_step)
      and (is_open is null or (r.closed_at is null) = is_open)
      and (before is null or r.id < before)
    order by r.id desc limit at_most $$;

create function longhaul.read_dead_letter(letter uuid) returns setof longhaul.readable_dead_letters
  language sql stable security definer set search_path = pg_catalog, longhaul as $$
  select r.* from longhaul.readable_dead_letters r where r.id = letter $$;

-- Writes down who did what, outside any tenant's transaction.
create function longhaul.note_action(entry jsonb) returns void
  language sql security definer set search_path = pg_catalog, longhaul as $$
  insert into longhaul.audit (actor, action, subject, tenant_id, reason, before, after)
    values (entry ->> 'actor', entry ->> 'action', entry ->> 'subject', (entry ->> 'tenantId')::uuid, entry ->> 'reason',
            entry -> 'before', entry -> 'after') $$;

-- Takes a decision on a park: the decision, its outbox row and its line in the audit log, or the refusal and its line.
-- wish: {id, park, decision, reason, input?, output?, actor}. pivot: the step is one.
-- Answers {kind: taken}, {kind: same} (taken before) or {kind: refused, why, until?}, why: unknown, other_park, decided,
-- park_over, not_possible, not_correctable, in_flight.
create function longhaul.decide_parked(letter uuid, wish jsonb, is_pivot boolean) returns jsonb
  language plpgsql security definer set search_path = pg_catalog, longhaul as $$
#variable_conflict use_variable
declare
  d longhaul.readable_dead_letters;
  standing longhaul.decisions;
  is_same boolean := false;
  corrects boolean := wish ? 'input';
  why text;
  answer jsonb;
begin
  perform set_config('lock_timeout', '2s', true);
  -- Held, so that a park does not end, nor a rival decide, while we look.
  perform from longhaul.dead_letters x where x.id = letter for update;
  select * into d from longhaul.readable_dead_letters r where r.id = letter;
  if not found then return '{"kind": "refused", "why": "unknown"}'; end if;
  select * into standing from longhaul.decisions c
    where c.job_id = d.job_id and c.park = d.park and c.outcome <> 'refused';
  is_same := standing.id is not null and (wish ->> 'park')::int = d.park and standing.decision = wish ->> 'decision'
    and standing.input is not distinct from wish -> 'input' and standing.output is not distinct from wish -> 'output';
  why := case
    when is_same then null
    when (wish ->> 'park')::int <> d.park then 'other_park'
    when standing.id is not null then 'decided'
    when d.closed_at is not null or d.ended_at is not null then 'park_over'
    when not d.possible ? (wish ->> 'decision') then 'not_possible'
    when corrects and not d.correctable then 'not_correctable'
    -- Where the ledger would have to take a person's word for what an attempt may still change (rule_effect).
    when d.acting_until is not null and not d.undo and (
        wish ->> 'decision' = 'resolve'
        or (wish ->> 'decision' = 'compensate' and is_pivot and d.doubt)
        or (wish ->> 'decision' = 'retry' and d.effect = 'blind' and d.doubt)
        or (corrects and exists (select from longhaul.effects e where e.job_id = d.job_id and e.generation = d.generation
          and e.step = d.step and e.item = coalesce(d.item, -1) and e.step_kind <> 'compensable'))) then 'in_flight'
    end;

  if is_same then
    answer := jsonb_build_object('kind', 'same');
  elsif why is not null then
    answer := jsonb_build_object('kind', 'refused', 'why', why)
      || case when why = 'in_flight' then jsonb_build_object('until', d.acting_until) else '{}' end;
  else
    insert into longhaul.decisions (id, job_id, tenant_id, park, decision, reason, input, output, decided_by)
      values ((wish ->> 'id')::uuid, d.job_id, d.tenant_id, d.park, wish ->> 'decision', wish ->> 'reason', wish -> 'input',
              wish -> 'output', wish ->> 'actor');
    insert into longhaul.outbox (job_id, tenant_id, message, decision_id)
      values (d.job_id, d.tenant_id, 'decide', (wish ->> 'id')::uuid);
    answer := jsonb_build_object('kind', 'taken');
  end if;
  insert into longhaul.audit (actor, action, subject, tenant_id, reason, before, after)
    values (wish ->> 'actor', 'dead_letter.decide', letter::text, d.tenant_id, wish ->> 'reason',
            jsonb_build_object('job', d.job_id, 'park', d.park, 'phase', d.phase, 'open', d.closed_at is null,
              'decision', d.decision),
            answer || jsonb_build_object('asked', wish - 'actor' - 'reason'));
  return answer;
end $$;

grant create on schema longhaul to longhaul_relay;
do $$
declare f text;
begin
  foreach f in array array[
    'list_dead_letters(text, text, boolean, uuid, int)', 'read_dead_letter(uuid)', 'note_action(jsonb)',
    'decide_parked(uuid, jsonb, boolean)'
  ] loop
    execute format('revoke all on function longhaul.%s from public', f);
    execute format('grant execute on function longhaul.%s to longhaul_app', f);
    execute format('alter function longhaul.%s owner to longhaul_relay', f);
  end loop;
end $$;
revoke create on schema longhaul from longhaul_relay;
grant insert on longhaul.outbox to longhaul_relay;
