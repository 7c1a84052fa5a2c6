import type { FeedItem } from '@tideline/shared/activity';
import { timestampOf } from '@tideline/shared/activity-id';
import type { HttpClient, PageBody } from '../http-client.js';
import { type HistoryContext, randomBelow, userId, users } from './history-context.js';

/** What an aggregated feed shows of a group (C6). */
interface Group {
  id: string;
  count: number;
  actorCount: number;
  /** Who did it last first, up to ten. */
  actors: readonly string[];
}

interface Grouped {
  id: string;
  actor: string;
  /** What makes a group, besides the hour. */
  about: string;
}

const limits = [1, 2, 3, 7, 20, 50];
const readersShare = 0.34;
const feedApiCount = 2;
/** Long feeds are not walked item by item. */
const pagesOfWalkMax = 8;
const actorsMax = 10;
const hourMs = 3_600_000;
const aggregated = { aggregate: 'true' };

/**
 * Holds the aggregated feeds of some readers, of each if `all`, against the model: down and back up, at rest. Throws what
 * differs.
 */
export async function expectGroupsAtRest(context: HistoryContext, all: boolean): Promise<void> {
  const { model } = context.expectations;
  const readers = users.filter(() => all || context.random() < readersShare);
  for (const reader of readers.map((user) => userId(context, user))) {
    const feedApi = context.system.feedApi(randomBelow(context, feedApiCount));
    const home = groupsOf(
      model.home(reader).map((id) => {
        const { actor = '', objectId = '' } = model.post(id) ?? {};
        return { id, actor, about: objectId };
      }),
    );
    const strategy = context.random() < 0.5 ? 'hybrid' : 'pull';
    await expectBothWays(context, feedApi, reader, '/v1/feeds/home', { strategy, ...aggregated }, home);
    // The plain list, whose follows have ids that the model does not know, was held against the model already.
    const plain = await feedApi.walk('/v1/feeds/notifications', reader, Math.max(...limits));
    const notifications = groupsOf(
      plain.map(({ id, actorId, verb, objectId }) => ({
        id,
        actor: actorId,
        about: `${verb} ${objectId}`,
      })),
    );
    await expectBothWays(context, feedApi, reader, '/v1/feeds/notifications', aggregated, notifications);
  }
}

/** Groups by what they are about and the hour of the clock, in the order of the newest in each. */
function groupsOf(newestFirst: readonly Grouped[]): Group[] {
  const groups = new Map<string, { id: string; count: number; actors: Set<string> }>();
  for (const { id, actor, about } of newestFirst) {
    const key = `${about} ${Math.floor(timestampOf(id) / hourMs)}`;
    const group = groups.get(key) ?? { id, count: 0, actors: new Set() };
    group.count += 1;
    group.actors.add(actor);
    groups.set(key, group);
  }
  return Array.from(groups.values(), ({ id, count, actors }) => ({
    id,
    count,
    actorCount: actors.size,
    actors: [...actors].slice(0, actorsMax),
  }));
}

async function expectBothWays(
  context: HistoryContext,
  feedApi: HttpClient,
  reader: string,
  path: string,
  query: Record<string, string>,
  expected: readonly Group[],
): Promise<void> {
  const fitting = limits.filter((limit) => expected.length / limit <= pagesOfWalkMax);
  const limit = fitting[randomBelow(context, fitting.length)] ?? Math.max(...limits);
  const what = `${path}, groups of ${reader}, ${limit} a page`;
  const first = `${path}?${new URLSearchParams({ ...query, limit: String(limit) })}`;
  const down = await walk(feedApi, reader, first, 'next', expected.length);
  expectSame(what, expected, down);
  const back = down.at(-1)?.paging.previous;
  if (back != null) {
    const up = await walk(feedApi, reader, back, 'previous', expected.length);
    expectSame(`${what}, back up`, expected, [...up.reverse(), ...down.slice(-1)]);
  }
}

/** From this page on, that way. A walk that does not end is left where it has far more than it should. */
async function walk(
  feedApi: HttpClient,
  reader: string,
  first: string,
  way: 'next' | 'previous',
  itemsMax: number,
): Promise<PageBody[]> {
  const pages: PageBody[] = [];
  let link: string | null = first;
  while (link !== null && pages.length <= itemsMax + 1) {
    const { pathname, search }: URL = new URL(link, feedApi.origin);
    const options = { actAs: reader, headers: { 'cache-control': 'no-cache' } };
    const page: PageBody = await feedApi.succeed<PageBody>('GET', pathname + search, options);
    pages.push(page);
    link = page.paging[way];
  }
  return pages;
}

function expectSame(what: string, expected: readonly Group[], pages: readonly PageBody[]): void {
  const text = (groups: readonly Group[]) =>
    groups.map(({ id, count, actorCount, actors }) => `${id} ${count} by ${actorCount}: ${actors.join(' ')}`);
  const [wanted, got] = [text(expected), text(pages.flatMap(({ items }) => items.map(groupIn)))];
  if (wanted.join() !== got.join()) {
    throw new Error(`${what}:\n  expected\n    ${wanted.join('\n    ')}\n  got\n    ${got.join('\n    ')}`);
  }
}

function groupIn({ id, actorId, metadata = {} }: FeedItem): Group {
  const { aggregatedCount, aggregatedActorCount, aggregatedActors } = metadata as {
    aggregatedCount?: number;
    aggregatedActorCount?: number;
    aggregatedActors?: { id: string }[];
  };
  return {
    id,
    count: aggregatedCount ?? 1,
    actorCount: aggregatedActorCount ?? 1,
    actors: aggregatedActors?.map((actor) => actor.id) ?? [actorId],
  };
}
