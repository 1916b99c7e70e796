-- The effect ledger's protocol (SAGA_RULES, "The ledger"), each step of it one function and so one round trip.
-- Times are the database's, so that leases need no agreement between clocks. Callers act as longhaul_worker.

alter table longhaul.effects
  -- Until when attempts that never reported may still act, after a later attempt or the undo took the row over.
  add column quarantine_until timestamptz,
  add column first_error jsonb;

-- Ends and claims of one job exclude each other, without touching the job's row: a long transaction of an `own`
-- effect must not hold up those who watch or cancel the job.
create function longhaul.lock_job(job uuid, exclusively boolean) returns void language sql as $$
  select case when exclusively then pg_advisory_xact_lock(hashtextextended(job::text, 0))
              else pg_advisory_xact_lock_shared(hashtextextended(job::text, 0)) end $$;

-- The first claim starts the job; a saga without a pivot commits with its first retriable's first attempt.
create function longhaul.mark_begun(job uuid, commits boolean) returns void language sql as $$
  update longhaul.jobs j set
      status = 'STARTED',
      phase = case when j.status = 'PENDING' then 'forward' else j.phase end,
      started_at = coalesce(j.started_at, now()),
      committed_at = case when commits then coalesce(j.committed_at, now()) else j.committed_at end,
      revision = j.revision + 1
    where j.id = job and j.ended_at is null
      and (j.status = 'PENDING' or (commits and j.committed_at is null)) $$;

create function longhaul.milliseconds_until(moment timestamptz) returns bigint language sql stable as $$
  select greatest(0, ceil(extract(epoch from moment - clock_timestamp()) * 1000))::bigint $$;

create function longhaul.in_milliseconds(ms bigint) returns timestamptz language sql stable as $$
  select clock_timestamp() + ms * interval '1 millisecond' $$;

-- claim: {job, step, item, generation, seq, stepKind, effect, undo, args, attempt, leaseMs}; item -1 is none.
-- Answers {kind: claimed}, {kind: done, outcome?} or {kind: refused, why}.
create function longhaul.claim_effect(tenant uuid, claim jsonb) returns jsonb language plpgsql as $$
#variable_conflict use_variable
declare
  job uuid := (claim ->> 'job')::uuid;
  attempt int := (claim ->> 'attempt')::int;
  lease timestamptz := longhaul.in_milliseconds((claim ->> 'leaseMs')::bigint);
  there longhaul.jobs;
  e longhaul.effects;
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
    update longhaul.effects x set
        attempt = attempt, lease_until = lease, next_attempt_at = null, failed = false, updated_at = clock_timestamp(),
        -- The attempt before never reported: it may still act, and nobody knows whether it did.
        quarantine_until = case when attempt > e.attempt then greatest(e.quarantine_until, e.lease_until) else e.quarantine_until end,
        doubt = e.doubt or (e.effect = 'keyed' and attempt > e.attempt and e.lease_until is not null)
      where x.job_id = job and x.generation = e.generation and x.step = e.step and x.item = e.item;
  end if;
  -- An `own` effect marks the job at the end of its transaction, so as not to hold the job's row.
  if claim ->> 'effect' <> 'own' then
    if there.status = 'PENDING' or (claim ->> 'stepKind' = 'retriable' and there.committed_at is null) then
      perform longhaul.mark_begun(job, claim ->> 'stepKind' = 'retriable');
    end if;
  end if;
  return '{"kind": "claimed"}';
end $$;

-- Compare-and-set from claimed. `outcome` null: the step answers nothing. Answers {kind: recorded}, done or refused.
create function longhaul.complete_effect(tenant uuid, claim jsonb, outcome jsonb, progress jsonb)
  returns jsonb language plpgsql as $$
#variable_conflict use_variable
declare
  job uuid := (claim ->> 'job')::uuid;
  attempt int := (claim ->> 'attempt')::int;
  e longhaul.effects;
