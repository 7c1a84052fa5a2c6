-- The first schema. Every table that a later feature needs to stay exact is here from the start.
--
-- A version is where a record stands on the log: (log_generation, log_partition, log_offset). Every projection is
-- last-writer-wins by (log_generation, log_offset): all records that concern one row share a partition (I1), and a
-- new generation begins only when the log was drained, so the partition never has to be compared.

create extension if not exists timescaledb;

-- ---------------------------------------------------------------- the log and what guards it

-- Which incarnation of the topic the offsets belong to. Repartitioning or re-creating the topic adds a row.
create table log_generations (
  generation  integer primary key,
  topic       text not null,
  partitions  integer not null check (partitions > 0),
  began_at    timestamptz not null default now()
);

create sequence partition_fence_epochs;

-- I2: the consumer that took the highest epoch of a partition owns it; every transaction of fanout checks its own.
create table partition_fences (
  log_partition integer primary key,
  epoch         bigint not null,
  holder        text not null,
  taken_at      timestamptz not null default now()
);

create sequence cache_epochs;

-- I6: the epoch is part of every cache key. It rises when Redis comes back with another run id.
create table cache_epoch (
  singleton boolean primary key default true check (singleton),
  epoch     bigint not null,
  run_id    text not null,
  raised_at timestamptz not null default now()
);

-- Secrets that all processes share and nobody has to configure, such as the key that authenticates cursors.
create table secrets (
  name  text primary key,
  value bytea not null
);

