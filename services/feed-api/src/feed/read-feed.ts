import type { Activity } from '@tideline/shared/activity';
import { activityIdToBytes } from '@tideline/shared/activity-id';
import { SqlScope } from '../storage/sql-scope.js';
import { userExists } from '../storage/user-store.js';
import { idAboveWhich, idBelowWhich } from './activity-edge.js';
import { Collector, type Strategy } from './collector.js';
import { type Feed, homeFeed, notificationsFeed, userFeed } from './feed.js';
import type { FeedPage, FeedRequest } from './feed-page.js';
import type { FeedTools } from './feed-tools.js';
import { type PageRequest, type PageSource, readPage } from './page.js';
import { presentItems } from './present-items.js';
import { readGroupedFeed } from './read-grouped-feed.js';
import { noSuchUser } from './read-users.js';

/** `aggregate`: activities that belong together are one item (C6). */
export async function readHomeFeed(
  tools: FeedTools,
  reader: string,
  { strategy, aggregate }: { strategy: Strategy; aggregate: boolean },
  request: FeedRequest,
): Promise<FeedPage> {
  const read = aggregate ? readGroupedFeed : readFeed;
  return read(tools, homeFeed(reader, strategy === 'hybrid'), strategy, request);
}

/** What an author did in public. Throws `not_found` for a user that nobody named yet. */
export async function readUserFeed(
  tools: FeedTools,
  author: string,
  reader: string,
  request: PageRequest,
): Promise<FeedPage> {
  const page = await readFeed(tools, userFeed(author, reader), 'hybrid', { ...request, goAround: false });
  // Who has done something exists.
  if (page.items.length === 0 && !(await userExists(new SqlScope(tools), author))) {
    throw noSuchUser();
  }
  return page;
}

/** What others did that concerns the reader. */
export async function readNotificationsFeed(
  tools: FeedTools,
  reader: string,
  aggregate: boolean,
  request: PageRequest,
): Promise<FeedPage> {
  const read = aggregate ? readGroupedFeed : readFeed;
  return read(tools, notificationsFeed(reader), 'hybrid', { ...request, goAround: false });
}

/** A page of any feed, each activity an item. */
async function readFeed(tools: FeedTools, feed: Feed, strategy: Strategy, request: FeedRequest): Promise<FeedPage> {
  const sql = new SqlScope(tools);
  const collector = new Collector(tools, sql, feed, strategy, request.goAround);
  const source: PageSource<Activity> = {
    binding: { feed: feed.name, reader: feed.reader },
    positionOf: ({ id }) => activityIdToBytes(id),
    older: (edge, wanted) => collector.collect(idBelowWhich(edge), wanted),
    // Going back is rare, and lists are read from their top: the database has the items right above the edge.
    newer: (edge, wanted) => feed.stretch(sql, { direction: 'newer', from: idAboveWhich(edge), limit: wanted }),
  };
  const page = await readPage(tools.cursors, source, request);
  const items = await presentItems(tools, sql, page.items);
  tools.metrics.feedRead(feed.kind, strategy, sql.statements);
  const targeted = new Set(page.items.flatMap(({ id, to }) => (to === undefined ? [] : id)));
  return { ...page, items, targeted, groupActors: new Map(), degraded: collector.degraded };
}
