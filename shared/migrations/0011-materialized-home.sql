-- Home feeds as a materialised view (E6), for `strategy=materialized`: the newest hundred of each reader of the last four
-- weeks, as they were when it was last refreshed. What came since is noted beside it, in the transactions that it came in,
-- and taken out by the transaction that refreshes: so the view and the notes together are complete in every snapshot.

create materialized view materialized_home as
  select u.id as reader_id, page.id
  from users u
  cross join lateral (
    select newest.id
    from (select u.id as author_id union all select followee_id from follows where follower_id = u.id and active) source
    cross join lateral (
      select a.id
      from activities a
      where a.actor_id = source.author_id and a.time >= now() - interval '28 days'
        and (a.audience is null or a.actor_id = u.id or u.id = any (a.audience))
      order by a.time desc, a.id desc
      limit 100
    ) newest
    order by newest.id desc
    limit 100
  ) page
  union all
  -- Who is in it, with a feed or without.
  select id, '00000000-0000-0000-0000-000000000000' from users;

create unique index materialized_home_rows on materialized_home (reader_id, id desc);

create table materialized_home_state (
  singleton    boolean primary key default true check (singleton),
  is_noting    boolean not null default false,
  refreshed_at timestamptz, -- null: never since notes are taken, so that the view cannot be used
  complete_from uuid        -- feeds in the view have nothing below
);

insert into materialized_home_state default values;

create table contents_since_refresh (
  author_id text collate "C" not null,
  id        uuid not null,
  primary key (author_id, id)
);

create table follows_since_refresh (
  follower_id text collate "C" not null,
  followee_id text collate "C" not null,
  primary key (follower_id, followee_id)
);

create function note_follows() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  if (select is_noting from materialized_home_state) then
    insert into follows_since_refresh select follower_id, followee_id from changed where active
    order by follower_id, followee_id on conflict do nothing;
  end if;
  return null;
end
$$;

create trigger follows_are_noted_on_insert after insert on follows
  referencing new table as changed for each statement execute function note_follows();
create trigger follows_are_noted_on_update after update on follows
  referencing new table as changed for each statement execute function note_follows();

-- From here on notes are taken. Whoever wrote without knowing has committed before this does.
create function begin_noting_for_home() returns void
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform from partition_fences order by log_partition for update;
  update materialized_home_state set is_noting = true, refreshed_at = null where not is_noting;
end
$$;

-- In a repeatable read transaction, so that all of it sees the same.
create function refresh_materialized_home() returns void
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  delete from contents_since_refresh;
  delete from follows_since_refresh;
  refresh materialized view concurrently materialized_home;
  update materialized_home_state
  set refreshed_at = now(), complete_from = first_activity_id(now() - interval '28 days');
end
$$;

create function end_materialized_home() returns void
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  update materialized_home_state set is_noting = false, refreshed_at = null;
  delete from contents_since_refresh;
  delete from follows_since_refresh;
end
$$;

grant select on materialized_home, materialized_home_state, contents_since_refresh, follows_since_refresh to tideline_feed_api;
grant select on materialized_home_state to tideline_fanout;
grant insert on contents_since_refresh to tideline_fanout;

revoke execute on function begin_noting_for_home(), refresh_materialized_home(), end_materialized_home() from public;
grant execute on function begin_noting_for_home(), refresh_materialized_home(), end_materialized_home() to tideline_fanout;

-- Made before the audit was.
select audit_table('retention');