insert into secrets (name, value)
values ('cursor', sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

create table api_keys (
  key_sha256 bytea primary key check (length(key_sha256) = 32),
  kind       text not null check (kind in ('user', 'service')),
  name       text not null,
  user_id    text collate "C" check ((kind = 'user') = (user_id is not null)),
  scopes     text[] not null default '{}' check (scopes <@ array['write', 'read', 'admin']),
  created_at timestamptz not null default now(),
  revoked_at timestamptz
);

-- ---------------------------------------------------------------- events

-- The 48 time bits of a UUIDv7 (RFC 9562, section 5.7).
create function activity_time(id uuid) returns timestamptz
language sql immutable strict parallel safe
return timestamptz 'epoch'
  + (('x' || encode(substring(uuid_send(id) from 1 for 6), 'hex'))::bit(48)::bigint) * interval '1 millisecond';

-- The first id of a millisecond: the lower bound of a time window, as an id.
create function first_activity_id(at timestamptz) returns uuid
language sql immutable strict parallel safe
return (lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid;

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only: % refused', tg_table_name, lower(tg_op)
    using errcode = 'restrict_violation';
end
$$;

create table activities (
  id              uuid not null,
  time            timestamptz not null check (time = activity_time(id)),
  actor_id        text collate "C" not null,
  verb            text collate "C" not null,
  object_type     text not null,
  object_id       text not null,
  object_title    text,
  target_type     text,
  target_id       text,
  target_title    text,
  object_owner_id text collate "C",
  audience        text[] collate "C", -- null: public
  metadata        jsonb,
  foreign_id      text,
  caller_id       text not null,
  request_id      text not null,
  accepted_at     timestamptz not null,
  log_generation  integer not null,
  log_partition   integer not null,
  log_offset      bigint not null,
  primary key (time, id) -- time is in the id, so this is unique by id, and in feed order
);

-- Seven days a chunk: planning time grows with the number of chunks (design, section 6).
select create_hypertable('activities', by_range('time', interval '7 days'), create_default_indexes => false);

create index activities_by_actor on activities (actor_id, time desc, id desc);

create trigger activities_are_immutable before update or delete on activities
  for each row execute function refuse_change();

-- Everything that is not content. Every copy on the log is kept, and retention never drops it: the graph can always
-- be rebuilt from here.
create table control_activities (
  log_generation integer not null,
  log_partition  integer not null,
  log_offset     bigint not null,
  id             uuid not null,
  actor_id       text collate "C" not null,
  verb           text collate "C" not null,
  object_type    text not null,
  object_id      text not null,
  author_id      text collate "C" not null,
  metadata       jsonb,
  caller_id      text not null,
  request_id     text not null,
  accepted_at    timestamptz not null,
  primary key (log_generation, log_partition, log_offset)
);

create index control_activities_by_actor on control_activities (actor_id, id desc);

create trigger control_activities_are_immutable before update or delete on control_activities
  for each row execute function refuse_change();

-- ---------------------------------------------------------------- projections

create table users (
  id             text collate "C" primary key,
  name           text not null,
  avatar         text,
  created_at     timestamptz not null default now(),
  updated_at     timestamptz not null default now(),
  log_generation integer not null default 0, -- 0: only named so far, never described
  log_partition  integer not null default 0,
  log_offset     bigint not null default -1
);

create table objects (
  type           text collate "C" not null,
  id             text collate "C" not null,
  title          text,
  owner_id       text collate "C",
  url            text,
  metadata       jsonb,
  updated_at     timestamptz not null default now(),
  log_generation integer not null,
  log_partition  integer not null,
  log_offset     bigint not null,
  primary key (type, id)
);

-- Ended follows stay, with their version: an older follow that comes again must not win.
create table follows (
  follower_id    text collate "C" not null,
  followee_id    text collate "C" not null,
  active         boolean not null,
  changed_at     timestamptz not null,
  log_generation integer not null,
  log_partition  integer not null,
  log_offset     bigint not null,
  primary key (follower_id, followee_id),
  check (follower_id <> followee_id)
);

create index follows_by_followee on follows (followee_id, follower_id) where active;

-- What user_id decided about other_id. Blocks hide both ways, mutes only from user_id.
create table relations (
  user_id        text collate "C" not null,
  other_id       text collate "C" not null,
  kind           text not null check (kind in ('mute', 'block')),
  active         boolean not null,
  changed_at     timestamptz not null,
  log_generation integer not null,
  log_partition  integer not null,
  log_offset     bigint not null,
  primary key (user_id, other_id, kind)
);

create index relations_by_other on relations (other_id, user_id) where active and kind = 'block';

-- A tombstone is bound to the author: it hides the activity only where the author matches, and may come before it.
create table tombstones (
  activity_id    uuid not null,
  author_id      text collate "C" not null,
  deleted_at     timestamptz not null,
  purged_at      timestamptz, -- since when no inbox and no outbox holds the id any more
  log_generation integer not null,
  log_partition  integer not null,
  log_offset     bigint not null,
  primary key (activity_id, author_id)
);

-- Readers keep the recent ones at hand: not purged yet, or only just.
create index tombstones_not_purged on tombstones (activity_id) where purged_at is null;
create index tombstones_purged on tombstones (purged_at) where purged_at is not null;

-- I7. push: delivered to inboxes. to_pull: still delivered, and readers already merge. pull: readers merge.
-- Back in push, readers go on merging until watermark, the author's highest id at the crossing, is below their floor.
create table authors (
  author_id      text collate "C" primary key,
  follower_count bigint not null default 0 check (follower_count >= 0),
  mode           text not null default 'push' check (mode in ('push', 'to_pull', 'pull')),
  watermark      uuid,
  changed_at     timestamptz not null default now()
);

create index authors_merged on authors (author_id) where mode <> 'push' or watermark is not null;

-- Counts followers in the transaction that changes them, whoever that is: fanout, or ingest for an unfollow.
-- A follow's first row, an ended one too, makes its author's row, so that an update always finds one.
create function count_followers() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into authors as a (author_id, follower_count)
    select followee_id, count(*) filter (where active) from changed group by followee_id order by followee_id
    on conflict (author_id) do update set follower_count = a.follower_count + excluded.follower_count;
  else
    update authors a set follower_count = a.follower_count + d.delta
    from (
      select n.followee_id, sum(n.active::int - o.active::int) as delta
      from changed n join previous o using (follower_id, followee_id)
      where n.active <> o.active
      group by n.followee_id
    ) d
    where a.author_id = d.followee_id;
  end if;
  return null;
end
$$;

create trigger follows_are_counted_on_insert after insert on follows
  referencing new table as changed for each statement execute function count_followers();
create trigger follows_are_counted_on_update after update on follows
  referencing old table as previous new table as changed for each statement execute function count_followers();
