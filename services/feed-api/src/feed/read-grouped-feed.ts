import type { FeedItem } from '@tideline/shared/activity';
import { groupHeads } from '../storage/group-heads.js';
import { SqlScope } from '../storage/sql-scope.js';
import { Collector, type Strategy } from './collector.js';
import type { GroupableFeed } from './feed.js';
import type { FeedPage, FeedRequest, GroupActor } from './feed-page.js';
import type { FeedTools } from './feed-tools.js';
import { edgeAbove, edgeBelow, endPosition, headPosition } from './group-edge.js';
import { groupsAbove, groupsBelow, type RawFeed } from './group-pages.js';
import type { Group } from './groups.js';
import { type PageSource, readPage } from './page.js';
import { presentItems } from './present-items.js';

/** Of those who did it. */
const groupActorsMax = 10;

/**
 * A page of a feed with its groups as items (C6). They are made as the page is read, of what the feed has at present: so
 * they are exact after every correction, and follow a rule that was changed.
 */
export async function readGroupedFeed(
  tools: FeedTools,
  feed: GroupableFeed,
  strategy: Strategy,
  request: FeedRequest,
): Promise<FeedPage> {
  const { grouping } = tools;
  const sql = new SqlScope(tools);
  const collector = new Collector(tools, sql, feed, strategy, request.goAround);
  const raw: RawFeed = {
    collect: (before, wanted) => collector.collect(before, wanted),
    heads: (direction, from, until, limit) => groupHeads(sql, feed, grouping.rules, { direction, from, until, limit }),
  };
  const source: PageSource<Group> = {
    binding: { feed: `grouped:${feed.name}`, reader: feed.reader },
    positionOf: headPosition,
    endOf: endPosition,
    older: (edge, wanted) => groupsBelow(raw, grouping, edgeBelow(edge), wanted),
    newer: (edge, wanted) => groupsAbove(raw, grouping, edgeAbove(edge), wanted),
  };
  const page = await readPage(tools.cursors, source, request);
  const shown = await presentGroups(tools, sql, page.items);
  tools.metrics.feedRead(feed.kind, strategy, sql.statements);
  return { ...page, ...shown, degraded: collector.degraded };
}

/** Groups as items: their newest activity, and how many and who are behind it. One activity alone is as it is. */
async function presentGroups(
  tools: FeedTools,
  sql: SqlScope,
  groups: readonly Group[],
): Promise<Pick<FeedPage, 'items' | 'targeted' | 'groupActors'>> {
  const [heads, nameOf] = await Promise.all([
    presentItems(
      tools,
      sql,
      groups.map(({ head }) => head),
    ),
    tools.names.read(sql, groups.flatMap(firstActors)),
  ]);
  const groupActors = new Map<string, GroupActor[]>();
  const items = heads.map((head, i): FeedItem => {
    const group = groups[i];
    if (group === undefined || (group.count === 1 && group.isWhole)) {
      return head;
    }
    const actors = firstActors(group).map((id) => ({ id, ...(nameOf.get(id) ?? { name: id, avatar: null }) }));
    groupActors.set(head.id, actors);
    return { ...head, metadata: { ...head.metadata, ...aggregation(group, actors) } };
  });
  const targeted = new Set(groups.flatMap(({ head, isPublic }) => (isPublic ? [] : head.id)));
  return { items, targeted, groupActors };
}

function firstActors({ actorIds }: Group): string[] {
  return [...actorIds].slice(0, groupActorsMax);
}

/** Counts are exact, unless there is more than was read. */
function aggregation({ count, actorIds, isWhole }: Group, actors: readonly GroupActor[]) {
  return {
    aggregatedCount: count,
    aggregatedActorCount: actorIds.size,
    aggregatedActors: actors,
    ...(isWhole ? {} : { aggregatedMore: true }),
  };
}
