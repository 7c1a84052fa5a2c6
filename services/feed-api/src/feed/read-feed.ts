import type { Activity, FeedItem } from '@tideline/shared/activity';
import { activityIdToBytes, lowestActivityId } from '@tideline/shared/activity-id';
import { unlessUnavailable } from '@tideline/shared/errors';
import { pullHome } from '../storage/naive-pull.js';
import { SqlScope } from '../storage/sql-scope.js';
import { userExists } from '../storage/user-store.js';
import { idAboveWhich, idBelowWhich } from './activity-edge.js';
import { type Feed, homeFeed, notificationsFeed, userFeed } from './feed.js';
import type { FeedTools } from './feed-tools.js';
import { readLists } from './list-pages.js';
import { type Page, type PageRequest, type PageSource, readPage } from './page.js';
import { presentItems } from './present-items.js';
import { noSuchUser } from './read-users.js';

/** `goAround`: nothing that was kept for a moment may be shown, the client asked for that. */
export interface FeedRequest extends PageRequest {
  goAround: boolean;
}

/**
 * hybrid: lists of pushed authors merged with those of pulled ones. push: without the pulled ones, as far down as the
 * inbox reaches. pull: one plain query.
 */
export type Strategy = 'hybrid' | 'push' | 'pull';

export interface FeedPage extends Page<FeedItem> {
  /** Ids of those items that are not for everybody. */
  targeted: ReadonlySet<string>;
  /** True where Redis was not available, so that the page came from the database alone. */
  degraded: boolean;
}

export async function readHomeFeed(
  tools: FeedTools,
  reader: string,
  strategy: Strategy,
  request: FeedRequest,
): Promise<FeedPage> {
  const feed = homeFeed(reader, strategy === 'hybrid');
  const collect = strategy === 'pull' ? collectByPull(request.goAround) : collectFromLists;
  return readFeed(tools, feed, strategy, request, collect);
}

/** What an author did in public. Throws `not_found` for a user that nobody named yet. */
export async function readUserFeed(
  tools: FeedTools,
  author: string,
  reader: string,
  request: PageRequest,
): Promise<FeedPage> {
  const page = await readFeed(tools, userFeed(author, reader), 'hybrid', request, collectFromLists);
  // Who has done something exists.
  if (page.items.length === 0 && !(await userExists(new SqlScope(tools.database), author))) {
    throw noSuchUser();
  }
  return page;
}

/** What others did that concerns the reader. */
export async function readNotificationsFeed(tools: FeedTools, reader: string, request: PageRequest): Promise<FeedPage> {
  return readFeed(tools, notificationsFeed(reader), 'hybrid', request, collectFromLists);
}

interface Collected {
  activities: Activity[];
  degraded: boolean;
}

/** Collects up to `wanted` activities below `before`, newest first. Fewer means that there are no more. */
type Collect = (tools: FeedTools, sql: SqlScope, feed: Feed, before: string, wanted: number) => Promise<Collected>;

async function readFeed(
  tools: FeedTools,
  feed: Feed,
  strategy: Strategy,
  request: PageRequest,
  collect: Collect,
): Promise<FeedPage> {
  const sql = new SqlScope(tools.database);
  let degraded = false;
  const source: PageSource<Activity> = {
    binding: { feed: feed.name, reader: feed.reader },
    positionOf: ({ id }) => activityIdToBytes(id),
    async older(edge, wanted) {
      const collected = await collect(tools, sql, feed, idBelowWhich(edge), wanted);
      degraded ||= collected.degraded;
      return collected.activities;
    },
    // Going back is rare, and lists are read from their top: the database has the items right above the edge.
    newer: (edge, wanted) => feed.stretch(sql, { direction: 'newer', from: idAboveWhich(edge), limit: wanted }),
  };
  const page = await readPage(tools.cursors, source, request);
  const items = await presentItems(tools, sql, page.items);
  tools.metrics.feedRead(feed.kind, strategy, sql.statements);
  const targeted = new Set(page.items.flatMap(({ id, to }) => (to === undefined ? [] : id)));
  return { ...page, items, targeted, degraded };
}

/** From Redis down to the floor, below it from the database: one page, one order. */
async function collectFromLists(
  tools: FeedTools,
  sql: SqlScope,
  feed: Feed,
  before: string,
  wanted: number,
): Promise<Collected> {
  const { lists, degraded } = await readListsIfPossible(tools, sql, feed, before, wanted);
  if (lists === undefined) {
    tools.metrics.cacheRead(degraded ? 'off' : 'miss');
    return { activities: await pageFromDatabase(sql, feed, before, wanted), degraded };
  }
  // At most `before`, also where a cursor is far below the floor already.
  const { activities, completeDownTo } = lists;
  if (activities.length >= wanted || completeDownTo === lowestActivityId) {
    tools.metrics.cacheRead('hit');
    return { activities, degraded };
  }
  tools.metrics.cacheRead('floor');
  const deeper = await pageFromDatabase(sql, feed, completeDownTo, wanted - activities.length);
  return { activities: [...activities, ...deeper], degraded };
}

function pageFromDatabase(sql: SqlScope, feed: Feed, before: string, limit: number): Promise<Activity[]> {
  return feed.stretch(sql, { direction: 'older', from: before, limit });
}

/** One plain query, whose answer may be kept: its ids, because bodies are at hand anyway. */
function collectByPull(goAround: boolean): Collect {
  return async ({ pullCache, bodies }, sql, { reader, shows }, before, wanted) => {
    const query = {
      reader,
      name: `home ${before} ${wanted}`,
      run: () => pullHome(sql, reader, before, wanted),
      keep: ({ id }: Activity) => id,
      restore: (ids: readonly string[]) => bodies.read(sql, ids),
      shows,
    };
    return { activities: await pullCache.read(sql, query, goAround), degraded: false };
  };
}

async function readListsIfPossible(tools: FeedTools, sql: SqlScope, feed: Feed, before: string, wanted: number) {
  const read = await unlessUnavailable(async () => ({ lists: await readLists(tools, sql, feed, before, wanted) }));
  return { lists: read?.lists, degraded: read === undefined };
}