begin
  perform set_config('longhaul.tenant', tenant::text, true), set_config('lock_timeout', '5s', true);
  update longhaul.effects x set
      state = 'done', outcome = outcome, doubt = false, failed = false, next_attempt_at = null,
      progress = coalesce(progress, x.progress),
      lease_until = case when x.attempt = attempt then null else x.lease_until end,
      finished_at = clock_timestamp(), updated_at = clock_timestamp()
    where x.job_id = job and x.generation = (claim ->> 'generation')::int
      and x.step = claim ->> 'step' and x.item = (claim ->> 'item')::int and x.state = 'claimed';
  if not found then
    select * into e from longhaul.effects x
      where x.job_id = job and x.generation = (claim ->> 'generation')::int
        and x.step = claim ->> 'step' and x.item = (claim ->> 'item')::int;
    if e.state = 'done' then
      return jsonb_build_object('kind', 'done')
        || case when e.outcome is null then '{}' else jsonb_build_object('outcome', e.outcome) end;
    end if;
    return '{"kind": "refused", "why": "fenced"}';
  end if;
  if claim ->> 'stepKind' = 'pivot' or claim ->> 'effect' = 'own' then
    perform longhaul.mark_begun(job, claim ->> 'stepKind' in ('pivot', 'retriable'));
  end if;
  return '{"kind": "recorded"}';
end $$;

-- report: {failure?, unknown, isLast, retryInMs?, progress?}. Frees the attempt's lease; answers the step's doubt.
create function longhaul.fail_effect(tenant uuid, claim jsonb, report jsonb) returns boolean language plpgsql as $$
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
      doubt = x.doubt or is_unknown,
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
  if claim ->> 'effect' = 'own' then perform longhaul.mark_begun(job, false); end if;
  if doubt is null then
    select x.doubt into doubt from longhaul.effects x
      where x.job_id = job and x.generation = (claim ->> 'generation')::int
        and x.step = claim ->> 'step' and x.item = (claim ->> 'item')::int;
  end if;
  return coalesce(doubt, is_unknown);
end $$;

create function longhaul.report_progress(tenant uuid, claim jsonb, progress jsonb) returns void language plpgsql as $$
#variable_conflict use_variable
begin
  perform set_config('longhaul.tenant', tenant::text, true), set_config('lock_timeout', '1s', true);
  update longhaul.effects x set progress = progress, updated_at = clock_timestamp()
    where x.job_id = (claim ->> 'job')::uuid and x.generation = (claim ->> 'generation')::int
      and x.step = claim ->> 'step' and x.item = (claim ->> 'item')::int
      and x.state = 'claimed' and x.attempt = (claim ->> 'attempt')::int;
end $$;

-- claim: {job, step, item, generation, seq, effect, undo, attempt, leaseMs, awaitsLease, compensating}.
-- From here on no claim and no late record gets through. Answers {kind: go, args?}, {kind: noop} or {kind: wait, waitMs}.
create function longhaul.begin_undo(tenant uuid, claim jsonb) returns jsonb language plpgsql as $$
#variable_conflict use_variable
declare
  job uuid := (claim ->> 'job')::uuid;
  e longhaul.effects;
  quarantine timestamptz;
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
  if e.state in ('undone', 'kept') then return '{"kind": "noop"}'; end if;
  perform longhaul.mark_compensating(job, claim);

  if e.effect = 'own' then
    -- Whatever was not committed did not happen, and the row's lock is the fence.
    if e.state = 'done' then return jsonb_build_object('kind', 'go', 'args', e.args); end if;
    update longhaul.effects x set state = 'undone', lease_until = null, next_attempt_at = null,
        finished_at = clock_timestamp(), updated_at = clock_timestamp()
      where x.job_id = job and x.generation = e.generation and x.step = e.step and x.item = e.item;
    return '{"kind": "noop"}';
  end if;

  quarantine := case when e.state = 'undoing' then e.quarantine_until else greatest(e.quarantine_until, e.lease_until) end;
  if (claim ->> 'awaitsLease')::boolean and quarantine > clock_timestamp() then
    update longhaul.effects x set state = 'undoing', quarantine_until = quarantine, lease_until = null,
        next_attempt_at = quarantine, updated_at = clock_timestamp()
      where x.job_id = job and x.generation = e.generation and x.step = e.step and x.item = e.item;
    return jsonb_build_object('kind', 'wait', 'waitMs', longhaul.milliseconds_until(quarantine));
  end if;
  update longhaul.effects x set state = 'undoing', quarantine_until = quarantine, next_attempt_at = null,
      undo_attempt = (claim ->> 'attempt')::int,
      lease_until = longhaul.in_milliseconds((claim ->> 'leaseMs')::bigint), updated_at = clock_timestamp()
    where x.job_id = job and x.generation = e.generation and x.step = e.step and x.item = e.item;
  return jsonb_build_object('kind', 'go', 'args', e.args);
