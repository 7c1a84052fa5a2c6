import { lowestActivityId, timestampOf } from '@tideline/shared/activity-id';
import { notHidden } from '@tideline/shared/naive-pull';
import { hiddenToo, notificationsSql } from './notification-pages.js';
import type { SqlScope } from './sql-scope.js';

export interface NotificationCounts {
  unseen: number;
  unread: number;
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

const between = 'a.id > $<readThrough> and a.id < $<below>';
const unmarkedSql = `
  select
    count(*) filter (where n.id > $<seenThrough> and m.notification_id is null)::int as unseen,
    count(*) filter (where m.read is not true)::int as unread
  from (${notificationsSql(
    'a.id',
    {
      contents: `a.time >= activity_time($<readThrough>) and a.time <= activity_time($<below>) and ${between}`,
      follows: between,
    },
    notHidden('a.actor_id'),
  )}) n
  left join marked_notifications m on m.user_id = $<reader> and m.notification_id = n.id`;

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
export async function markThrough(sql: SqlScope, reader: string, mark: Mark, through: string): Promise<void> {
  const readThrough = mark === 'read' ? through : lowestActivityId;
  await sql.any(markThroughSql, { reader, through, readThrough });
}

// Sorted, so that two that mark the same cannot wait for each other in a circle.
const markSql = `
  insert into marked_notifications as m (user_id, notification_id, read)
  select $<reader>, id, $<read> from unnest($<ids>::uuid[]) as marked (id) order by id
  on conflict (user_id, notification_id) do update set read = m.read or excluded.read`;

/** Marks these notifications, and nothing that is none: what a user can have written is bounded by what there is. */
export async function markSome(sql: SqlScope, reader: string, mark: Mark, ids: readonly string[]): Promise<void> {
  const existing = await notificationsAmong(sql, reader, [...new Set(ids)]);
  if (existing.length > 0) {
    await sql.any(markSql, { reader, ids: existing, read: mark === 'read' });
  }
}

const amongSql = notificationsSql(
  'a.id',
  {
    contents: 'a.time between $<oldest> and $<newest> and a.id = any($<ids>::uuid[])',
    follows: 'a.id = any($<ids>::uuid[])',
  },
  hiddenToo,
);

/** Those of the ids that are notifications of this user, seen at present or hidden. */
async function notificationsAmong(sql: SqlScope, reader: string, ids: readonly string[]): Promise<string[]> {
  const times = ids.map(timestampOf);
  const rows = await sql.any<{ id: string }>(amongSql, {
    reader,
    ids,
    oldest: new Date(Math.min(...times)),
    newest: new Date(Math.max(...times)),
  });
  return rows.map(({ id }) => id);
}
