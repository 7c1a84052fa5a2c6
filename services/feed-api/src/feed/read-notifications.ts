import type { FeedItem } from '@tideline/shared/activity';
import { highestActivityId } from '@tideline/shared/activity-id';
import { unlessUnavailable } from '@tideline/shared/errors';
import { listSlack } from '@tideline/shared/feed-lists';
import {
  countUnmarked,
  isRead,
  isSeen,
  type Mark,
  type Marker,
  type Marks,
  markSome,
  markThrough,
  type NotificationCounts,
  readMarks,
} from '../storage/notification-marks.js';
import { SqlScope } from '../storage/sql-scope.js';
import { notificationsFeed } from './feed.js';
import type { FeedPage } from './feed-page.js';
import type { FeedTools } from './feed-tools.js';
import { readLists } from './list-pages.js';
import type { PageRequest } from './page.js';
import { readNotificationsFeed } from './read-feed.js';

/** An item of a group is seen or read when its newest activity is. */
export interface NotificationItem extends FeedItem {
  seen: boolean;
  read: boolean;
}

export interface NotificationPage extends FeedPage, NotificationCounts {
  items: NotificationItem[];
}

/** A page of what concerns the reader, with how many in all are neither seen nor read. */
export async function readNotifications(
  tools: FeedTools,
  reader: string,
  aggregate: boolean,
  request: PageRequest,
): Promise<NotificationPage> {
  const sql = new SqlScope(tools);
  const [page, counts] = await Promise.all([
    readNotificationsFeed(tools, reader, aggregate, request),
    countNotifications(tools, sql, reader),
  ]);
  const ids = page.items.map(({ id }) => id);
  const marks = await readMarks(sql, reader, ids);
  const items = page.items.map((item) => notificationItem(item, marks));
  return { ...page, items, ...counts };
}

/** An item as notifications show it. */
export function notificationItem(item: FeedItem, marks: Marks): NotificationItem {
  return { ...item, seen: isSeen(marks, item.id), read: isRead(marks, item.id) };
}

/** One notification and all that are older, or some, each by its id. */
export type Marked = { upTo: string } | { ids: readonly string[] };

/** Marks notifications and returns how many are left. */
export async function markNotifications(
  tools: FeedTools,
  marker: Marker,
  mark: Mark,
  marked: Marked,
): Promise<NotificationCounts> {
  const sql = new SqlScope(tools);
  await ('upTo' in marked ? markThrough(sql, marker, mark, marked.upTo) : markSome(sql, marker, mark, marked.ids));
  return countNotifications(tools, sql, marker.reader);
}

/**
 * How many notifications the reader may see and marked neither seen nor read. Exact: from the list down to its floor,
 * checked as a page of it is, and below it from the database.
 */
export async function countNotifications(tools: FeedTools, sql: SqlScope, reader: string): Promise<NotificationCounts> {
  const lists = await unlessUnavailable(() =>
    readLists(tools, sql, notificationsFeed(reader), highestActivityId, tools.inboxCap + listSlack),
  );
  const ids = lists?.activities.map(({ id }) => id) ?? [];
  const completeDownTo = lists?.completeDownTo ?? highestActivityId;
  const marks = await readMarks(sql, reader, ids);
  const above = countAmong(ids, marks);
  if (marks.readThrough >= completeDownTo) {
    return above;
  }
  const below = await countUnmarked(sql, reader, marks, completeDownTo);
  return { unseen: above.unseen + below.unseen, unread: above.unread + below.unread };
}

function countAmong(ids: readonly string[], marks: Marks): NotificationCounts {
  return {
    unseen: ids.filter((id) => !isSeen(marks, id)).length,
    unread: ids.filter((id) => !isRead(marks, id)).length,
  };
}
