-- `tideline erase` (docs/decisions/0021-erasure.md): the records of a person are gone as if they had never been on the log, and
-- do not come back.

-- Users are remembered by digests that nobody can make of a guess but who may read this key.
insert into secrets (name, value)
values ('erasure', sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

create function erasure_digest(user_id text) returns bytea
language sql stable strict parallel safe security definer set search_path = public, pg_temp
return (select sha256(value || sha256(value || convert_to(user_id, 'UTF8'))) from secrets where name = 'erasure');

-- Who was erased, and up to which place of the log: what names the user and stands before is left out, whenever and by whatever way
-- it comes. What stands behind is of somebody new of the same id.
create table erasures (
  id          bigint generated always as identity primary key,
  user_digest bytea not null check (length(user_digest) = 32),
  reason      text,
  asked_at    timestamptz not null default now(),
  began_at    timestamptz, -- null: the place is not set yet, nothing is left out
  generation  integer,
  ends        bigint[],    -- of each partition the offset that came next, the first partition's first
  finished_at timestamptz,
  counts      jsonb,       -- rows, by table
  check ((began_at is null) = (generation is null) and (began_at is null) = (ends is null))
);

-- One at a time of a user: what was interrupted is gone on with.
create unique index erasures_unfinished on erasures (user_digest) where finished_at is null;
create index erasures_by_user on erasures (user_digest);

select audit_table('erasures');

-- What an erasure has to know until it is finished; gone then.
create table erasure_progress (
  erasure_id bigint primary key references erasures,
  steps      text[] not null default '{}', -- done already
  counts     jsonb not null default '{}',
  objects    jsonb not null default '[]',  -- of the user: type and id
  recent_ids uuid[] not null default '{}'  -- of what was erased, as far as Redis may have results of it
);

-- ingest brings corrections into projections by itself, and may be late with one: of an erased user it then does nothing. (Fanout
-- leaves out whole records before it comes to this.) The erasure takes a lock that waits for whoever writes already.
create function leave_out_erased() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  if exists (
    select
    from unnest(tg_argv) as naming (column_name)
    join erasures e on e.user_digest = erasure_digest(to_jsonb(new) ->> naming.column_name)
    where (new.log_generation, new.log_offset) < (e.generation, e.ends[new.log_partition + 1])) then
    return null;
  end if;
  return new;
end
$$;

revoke execute on function erasure_digest(text), leave_out_erased() from public;

create trigger erased_users_are_left_out before insert on follows
  for each row when (current_user = 'tideline_ingest') execute function leave_out_erased('follower_id', 'followee_id');
create trigger erased_users_are_left_out before insert on relations
  for each row when (current_user = 'tideline_ingest') execute function leave_out_erased('user_id', 'other_id');
create trigger erased_users_are_left_out before insert on tombstones
  for each row when (current_user = 'tideline_ingest') execute function leave_out_erased('author_id');
create trigger erased_users_are_left_out before insert on users
  for each row when (current_user = 'tideline_ingest') execute function leave_out_erased('id');
create trigger erased_users_are_left_out before insert on objects
  for each row when (current_user = 'tideline_ingest') execute function leave_out_erased('owner_id');

-- As before; and titles, which are words of whom their object belongs to, may be taken away too.
create or replace function refuse_change() returns trigger language plpgsql as $$
declare
  erasable constant text[] := '{audience,object_owner_id,object_title,target_title}';
begin
  if current_user = 'tideline_eraser' then
    if tg_op = 'DELETE' then
      return old;
    end if;
    if tg_op = 'UPDATE' and to_jsonb(new) - erasable = to_jsonb(old) - erasable then
      return new;
    end if;
  end if;
  raise exception '% is append-only: % refused', tg_table_name, lower(tg_op)
    using errcode = 'restrict_violation';
end
$$;

-- Without what was erased. The notes beside the view stay: they are for more than it lacks.
create function refresh_home_after_erasure() returns void
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  refresh materialized view concurrently materialized_home;
  update materialized_home_state set complete_from = first_activity_id(now() - interval '28 days')
  where refreshed_at is not null;
end
$$;

revoke execute on function refresh_home_after_erasure() from public;

-- ---------------------------------------------------------------- who may what

grant select on erasures to tideline_fanout;
grant execute on function erasure_digest(text) to tideline_fanout, tideline_eraser;

grant select, insert, update on erasures to tideline_eraser;
grant select, insert, update, delete on erasure_progress to tideline_eraser;
grant update (object_title, target_title) on activities to tideline_eraser;
grant select, delete on
  api_keys, author_weeks, authors, contents_since_refresh, follows, follows_since_refresh, marked_notifications,
  notification_marks, notifications, relations, replayed_records, tombstones
  to tideline_eraser;
grant update (follower_count, mode, watermark, mode_generation, mode_offset, changed_at) on authors to tideline_eraser;
grant select, insert, update, delete on objects, users to tideline_eraser;
grant select, insert, update on partition_fences to tideline_eraser;
grant usage on sequence partition_fence_epochs to tideline_eraser;
grant select on log_generations, materialized_home to tideline_eraser;
grant execute on function refresh_home_after_erasure() to tideline_eraser;

-- `tideline doctor` compares the sequence with what was given out.
grant select on sequence partition_fence_epochs to tideline_operator;
