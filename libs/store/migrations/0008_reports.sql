-- A report that comes without its claim, or after the outcome: fail_effect forgot the lease of the attempt before, and
-- took an effect whose record was kept, but not answered, for one that had not happened.

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
      doubt = x.doubt or is_unknown or (x.effect = 'keyed' and x.attempt < attempt and x.lease_until is not null),
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
    -- Done by a record whose answer was lost, or by an earlier attempt: it has happened, whatever this one knows.
    select x.doubt or x.state = 'done' into doubt from longhaul.effects x
      where x.job_id = job and x.generation = (claim ->> 'generation')::int
        and x.step = claim ->> 'step' and x.item = (claim ->> 'item')::int;
  end if;
  return coalesce(doubt, is_unknown);
end $$;
