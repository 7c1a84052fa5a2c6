-- What notifications are read from, and what their readers said of them.

-- Three ways lead to a notification: it is about what belongs to the user, the user is in its audience, or it is a
-- follow of the user.
create index activities_by_owner on activities (object_owner_id, time desc, id desc) where object_owner_id is not null;
create index activities_by_audience on activities using gin (audience) where audience is not null;
create index control_activities_follows on control_activities (object_id, id desc) where verb = 'follow';

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
