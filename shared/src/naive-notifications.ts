import { standingFollow } from './follow-records.js';
import { notHidden } from './naive-pull.js';

/**
 * A user's notifications as one plain query over what the database knows, as `naivePull` is for the home feed. What
 * others did about what belongs to the user and everybody may see, what has the user in its audience, and who follows the
 * user; not deleted, and by nobody who is hidden.
 */

/** The query of `$<reader>`'s notifications, newest first: columns of `activities a`, and which part of them. */
export function naiveNotifications(columns: string, part: string): string {
  return `
    select ${columns}
    from (
      select id, actor_id, verb, object_type, object_id, object_title, target_type, target_id, target_title, audience,
        metadata
      from activities
      where actor_id <> $<reader>
        and ((object_owner_id = $<reader> and audience is null) or $<reader> = any(audience))
      union all
      select id, actor_id, verb, object_type, object_id, null, null, null, null, null, null
      from control_activities c
      where object_id = $<reader> and ${standingFollow}
    ) a
    where not exists (select from tombstones t where t.activity_id = a.id and t.author_id = a.actor_id)
      and ${notHidden('a.actor_id')}
      and ${part}
    order by a.id desc`;
}
