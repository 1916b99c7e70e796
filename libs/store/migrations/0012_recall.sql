-- A saga whose history has grown long goes on in a new run of its workflow, which reads back here what those before have
-- done (S14). One page of a job's steps, in order of registration.
-- Answers {steps: [[step, item, generation, seq, state, outcome?]], next?}; no page is larger than a payload may be.
create function longhaul.recall_effects(tenant uuid, job uuid, after int, outcomes boolean) returns jsonb language plpgsql as $$
#variable_conflict use_variable
declare
  rows_max int := 2000;
  bytes_max int := 512 * 1024;
begin
  perform set_config('longhaul.tenant', tenant::text, true);
  return (
    with ahead as (
      select e.step, e.item, e.generation, e.seq, e.state, case when outcomes and e.state = 'done' then e.outcome end as outcome
        from longhaul.effects e where e.job_id = job and e.seq > after order by e.seq limit rows_max + 1),
    measured as (
      select a.*, row_number() over (order by a.seq) as place, count(*) over () as found,
             sum(coalesce(octet_length(a.outcome::text), 0)) over (order by a.seq) as bytes
        from ahead a),
    page as (select * from measured m where m.place = 1 or (m.place <= rows_max and m.bytes <= bytes_max))
    select jsonb_build_object('steps', coalesce(jsonb_agg(
          jsonb_build_array(p.step, nullif(p.item, -1), p.generation, p.seq, p.state)
            || case when p.outcome is null then '[]' else jsonb_build_array(p.outcome) end order by p.seq), '[]'))
        || case when count(*) < max(p.found) then jsonb_build_object('next', max(p.seq)) else '{}' end
      from page p);
end $$;
revoke all on function longhaul.recall_effects(uuid, uuid, int, boolean) from public;
grant execute on function longhaul.recall_effects(uuid, uuid, int, boolean) to longhaul_worker;
