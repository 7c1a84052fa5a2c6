import { activityIdToBytes, timestampOf } from '@tideline/shared/activity-id';
import type { ObjectReference } from '@tideline/shared/objects';
import type { Register } from '../inbox/register-store.js';
import { type Deed, friendsDeeds, ownDeeds } from '../storage/deeds.js';
import { SqlScope } from '../storage/sql-scope.js';
import { idBelowWhich } from './activity-edge.js';
import type { FeedRequest } from './feed-page.js';
import type { FeedTools } from './feed-tools.js';
import { type Page, type PageSource, readPage } from './page.js';

/** What somebody did, as the feeds of requirements B6 and B7 show it. */
export interface DeedItem {
  actor_name: string;
  verb: string;
  object_id: string;
  object_type: string;
  target_name: string | null;
  /** ISO 8601 in UTC, with milliseconds. */
  time: string;
}

interface DeedFeed {
  name: 'my' | 'friends';
  read(sql: SqlScope, reader: string, before: string, limit: number): Promise<Deed[]>;
  shows(deed: Deed, register: Register): boolean;
}

/** All that the reader did, follows and unfollows included. */
const myFeed: DeedFeed = { name: 'my', read: ownDeeds, shows: () => true };

/** What those did whom the reader follows. */
const friendsFeed: DeedFeed = {
  name: 'friends',
  read: friendsDeeds,
  shows: ({ actorId }, { unfollowed, hidden }) => !unfollowed.has(actorId) && !hidden.has(actorId),
};

const feeds = { my: myFeed, friends: friendsFeed };

/** A page of `/feed/my` or `/feed/friends`, by a plain query whose answer may be kept (B8). Leads on, not back. */
export async function readDeeds(
  tools: FeedTools,
  name: DeedFeed['name'],
  reader: string,
  request: FeedRequest,
): Promise<Page<DeedItem>> {
  const feed = feeds[name];
  const sql = new SqlScope(tools);
  const source: PageSource<Deed> = {
    binding: { feed: feed.name, reader },
    positionOf: ({ id }) => activityIdToBytes(id),
    older(edge, wanted) {
      const before = idBelowWhich(edge);
      const query = {
        reader,
        name: `${feed.name} ${before} ${wanted}`,
        run: () => feed.read(sql, reader, before, wanted),
        keep: (deed: Deed) => deed,
        restore: (kept: readonly Deed[]) => Promise.resolve([...kept]),
        shows: feed.shows,
      };
      return tools.pullCache.read(sql, query, request.goAround);
    },
    newer: () => Promise.reject(new Error('no cursor that leads back is given to anybody')),
  };
  const page = await readPage(tools.cursors, source, request);
  const items = await presentDeeds(tools, sql, page.items);
  tools.metrics.feedRead(feed.name, 'pull', sql.statements);
  return { ...page, items };
}

/** With current names of users and current titles of targets. */
async function presentDeeds({ names, titles }: FeedTools, sql: SqlScope, deeds: readonly Deed[]): Promise<DeedItem[]> {
  const [users, titleOf] = await Promise.all([
    names.read(
      sql,
      deeds.flatMap(({ actorId, concernedId }) => (concernedId === null ? [actorId] : [actorId, concernedId])),
    ),
    titles.read(sql, deeds.flatMap(targetOf)),
  ]);
  const nameOf = (userId: string) => users.get(userId)?.name ?? userId;
  return deeds.map((deed) => {
    const [target] = targetOf(deed);
    const concerned = deed.concernedId === null ? null : nameOf(deed.concernedId);
    return {
      actor_name: nameOf(deed.actorId),
      verb: deed.verb,
      object_id: deed.objectId,
      object_type: deed.objectType,
      target_name: (target && titleOf(target.type, target.id)) ?? deed.targetTitle ?? concerned,
      time: new Date(timestampOf(deed.id)).toISOString(),
    };
  });
}

function targetOf({ targetType, targetId }: Deed): ObjectReference[] {
  return targetType === null || targetId === null ? [] : [{ type: targetType, id: targetId }];
}
