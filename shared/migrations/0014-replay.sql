-- The event store can have less than the log: the database was lost and set up anew, or put back from a backup. Until the
-- log was replayed nobody is shown what is left (docs/decisions/0022-replay.md).

-- There while that is known.
create table missing_events (
  singleton boolean primary key default true check (singleton),
  since     timestamptz not null default now(),
  reason    text not null
);

select audit_table('missing_events');

-- Whoever shows feeds, or finds authors for callers, reads neither projections nor events; whoever writes events waits for the
-- projections. What a rebuild did before does not count any more.
create function close_feeds(why text) returns void
language sql security definer set search_path = public, pg_temp as $$
  insert into missing_events (reason) values (why) on conflict (singleton) do update set reason = excluded.reason;
  select close_projections();
  revoke select on activities, control_activities, activity_counts_hourly, activity_counts_daily
    from tideline_ingest, tideline_feed_api;
  delete from rebuild_steps;
$$;

create function open_feeds() returns void
language sql security definer set search_path = public, pg_temp as $$
  grant select on activities, control_activities to tideline_ingest, tideline_feed_api;
  grant select on activity_counts_hourly, activity_counts_daily to tideline_feed_api;
  select open_projections();
  delete from missing_events;
$$;

revoke execute on function close_feeds(text), open_feeds() from public;

-- A new database may be one for a log that is not. Set-up knows once it has asked Kafka, and services may be running already.
select close_feeds('it was not compared with the log yet') where not exists (select from log_generations);
