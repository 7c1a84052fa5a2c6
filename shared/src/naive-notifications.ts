import { notHidden } from './naive-pull.js';

/**
 * A user's notifications as one plain query, as `naivePull` is for the home feed: what concerns the user, not deleted,
 * not before the horizon of retention, and by nobody who is hidden. Columns of `notifications n`, newest first, and which part of them.
 */
export function naiveNotifications(columns: string, part: string): string {
  return `
    select ${columns}
    from notifications n
    where n.user_id = $<reader> and ${notExpired} and ${notDeleted} and ${notHidden('n.actor_id')} and ${part}
    order by n.id desc`;
}

/** For a notification `n`: follows are no content, and stay. */
export const notExpired = '(n.is_follow or n.id >= $<horizon>)';

/** For a notification `n`. */
export const notDeleted =
  'not exists (select from tombstones t where t.activity_id = n.id and t.author_id = n.actor_id)';