end $$;

create function longhaul.mark_compensating(job uuid, claim jsonb) returns void language sql as $$
  update longhaul.jobs j set phase = 'compensating', revision = j.revision + 1
    where j.id = job and (claim ->> 'compensating')::boolean and j.phase in ('forward', 'parked') and j.ended_at is null $$;

create function longhaul.complete_undo(tenant uuid, claim jsonb) returns void language plpgsql as $$
#variable_conflict use_variable
begin
  perform set_config('longhaul.tenant', tenant::text, true), set_config('lock_timeout', '5s', true);
  update longhaul.effects x set state = 'undone', lease_until = null, next_attempt_at = null,
      undo_attempt = (claim ->> 'attempt')::int, finished_at = clock_timestamp(), updated_at = clock_timestamp()
    where x.job_id = (claim ->> 'job')::uuid and x.generation = (claim ->> 'generation')::int
      and x.step = claim ->> 'step' and x.item = (claim ->> 'item')::int
      and (x.state = 'undoing' or (x.state = 'done' and x.effect = 'own'));
end $$;

create function longhaul.fail_undo(tenant uuid, claim jsonb, report jsonb) returns void language plpgsql as $$
#variable_conflict use_variable
begin
  perform set_config('longhaul.tenant', tenant::text, true), set_config('lock_timeout', '5s', true);
  update longhaul.effects x set undo_attempt = (claim ->> 'attempt')::int,
      lease_until = case when x.state = 'undoing' then null else x.lease_until end,
      first_error = coalesce(x.first_error, report -> 'failure'),
      last_error = coalesce(report -> 'failure', x.last_error),
      next_attempt_at = longhaul.in_milliseconds((report ->> 'retryInMs')::bigint), updated_at = clock_timestamp()
    where x.job_id = (claim ->> 'job')::uuid and x.generation = (claim ->> 'generation')::int
      and x.step = claim ->> 'step' and x.item = (claim ->> 'item')::int and x.state not in ('undone', 'kept');
end $$;

-- A pivot in doubt. Answers {kind: settled, settlement}, {kind: ask, args?}, {kind: unknown} or {kind: wait, waitMs}.
create function longhaul.begin_settle(tenant uuid, claim jsonb, can_ask boolean) returns jsonb language plpgsql as $$
#variable_conflict use_variable
declare
  job uuid := (claim ->> 'job')::uuid;
  e longhaul.effects;
  lease timestamptz;
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
  if e.state = 'undone' or (e.state = 'claimed' and e.effect <> 'keyed') then
    update longhaul.effects x set state = 'undone', doubt = false, finished_at = clock_timestamp(), updated_at = clock_timestamp()
      where x.job_id = job and x.generation = e.generation and x.step = e.step and x.item = e.item;
    return '{"kind": "settled", "settlement": {"verdict": "not_happened"}}';
  end if;
  -- Until the lease is over a late record is still welcome: it settles the matter.
  lease := case when e.state = 'undoing' then e.quarantine_until else greatest(e.quarantine_until, e.lease_until) end;
  if lease > clock_timestamp() then
    return jsonb_build_object('kind', 'wait', 'waitMs', longhaul.milliseconds_until(lease));
  end if;
  if not can_ask then return '{"kind": "unknown"}'; end if;
  update longhaul.effects x set state = 'undoing', lease_until = null, quarantine_until = lease, updated_at = clock_timestamp()
    where x.job_id = job and x.generation = e.generation and x.step = e.step and x.item = e.item;
  return jsonb_build_object('kind', 'ask', 'args', e.args);
end $$;

