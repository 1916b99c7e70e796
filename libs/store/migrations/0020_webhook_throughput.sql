-- Deliveries that cost less: what nearly all of them need is smaller, and what few of them need is not paid by all.

-- Of the attempt that was well: instead of an entry in `tries`, which nearly every delivery would have. It ended at `settled_at`.
alter table longhaul.webhook_deliveries
  add column well_status smallint,
  add column well_ms int,
  add check ((well_status is null) = (well_ms is null) and (well_status is null or state = 'delivered'));
grant update (well_status, well_ms) on longhaul.webhook_deliveries to longhaul_worker;

-- All attempts that are kept, the last 20 at most.
create function longhaul.webhook_tries(d longhaul.webhook_deliveries) returns jsonb language sql stable as $$
  select case when d.well_status is null then d.tries
    else case when jsonb_array_length(d.tries) < 20 then d.tries else d.tries - 0 end || jsonb_build_object(
      'at', to_char((d.settled_at - d.well_ms * interval '1 millisecond') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'durationMs', d.well_ms, 'status', d.well_status) end
$$;
revoke execute on function longhaul.webhook_tries from public;
grant execute on function longhaul.webhook_tries to longhaul_app, longhaul_worker;

-- Nearly every delivery is carried by the event's own job, which the primary key finds.
drop index longhaul.webhook_deliveries_carrier;
create index webhook_deliveries_resent on longhaul.webhook_deliveries (carrier_id, endpoint_id) where carrier_id <> job_id;
