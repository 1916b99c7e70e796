-- Accepting tries the insert first and looks for a job with the same natural key only when there is one. A look before
-- every insert cost a statement, and its plan, kept since the table was empty, read all the tenant's jobs.

create or replace function longhaul.accept(tenant uuid, route text, idempotency_key text, fingerprint bytea, jobs jsonb)
  returns jsonb language plpgsql as $$
#variable_conflict use_variable
declare
  seen longhaul.idempotency;
  item jsonb;
  there longhaul.jobs;
  fresh record;
  position int;
  answers jsonb[] := array_fill(null::jsonb, array[jsonb_array_length(jobs)]);
  kept boolean := false;
  predecessor uuid;
  answer jsonb;
  tries_max constant int := 5;
begin
  perform set_config('longhaul.tenant', tenant::text, true), set_config('lock_timeout', '1s', true);

  if idempotency_key is not null then
    insert into longhaul.idempotency (tenant_id, route, key, fingerprint)
      values (tenant, route, idempotency_key, fingerprint) on conflict do nothing;
    if not found then
      select * into seen from longhaul.idempotency i
        where i.tenant_id = tenant and i.route = route and i.key = idempotency_key;
      return jsonb_build_object('replayed', seen.fingerprint = fingerprint, 'reused', seen.fingerprint <> fingerprint,
        'items', coalesce(seen.response, '[]'));
    end if;
  end if;

  -- In the order of their keys, so that two batches never wait for each other in a circle.
  for item, position in
    select j.value, j.ordinality::int from jsonb_array_elements(jobs) with ordinality j
    order by j.value ->> 'kind', j.value ->> 'key', j.ordinality
  loop
    predecessor := null;
    if item ? 'problem' then
      answers[position] := jsonb_build_object('outcome', 'invalid', 'problem', item -> 'problem');
      continue;
    end if;
    for tries in 1..tries_max loop
      insert into longhaul.jobs (id, tenant_id, kind, natural_key, input, input_digest, deadline_at, attempt_of, trace_parent)
        values ((item ->> 'id')::uuid, tenant, item ->> 'kind', item ->> 'key', decode(item ->> 'input', 'base64'),
                decode(item ->> 'digest', 'hex'), now() + (item ->> 'deadlineMs')::bigint * interval '1 millisecond',
                predecessor, item ->> 'traceParent')
        on conflict (tenant_id, kind, natural_key) where natural_key is not null and superseded_by is null do nothing
        returning created_at, deadline_at into fresh;
      if found then
        insert into longhaul.outbox (job_id, tenant_id, message) values ((item ->> 'id')::uuid, tenant, 'start');
        kept := true;
        answers[position] := jsonb_build_object('outcome', 'accepted', 'status', 202, 'jobId', item ->> 'id',
          'createdAt', fresh.created_at, 'deadlineAt', fresh.deadline_at, 'attemptOf', predecessor);
        exit;
      end if;
      -- Planned anew each time: a plan kept from when the table was empty reads all the tenant's jobs.
      execute 'select * from longhaul.jobs j where j.tenant_id = $1 and j.kind = $2 and j.natural_key = $3
        and j.superseded_by is null for update' into there using tenant, item ->> 'kind', item ->> 'key';
      -- Superseded while we waited for its lock: the next round meets its successor.
      continue when there.id is null;
      answer := longhaul.answer_duplicate(there, item);
      if answer is not null then
        kept := kept or answer ->> 'outcome' = 'duplicate';
        answers[position] := answer;
        exit;
      end if;
      predecessor := there.id;
      update longhaul.jobs set superseded_by = (item ->> 'id')::uuid, revision = revision + 1 where id = there.id;
    end loop;
    if answers[position] is null then
      raise exception 'rivals superseded the job % times', tries_max using errcode = 'serialization_failure';
    end if;
  end loop;

  if idempotency_key is not null then
    if kept then
      update longhaul.idempotency i set response = to_jsonb(answers)
        where i.tenant_id = tenant and i.route = route and i.key = idempotency_key;
    else
      -- Nothing was accepted: the same key may be used for a corrected request.
      delete from longhaul.idempotency i where i.tenant_id = tenant and i.route = route and i.key = idempotency_key;
    end if;
  end if;
  return jsonb_build_object('replayed', false, 'reused', false, 'items', to_jsonb(answers));
end $$;
