-- The history of mutes and blocks is looked up as that of follows is: what came before a record, of the same two users.
-- All of a pair are in one partition, so that (log_generation, log_offset) is their order.
drop index control_activities_by_pair;
create index control_activities_by_pair on control_activities (actor_id, object_id, log_generation desc, log_offset desc)
  where verb in ('follow', 'unfollow', 'mute', 'unmute', 'block', 'unblock');
