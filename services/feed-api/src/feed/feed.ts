import type { Activity } from '@tideline/shared/activity';
import type { ListName } from '@tideline/shared/feed-lists';
import type { Register } from '../inbox/register-store.js';
import { authorActivities, homeActivities, homeWeeks } from '../storage/feed-pages.js';
import type { PlainFeed } from '../storage/group-heads.js';
import { homeBetweenSql } from '../storage/naive-pull.js';
import { notificationActivities, notificationsBetweenSql, notificationWeeks } from '../storage/notification-pages.js';
import type { SqlScope } from '../storage/sql-scope.js';
import type { Stretch } from '../storage/time-windows.js';

/** A feed that can be read page by page: where it is in Redis, what the rules are, and what the database says. */
export interface Feed {
  /** Binds cursors; no spaces. */
  name: string;
  /** For metrics. */
  kind: 'home' | 'user' | 'notifications';
  reader: string;
  list: ListName;
  /** Whether outboxes of pulled authors belong in it. */
  merges: boolean;
  /** Whether an activity from a list may be shown, as far as the reader's register tells. */
  shows(activity: Activity, register: Register): boolean;
  /** The same feed from the database. */
  stretch(sql: SqlScope, stretch: Stretch): Promise<Activity[]>;
}

/** One whose activities can be put together in groups. */
export interface GroupableFeed extends Feed, PlainFeed {}

export function homeFeed(reader: string, merges: boolean): GroupableFeed {
  return {
    name: 'home',
    kind: 'home',
    reader,
    list: { kind: 'inbox', userId: reader },
    merges,
    shows: ({ actorId, to }, { unfollowed, hidden }) =>
      actorId === reader ||
      (!unfollowed.has(actorId) && !hidden.has(actorId) && (to === undefined || to.includes(reader))),
    stretch: (sql, stretch) => homeActivities(sql, reader, stretch),
    betweenSql: homeBetweenSql,
    activeWeeks: (sql) => homeWeeks(sql, { reader }),
  };
}

export function userFeed(author: string, reader: string): Feed {
  return {
    name: `user:${author}`,
    kind: 'user',
    reader,
    list: { kind: 'outbox', userId: author },
    merges: false,
    shows: ({ actorId }, { hidden }) => !hidden.has(actorId),
    stretch: (sql, stretch) => authorActivities(sql, author, reader, stretch),
  };
}

/** What others did that concerns the reader. */
export function notificationsFeed(reader: string): GroupableFeed {
  return {
    name: 'notifications',
    kind: 'notifications',
    reader,
    list: { kind: 'notifications', userId: reader },
    merges: false,
    shows: ({ actorId }, { hidden }) => !hidden.has(actorId),
    stretch: (sql, stretch) => notificationActivities(sql, reader, stretch),
    betweenSql: notificationsBetweenSql,
    activeWeeks: (sql) => notificationWeeks(sql, reader),
  };
}