create function longhaul.complete_settle(tenant uuid, claim jsonb, happened boolean, outcome jsonb) returns void language plpgsql as $$
#variable_conflict use_variable
declare job uuid := (claim ->> 'job')::uuid;
begin
  perform set_config('longhaul.tenant', tenant::text, true), set_config('lock_timeout', '5s', true);
  update longhaul.effects x set state = case when happened then 'done' else 'undone' end,
      outcome = outcome, doubt = false, lease_until = null, next_attempt_at = null,
      finished_at = clock_timestamp(), updated_at = clock_timestamp()
    where x.job_id = job and x.generation = (claim ->> 'generation')::int
      and x.step = claim ->> 'step' and x.item = (claim ->> 'item')::int and x.state = 'undoing';
  if found and happened then perform longhaul.mark_begun(job, true); end if;
end $$;

-- letter: {number, step, item, undo, doubt, generation, possible, failure}; item -1 is none. Attempts and errors
-- come from the ledger's row. The same park again changes nothing.
create function longhaul.park_job(tenant uuid, job uuid, letter_id uuid, letter jsonb) returns void language plpgsql as $$
#variable_conflict use_variable
begin
  perform set_config('longhaul.tenant', tenant::text, true), set_config('lock_timeout', '5s', true);
  update longhaul.dead_letters d set closed_at = now()
    where d.job_id = job and d.park < (letter ->> 'number')::int and d.closed_at is null;
  insert into longhaul.dead_letters
      (id, job_id, tenant_id, park, step, item, undo, doubt, possible, attempts, first_error, last_error, trace_parent)
    select letter_id, job, tenant, (letter ->> 'number')::int, letter ->> 'step', nullif((letter ->> 'item')::int, -1),
           (letter ->> 'undo')::boolean, (letter ->> 'doubt')::boolean, letter -> 'possible',
           coalesce(case when (letter ->> 'undo')::boolean then x.undo_attempt else x.attempt end, 0),
           coalesce(x.first_error, letter -> 'failure'), letter -> 'failure', j.trace_parent
      from longhaul.jobs j
      left join longhaul.effects x on x.job_id = j.id and x.generation = (letter ->> 'generation')::int
        and x.step = letter ->> 'step' and x.item = (letter ->> 'item')::int
      where j.id = job
    on conflict (job_id, park) do nothing;
  if found then
    update longhaul.jobs j set phase = 'parked', revision = j.revision + 1 where j.id = job and j.ended_at is null;
  end if;
end $$;

-- The terminal record, once. ending: {status, compensated?, leftovers, skipped, error?}; answers whether it is ours.
create function longhaul.finish_job(tenant uuid, job uuid, ending jsonb, result bytea) returns boolean language plpgsql as $$
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
  update longhaul.dead_letters d set closed_at = now() where d.job_id = job and d.closed_at is null;
  return true;
end $$;

do $$
declare f text;
begin
  foreach f in array array[
    'lock_job(uuid, boolean)', 'mark_begun(uuid, boolean)', 'milliseconds_until(timestamptz)', 'in_milliseconds(bigint)',
    'claim_effect(uuid, jsonb)', 'complete_effect(uuid, jsonb, jsonb, jsonb)', 'fail_effect(uuid, jsonb, jsonb)',
    'report_progress(uuid, jsonb, jsonb)', 'begin_undo(uuid, jsonb)', 'mark_compensating(uuid, jsonb)',
    'complete_undo(uuid, jsonb)', 'fail_undo(uuid, jsonb, jsonb)', 'begin_settle(uuid, jsonb, boolean)',
    'complete_settle(uuid, jsonb, boolean, jsonb)', 'park_job(uuid, uuid, uuid, jsonb)', 'finish_job(uuid, uuid, jsonb, bytea)'
  ] loop
    execute format('revoke all on function longhaul.%s from public', f);
    execute format('grant execute on function longhaul.%s to longhaul_worker', f);
  end loop;
end $$;

-- The sealed input of a job, for its steps.
create function longhaul.job_input(tenant uuid, job uuid) returns bytea language plpgsql as $$
#variable_conflict use_variable
begin
  perform set_config('longhaul.tenant', tenant::text, true);
  return (select j.input from longhaul.jobs j where j.id = job);
end $$;
revoke all on function longhaul.job_input(uuid, uuid) from public;
grant execute on function longhaul.job_input(uuid, uuid) to longhaul_worker;
