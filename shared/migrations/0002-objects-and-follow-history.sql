-- What objects, their compatibility routes and the history of follows need.

-- When the object was first described. An object, once there, is never removed.
alter table objects add column created_at timestamptz not null default now();

-- Where only an id is given, the object that was first created with it is meant.
create index objects_by_id on objects (id, created_at, type);

-- Users are also named by their names.
create index users_by_name on users (name);

-- The follow or unfollow that came before one, of the same two users: all of a pair are in one partition, so that
-- (log_generation, log_offset) is their order.
create index control_activities_by_pair on control_activities (actor_id, object_id, log_generation desc, log_offset desc)
  where verb in ('follow', 'unfollow');
