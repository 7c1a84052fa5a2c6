-- Who may do what. Each service takes a role of its own when it connects, and may do in this database what its statements
-- need, table by table, and nothing else. Roles are of the whole server: other databases on it have them too.

do $$
declare
  role_name text;
begin
  foreach role_name in array array[
    'tideline_ingest', 'tideline_fanout', 'tideline_feed_api', -- the services
    'tideline_operator', -- the tools
    'tideline_eraser'    -- the one that may take activities away
  ] loop
    begin
      if to_regrole(role_name) is null then
        execute format('create role %I nologin', role_name);
      end if;
    exception when duplicate_object or unique_violation then
      null; -- made by another set-up at the same moment
    end;
    -- So that one URL does for everything: its user takes the role of whoever connects.
    if not pg_has_role(current_user, role_name, 'SET') then
      execute format('grant %I to current_user', role_name);
    end if;
  end loop;
exception when insufficient_privilege then
  raise exception '% may not make the role % or take it. Let a superuser run "create role %" where it does not exist, and "grant % to %"',
    current_user, role_name, role_name, role_name, quote_ident(current_user)
    using errcode = 'insufficient_privilege';
end
$$;

-- What every process asks when it starts, and whenever Redis is another one.
grant select on log_generations, agreed_settings to tideline_ingest, tideline_fanout, tideline_feed_api;
grant select, insert, update on cache_epoch to tideline_ingest, tideline_fanout, tideline_feed_api, tideline_operator;
grant usage on sequence cache_epochs to tideline_ingest, tideline_fanout, tideline_feed_api, tideline_operator;

-- Whoever answers callers asks whose keys they bring.
grant select on api_keys to tideline_ingest, tideline_feed_api;

-- ingest brings corrections into their projections before it answers.
grant select on activities, control_activities to tideline_ingest;
grant insert, update on follows, relations, users, objects to tideline_ingest;
grant insert on tombstones to tideline_ingest;

-- fanout writes events, and all that is made of them.
grant select, insert on activities, control_activities to tideline_fanout;
grant insert, update on follows, relations, users, objects to tideline_fanout;
grant insert, update (purged_at) on tombstones to tideline_fanout;
grant update (mode, watermark, changed_at, mode_generation, mode_offset) on authors to tideline_fanout;
grant insert, delete on notifications to tideline_fanout;
grant select, insert, update on partition_fences to tideline_fanout;
grant usage on sequence partition_fence_epochs to tideline_fanout;

-- feed-api reads; of its own it writes what users marked, and the name of a user who was not heard of before.
grant select on activities, control_activities, secrets to tideline_feed_api;
grant insert on users to tideline_feed_api;
grant select, insert, update on notification_marks to tideline_feed_api;
grant select, insert, update, delete on marked_notifications to tideline_feed_api;

-- The tools read everything but secrets, whatever tables come later, and hand out keys.
grant select on all tables in schema public to tideline_operator;
alter default privileges in schema public grant select on tables to tideline_operator;
revoke all on secrets from tideline_operator;
grant insert, update on api_keys to tideline_operator;
grant insert on users to tideline_operator;

-- What an erasure takes out of the events; what else it needs comes with it.
grant select, delete, update (audience, object_owner_id) on activities to tideline_eraser;
grant select, delete on control_activities to tideline_eraser;

-- Followers are counted in the transaction that changes them, whoever that is: nobody needs to be able to write counts.
alter function count_followers() security definer;
alter function count_followers() set search_path = public, pg_temp;

-- ---------------------------------------------------------------- events are never changed

-- For everybody, the owner too: triggers know no privileges. Retention drops whole chunks, which fires none.
create or replace function refuse_change() returns trigger language plpgsql as $$
begin
  if current_user = 'tideline_eraser' then
    if tg_op = 'DELETE' then
      return old;
    end if;
    if tg_op = 'UPDATE'
      and to_jsonb(new) - '{audience,object_owner_id}'::text[] = to_jsonb(old) - '{audience,object_owner_id}'::text[] then
      return new;
    end if;
  end if;
  raise exception '% is append-only: % refused', tg_table_name, lower(tg_op)
    using errcode = 'restrict_violation';
end
$$;

create trigger activities_are_not_truncated before truncate on activities
  for each statement execute function refuse_change();
create trigger control_activities_are_not_truncated before truncate on control_activities
  for each statement execute function refuse_change();

-- ---------------------------------------------------------------- projections are read only while they are whole

-- The one place that says who reads projections. Both do nothing where it is so already.
create function open_projections() returns void
language sql security definer set search_path = public, pg_temp as $$
  grant select on follows, relations, tombstones, users, objects
    to tideline_ingest, tideline_fanout, tideline_feed_api;
  grant select on authors, notifications to tideline_fanout, tideline_feed_api
$$;

create function close_projections() returns void
language sql security definer set search_path = public, pg_temp as $$
  revoke select on follows, relations, tombstones, users, objects, authors, notifications
    from tideline_ingest, tideline_fanout, tideline_feed_api
$$;

revoke execute on function open_projections(), close_projections() from public;
grant execute on function open_projections(), close_projections() to tideline_operator;

select open_projections();

-- A projection that was emptied must not be taken for one that has nothing: in the same transaction it is closed, and
-- services wait (`isProjectionClosed` in database.ts) until it was rebuilt and opened again.
create function close_truncated_projections() returns trigger language plpgsql as $$
begin
  perform close_projections();
  return null;
end
$$;

create trigger follows_are_closed_when_truncated before truncate on follows
  for each statement execute function close_truncated_projections();
create trigger relations_are_closed_when_truncated before truncate on relations
  for each statement execute function close_truncated_projections();
create trigger tombstones_are_closed_when_truncated before truncate on tombstones
  for each statement execute function close_truncated_projections();
create trigger users_are_closed_when_truncated before truncate on users
  for each statement execute function close_truncated_projections();
create trigger objects_are_closed_when_truncated before truncate on objects
  for each statement execute function close_truncated_projections();
create trigger authors_are_closed_when_truncated before truncate on authors
  for each statement execute function close_truncated_projections();
create trigger notifications_are_closed_when_truncated before truncate on notifications
  for each statement execute function close_truncated_projections();
