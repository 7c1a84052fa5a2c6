-- What keeps reads fast, counts cheap and content bounded over many years.

-- ---------------------------------------------------------------- when authors did something

-- Weeks since the Unix epoch: the chunks of activities.
create function activity_week(id uuid) returns integer
language sql immutable strict parallel safe
return floor(extract(epoch from activity_time(id)) / 604800)::integer;

-- In which weeks an author did something: a projection, written with the activities. Pages are read from there on, because
-- planning a query costs with every chunk that it may touch.
create table author_weeks (
  author_id text collate "C" not null,
  week      integer not null,
  primary key (author_id, week)
);

insert into author_weeks select distinct actor_id, activity_week(id) from activities;

-- Whether an update describes what its author posted in the same request. A request that was repeated left several copies of
-- the description, of which one belongs to the post. The bounds are in the text, so that few chunks are planned.
create function is_part_of_post(actor text, update_id uuid) returns boolean
language plpgsql stable strict as $$
declare
  at timestamptz := activity_time(update_id);
  found_it boolean;
begin
  execute format($query$
    select exists (
      select
      from control_activities copy
      join activities a on a.actor_id = copy.actor_id and a.request_id = copy.request_id
        and a.object_type = copy.object_type and a.object_id = copy.object_id
      where copy.actor_id = $1 and copy.id = $2 and a.time between %L and %L)
    $query$, at - interval '1 minute', at + interval '1 minute') into found_it using actor, update_id;
  return found_it;
end
$$;

-- ---------------------------------------------------------------- counts

-- What happened, by verb and by actor: also what was deleted since, and what is not for everybody. Where the server is of the
-- community edition, set-up makes continuous aggregates of the same names of them (deploy/src/setup/use-edition.ts).
create view activity_counts_hourly as
  select time_bucket(interval '1 hour', time) as bucket, verb, count(*) as count from activities group by 1, 2;
create view activity_counts_daily as
  select time_bucket(interval '1 day', time) as bucket, verb, count(*) as count from activities group by 1, 2;
create view actor_counts_hourly as
  select time_bucket(interval '1 hour', time) as bucket, actor_id, count(*) as count from activities group by 1, 2;
create view actor_counts_daily as
  select time_bucket(interval '1 day', time) as bucket, actor_id, count(*) as count from activities group by 1, 2;

-- ---------------------------------------------------------------- retention

-- Content before the horizon is gone: nobody shows it, takes it in, or brings it back. It only rises, and it is set before
-- anything is dropped.
create table retention (
  singleton boolean primary key default true check (singleton),
  horizon   timestamptz not null default 'epoch', -- where a week begins; the epoch: everything is kept
  moved_at  timestamptz not null default now()
);

insert into retention default values;

-- Sets the horizon so that all of the last `days` is kept. Returns whether it rose.
create function raise_horizon(days integer) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  update retention
  set horizon = goal, moved_at = now()
  from (select timestamptz 'epoch' + activity_week(first_activity_id(now() - days * interval '1 day')) * interval '7 days') as g (goal)
  where horizon < goal;
  return found;
end
$$;

-- Chunks are of the owner: whoever keeps the horizon drops through this, whole chunks of what is before it, and nothing else.
-- Returns how many, about a year's at most, because each takes locks: to be repeated until there are none.
create function drop_expired_chunks() returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  before timestamptz;
  dropped integer;
begin
  select least(r.horizon, min(c.range_start) + interval '364 days') into before
  from retention r left join timescaledb_information.chunks c on c.hypertable_name = 'activities'
  group by r.horizon;
  select count(*) into dropped from drop_chunks('activities', older_than => before) chunk;
  return dropped;
end
$$;

-- ---------------------------------------------------------------- who may what

grant insert, delete on author_weeks to tideline_fanout;
grant select on retention to tideline_ingest, tideline_fanout, tideline_feed_api;
grant select on activity_counts_hourly, activity_counts_daily to tideline_feed_api;

-- What the one that raises the horizon takes out besides: what is about content that is gone.
grant delete on tombstones to tideline_fanout;
grant select, delete on marked_notifications to tideline_fanout;

revoke execute on function raise_horizon(integer), drop_expired_chunks() from public;
grant execute on function raise_horizon(integer), drop_expired_chunks() to tideline_fanout;

-- As before, and the weeks of authors too.
create or replace function open_projections() returns void
language sql security definer set search_path = public, pg_temp as $$
  grant select on follows, relations, tombstones, users, objects
    to tideline_ingest, tideline_fanout, tideline_feed_api;
  grant select on authors, author_weeks, notifications to tideline_fanout, tideline_feed_api
$$;

create or replace function close_projections() returns void
language sql security definer set search_path = public, pg_temp as $$
  revoke select on follows, relations, tombstones, users, objects, authors, author_weeks, notifications
    from tideline_ingest, tideline_fanout, tideline_feed_api
$$;

select open_projections();

create trigger author_weeks_are_closed_when_truncated before truncate on author_weeks
  for each statement execute function close_truncated_projections();
