import { lowestActivityId } from '@tideline/shared/activity-id';
import { notDeleted, notExpired } from '@tideline/shared/naive-notifications';
import { notHidden } from '@tideline/shared/naive-pull';
import type { SqlScope } from './sql-scope.js';

export interface NotificationCounts {
  unseen: number;
  unread: number;
}

/** Who marks, in which request. */
export interface Marker {
  reader: string;
  requestId: string;
}

/** What a user marked; what is read is seen, too. */
export type Mark = 'seen' | 'read';

/** What a user marked, of some notifications. */
export interface Marks {
  /** Seen are all notifications up to this one, whenever they are delivered. */
  seenThrough: string;
  /** At most `seenThrough`. */
  readThrough: string;
  /** What was marked one by one: whether it was read. */
  marked: Readonly<Record<string, boolean>>;
}

const marksSql = `
  select
    coalesce(m.seen_through, '${lowestActivityId}') as "seenThrough",
    coalesce(m.read_through, '${lowestActivityId}') as "readThrough",
    (
      select coalesce(json_object_agg(notification_id, read), '{}')
      from marked_notifications where user_id = $<reader> and notification_id = any($<ids>::uuid[])) as marked
  from (select) always
  left join notification_marks m on m.user_id = $<reader>`;

/** What the reader marked, of these. */
export async function readMarks(sql: SqlScope, reader: string, ids: readonly string[]): Promise<Marks> {
  const [marks] = await sql.any<Marks>(marksSql, { reader, ids });
  return marks ?? { seenThrough: lowestActivityId, readThrough: lowestActivityId, marked: {} };
}

export function isSeen({ seenThrough, marked }: Marks, id: string): boolean {
  return id <= seenThrough || id in marked;
}

export function isRead({ readThrough, marked }: Marks, id: string): boolean {
  return id <= readThrough || marked[id] === true;
}

const unmarkedSql = `
  select
    count(*) filter (where n.id > $<seenThrough> and m.notification_id is null)::int as unseen,
    count(*) filter (where m.read is not true)::int as unread
  from notifications n
  left join marked_notifications m on m.user_id = n.user_id and m.notification_id = n.id
  where n.user_id = $<reader> and n.id > $<readThrough> and n.id < $<below>
    and ${notExpired} and ${notDeleted} and ${notHidden('n.actor_id')}`;

/** How many notifications below `below` the reader may see and marked neither seen nor read. */
export async function countUnmarked(
  sql: SqlScope,
  reader: string,
  { seenThrough, readThrough }: Pick<Marks, 'seenThrough' | 'readThrough'>,
  below: string,
): Promise<NotificationCounts> {
  const [counts] = await sql.any<NotificationCounts>(unmarkedSql, { reader, seenThrough, readThrough, below });
  return counts ?? { unseen: 0, unread: 0 };
}

// The marks that the new one makes superfluous go with it.
const markThroughSql = `
  with mark as (
    insert into notification_marks as m (user_id, seen_through, read_through)
    values ($<reader>, $<through>, $<readThrough>)
    on conflict (user_id) do update
      set seen_through = greatest(m.seen_through, excluded.seen_through),
          read_through = greatest(m.read_through, excluded.read_through)
    returning seen_through, read_through
  )
  delete from marked_notifications one using mark
  where one.user_id = $<reader> and one.notification_id <= mark.seen_through
    and (one.notification_id <= mark.read_through or not one.read)`;

/** Marks this notification and all older ones, also those that will be delivered later. It need not be there. */
export async function markThrough(
  sql: SqlScope,
  { reader, requestId }: Marker,
  mark: Mark,
  through: string,
): Promise<void> {
  const readThrough = mark === 'read' ? through : lowestActivityId;
  await sql.write(markThroughSql, { reader, through, readThrough }, requestId);
}

// Sorted, so that two that mark the same cannot wait for each other in a circle.
const markSql = `
  insert into marked_notifications as m (user_id, notification_id, read)
  select user_id, id, $<read> from notifications where user_id = $<reader> and id = any($<ids>::uuid[]) order by id
  on conflict (user_id, notification_id) do update set read = m.read or excluded.read`;

/** Marks these notifications, and nothing that is none: what a user can have written is bounded by what there is. */
export async function markSome(
  sql: SqlScope,
  { reader, requestId }: Marker,
  mark: Mark,
  ids: readonly string[],
): Promise<void> {
  await sql.write(markSql, { reader, ids, read: mark === 'read' }, requestId);
}
