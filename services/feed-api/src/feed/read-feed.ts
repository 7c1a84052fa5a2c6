import type { Activity, FeedItem } from '@tideline/shared/activity';
import { highestActivityId, lowestActivityId } from '@tideline/shared/activity-id';
import { isTidelineError, TidelineError } from '@tideline/shared/errors';
import { pullHome } from '../storage/naive-pull.js';
import { SqlScope } from '../storage/sql-scope.js';
import { userExists } from '../storage/user-store.js';
import { type Feed, homeFeed, userFeed } from './feed.js';
import type { FeedTools } from './feed-tools.js';
import { readLists } from './list-pages.js';
import { presentItems } from './present-items.js';

/**
 * hybrid: lists of pushed authors merged with those of pulled ones. push: without the pulled ones, as far down as the
 * inbox reaches. pull: one plain query.
 */
export type Strategy = 'hybrid' | 'push' | 'pull';

export interface PageRequest {
  limit: number;
  cursor?: string | undefined;
}

export interface FeedPage {
  items: FeedItem[];
  /** null at the end. */
  nextCursor: string | null;
  hasMore: boolean;
  /** True where Redis was not available, so that the page came from the database alone. */
  degraded: boolean;
}

export async function readHomeFeed(
  tools: FeedTools,
  reader: string,
  strategy: Strategy,
  request: PageRequest,
): Promise<FeedPage> {
  const feed = homeFeed(reader, strategy === 'hybrid');
  const collect = strategy === 'pull' ? collectByPull : collectFromLists;
  return readPage(tools, feed, strategy, request, collect);
}

/** What an author did in public. Throws `not_found` for a user that nobody named yet. */
export async function readUserFeed(
  tools: FeedTools,
  author: string,
  reader: string,
  request: PageRequest,
): Promise<FeedPage> {
  const page = await readPage(tools, userFeed(author, reader), 'hybrid', request, collectFromLists);
  // Who has done something exists.
  if (page.items.length === 0 && !(await userExists(new SqlScope(tools.database), author))) {
    throw new TidelineError('not_found', 'There is no such user.');
  }
  return page;
}

interface Collected {
  activities: Activity[];
  degraded: boolean;
}

/** Collects up to `wanted` activities below `before`, newest first. Fewer means that there are no more. */
type Collect = (tools: FeedTools, sql: SqlScope, feed: Feed, before: string, wanted: number) => Promise<Collected>;

async function readPage(
  tools: FeedTools,
  feed: Feed,
  strategy: Strategy,
  { limit, cursor }: PageRequest,
  collect: Collect,
): Promise<FeedPage> {
  const sql = new SqlScope(tools.database);
  const binding = { feed: feed.name, reader: feed.reader };
  const before = cursor === undefined ? highestActivityId : tools.cursors.decode(cursor, binding).id;

  // One more than is shown tells whether there are more.
  const { activities, degraded } = await collect(tools, sql, feed, before, limit + 1);
  const shown = activities.slice(0, limit);
  const hasMore = activities.length > limit;
  const items = await presentItems(tools, sql, shown);

  tools.metrics.feedRead(feed.kind, strategy, sql.statements);
  const last = shown.at(-1);
  return {
    items,
    nextCursor:
      hasMore && last !== undefined ? tools.cursors.encode({ direction: 'older', id: last.id }, binding) : null,
    hasMore,
    degraded,
  };
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
    return { activities: await feed.page(sql, before, wanted), degraded };
  }
  // At most `before`, also where a cursor is far below the floor already.
  const { activities, completeDownTo } = lists;
  if (activities.length >= wanted || completeDownTo === lowestActivityId) {
    tools.metrics.cacheRead('hit');
    return { activities, degraded };
  }
  tools.metrics.cacheRead('floor');
  const deeper = await feed.page(sql, completeDownTo, wanted - activities.length);
  return { activities: [...activities, ...deeper], degraded };
}

async function collectByPull(
  _tools: FeedTools,
  sql: SqlScope,
  { reader }: Feed,
  before: string,
  wanted: number,
): Promise<Collected> {
  return { activities: await pullHome(sql, reader, before, wanted), degraded: false };
}

async function readListsIfPossible(tools: FeedTools, sql: SqlScope, feed: Feed, before: string, wanted: number) {
  try {
    return { lists: await readLists(tools, sql, feed, before, wanted), degraded: false };
  } catch (error) {
    if (isTidelineError(error, 'unavailable') || isTidelineError(error, 'cache_refused')) {
      return { lists: undefined, degraded: true };
    }
    throw error;
  }
}
