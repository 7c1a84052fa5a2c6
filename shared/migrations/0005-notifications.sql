-- What concerns each user, and what the user marked of it.

-- What every user is to be notified of by what happened: likes, shares and comments about what belongs to the user and
-- everybody may see, what has the user in its audience, and follows that stand, each by the record that began it. Deleted
-- or not, hidden from the user or not.
create view happened_notifications as
  select object_owner_id as user_id, id, actor_id, false as is_follow
  from activities
  where object_owner_id is not null and object_owner_id <> actor_id and audience is null
  union
  select target, id, actor_id, false
  from activities cross join unnest(audience) as target
  where target <> actor_id
  union
  select object_id, id, actor_id, true
  from control_activities c
  where verb = 'follow'
    and not exists ( -- ended since then
      select from control_activities later
      where later.actor_id = c.actor_id and later.object_id = c.object_id and later.verb = 'unfollow'
        and (later.log_generation, later.log_offset) > (c.log_generation, c.log_offset))
    and not exists ( -- followed already: what came before was a follow
      select
      from control_activities earlier
      where earlier.actor_id = c.actor_id and earlier.object_id = c.object_id and earlier.verb = 'follow'
        and (earlier.log_generation, earlier.log_offset) < (c.log_generation, c.log_offset)
        and not exists (
          select from control_activities between_them
          where between_them.actor_id = c.actor_id and between_them.object_id = c.object_id
            and between_them.verb = 'unfollow'
            and (between_them.log_generation, between_them.log_offset)
              > (earlier.log_generation, earlier.log_offset)
            and (between_them.log_generation, between_them.log_offset) < (c.log_generation, c.log_offset)));

-- The same as a projection, written with what it is about in one transaction: by user, because the chunks of activities
-- are by time, and looking through all of them for one user costs more with every chunk.
create table notifications (
  user_id   text collate "C" not null,
  id        uuid not null, -- of the activity, or of the record that began the follow
  actor_id  text collate "C" not null,
  is_follow boolean not null,
  primary key (user_id, id)
);

insert into notifications select user_id, id, actor_id, is_follow from happened_notifications;

-- A follow is looked up by its id like an activity, whose id says in which chunk it is.
create index control_activities_follow_ids on control_activities (id) where verb = 'follow';

-- Marks say what their user did, not what is on the log: feed-api writes them, no projection does. They only rise, so
-- that concurrent ones commute. What is read is seen, too.
create table notification_marks (
  user_id      text collate "C" primary key,
  seen_through uuid not null, -- this notification and all older ones
  read_through uuid not null,
  check (seen_through >= read_through)
);

-- Notifications that were marked one by one, above those.
create table marked_notifications (
  user_id         text collate "C" not null,
  notification_id uuid not null,
  read            boolean not null, -- false: only seen
  primary key (user_id, notification_id)
);
