import type { FeedItem } from '@tideline/shared/activity';
import { randomNumbers } from '@tideline/testing/history';
import { HttpClient, type PageBody } from '@tideline/testing/http-client';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { afterAll, beforeAll, expect, test } from 'vitest';

/**
 * Aggregation (C6): the feed with groups as items, held against the plain query grouped in a few lines. Lists are short and
 * one author is over the threshold, so that groups come from inboxes, outboxes and the database at the same time.
 */

const home = '/v1/feeds/home';
const followerThreshold = 4;
const inboxCap = 40;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const strategies = ['hybrid', 'push', 'pull'] as const;
const authors = ['ann', 'bob', 'cleo', 'star'];
const star = 'star';

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({ followerThreshold, inboxCap, aggregation: 'share=target/3,note=none,*=object/1' });
});
afterAll(() => platform.stop());

interface Metadata {
  aggregatedCount: number;
  aggregatedActorCount: number;
  aggregatedActors: { id: string; name: string; avatar: string | null }[];
  aggregatedMore?: true;
}

interface Written {
  actorId: string;
  verb: string;
  objectId: string;
  timestamp: number;
  targetType?: string;
  targetId?: string;
}

/** A group as tests compare it. */
interface Seen {
  id: string;
  count: number;
  actors: string[];
}

async function follow(followerId: string, followees: readonly string[]): Promise<void> {
  const body = followees.map((followeeId) => ({ followerId, followeeId }));
  await platform.ingest.succeed('POST', '/v1/follows', { body });
}

/** Returns ids. */
async function write(written: readonly Written[]): Promise<string[]> {
  const ids: string[] = [];
  for (let first = 0; first < written.length; first += 500) {
    const body = written.slice(first, first + 500).map((one) => ({ objectType: 'photo', ...one }));
    const { items } = await platform.ingest.succeed<{ items: { id: string }[] }>('POST', '/v1/activities', { body });
    ids.push(...items.map(({ id }) => id));
  }
  return ids;
}

/** Few objects and moments over three days, the edges of hours among them. */
function writtenAtRandom(seed: number, count: number, names: readonly string[]): Written[] {
  const random = randomNumbers(seed);
  const oneOf = <T>(some: readonly [T, ...T[]]) => some[Math.floor(random() * some.length)] ?? some[0];
  const firstDay = Math.floor(Date.now() / dayMs) * dayMs - 4 * dayMs;
  return Array.from({ length: count }, () => {
    const offset = oneOf([0, 1, hourMs - 1, Math.floor(random() * hourMs)]);
    const timestamp = firstDay + Math.floor(random() * 40) * 2 * hourMs + offset;
    const actorId = names[Math.floor(random() * names.length)] ?? '';
    const written = { actorId, verb: oneOf(['like', 'share', 'note']), objectId: oneOf(['p', 'q', 'r']), timestamp };
    return random() < 0.7 ? { ...written, targetType: 'wall', targetId: oneOf(['x', 'y']) } : written;
  });
}

/** What an aggregated feed must be: the plain query's activities, put together by the rules of this test. */
function grouped(items: readonly FeedItem[]): Seen[] {
  const groups = new Map<string, Seen>();
  for (const item of items) {
    const group = groups.get(keyOf(item)) ?? { id: item.id, count: 0, actors: [] };
    group.count += 1;
    group.actors = [...new Set([...group.actors, item.actorId])];
    groups.set(keyOf(item), group);
  }
  return [...groups.values()];
}

function keyOf({ id, verb, objectId, targetId, timestamp }: FeedItem): string {
  const share = targetId === undefined ? id : `${targetId} ${Math.floor(timestamp / (3 * hourMs))}`;
  return `${verb} ${{ share, note: id }[verb] ?? `${objectId} ${Math.floor(timestamp / hourMs)}`}`;
}

function seen({ id, actorId, metadata }: FeedItem): Seen {
  const {
    aggregatedCount = 1,
    aggregatedActorCount = 1,
    aggregatedActors,
    ...more
  } = (metadata ?? {}) as Partial<Metadata>;
  const actors = aggregatedActors?.map((actor) => actor.id) ?? [actorId];
  expect(more).toEqual({});
  expect(actors.length).toBe(Math.min(aggregatedActorCount, 10));
  return { id, count: aggregatedCount, actors };
}

async function expected(reader: string): Promise<Seen[]> {
  return grouped(await platform.feedApi.walk(home, reader, 50, { strategy: 'pull' }));
}

async function read(reader: string, link: string, feedApi = platform.feedApi): Promise<PageBody> {
  const { pathname, search } = new URL(link, 'http://any');
  return feedApi.succeed<PageBody>('GET', pathname + search, { actAs: reader });
}

/** From this page on, that way, to where there is nothing more. `between` happens before each page but the first. */
async function walk(
  reader: string,
  way: 'next' | 'previous',
  link: string,
  between?: () => Promise<unknown>,
): Promise<PageBody[]> {
  const pages = [await read(reader, link)];
  for (let to = pages[0]?.paging[way]; to != null; to = pages.at(-1)?.paging[way]) {
    await between?.();
    pages.push(await read(reader, to));
  }
  return pages;
}

function path(strategy: string, limit: number): string {
  return `${home}?aggregate=true&strategy=${strategy}&limit=${limit}`;
}

async function expectBothWays(reader: string, some: readonly string[], pageSizes: readonly number[]): Promise<void> {
  const groups = await expected(reader);
  for (const strategy of some) {
    for (const limit of pageSizes) {
      const name = `${reader}, ${strategy}, ${limit} a page`;
      const down = await walk(reader, 'next', path(strategy, limit));
      expect(
        down.flatMap(({ items }) => items.map(seen)),
        `${name}, down`,
      ).toEqual(groups);
      expect(
        down.slice(0, -1).every(({ items }) => items.length === limit),
        name,
      ).toBe(true);
      const last = down.at(-1);
      if (last?.paging.previous != null) {
        const up = (await walk(reader, 'previous', last.paging.previous)).reverse();
        expect(
          [...up, last].flatMap(({ items }) => items.map(seen)),
          `${name}, up`,
        ).toEqual(groups);
      }
    }
  }
}

/** Over the threshold, so that its outbox is merged. */
async function makeStar(): Promise<void> {
  for (let i = 0; i <= followerThreshold; i += 1) {
    await follow(`fan-${i}`, [star]);
  }
  await platform.settle();
  const { rows } = await platform.database.query('select mode from authors where author_id = $1', [star]);
  expect(rows).toEqual([{ mode: 'pull' }]);
}

test('the groups are those of the plain query, whatever the strategy and the page size, down and back up', async () => {
  await makeStar();
  await follow('reader', authors);
  await write(writtenAtRandom(7, 200, [...authors, 'reader', 'stranger']));
  await platform.settle();
  await expectBothWays('reader', ['hybrid', 'pull'], [7, 50]);
  // The second time from lists that were built behind the first.
  await platform.settle();
  await expectBothWays('reader', ['hybrid'], [1, 7, 50]);
  // Who follows nobody that is merged has all of the feed in the inbox, too.
  await follow('pushed', ['ann', 'bob', 'cleo']);
  await platform.settle();
  await expectBothWays('pushed', strategies, [3, 50]);
});

test('every correction is in the counts of the next read, and who did it has a current name', async () => {
  const likers = Array.from({ length: 12 }, (_, i) => `liker-${i}`);
  await follow('counter', likers);
  const timestamp = Math.floor(Date.now() / hourMs) * hourMs - hourMs;
  const like = (i: number) => ({ actorId: likers[i] ?? '', verb: 'like', objectId: 'cat', timestamp: timestamp + i });
  const ids = await write([...likers.map((_, i) => like(i)), { ...like(5), timestamp: timestamp + 30 }]);
  await platform.ingest.succeed('PUT', '/v1/users/liker-11', { body: { name: 'Lea', avatar: 'https://a.example/l' } });
  await platform.settle();
  const only = async () => (await read('counter', `${home}?aggregate=true`)).items.map(seen);
  const names = (...numbers: number[]) => numbers.map((i) => `liker-${i}`);

  const newest = ids.at(-1) ?? '';
  const { items } = await read('counter', `${home}?aggregate=true`);
  expect(items).toMatchObject([
    {
      id: newest,
      actorId: 'liker-5',
      verb: 'like',
      objectId: 'cat',
      metadata: { aggregatedCount: 13, aggregatedActorCount: 12 },
    },
  ]);
  const { aggregatedActors } = items[0]?.metadata as unknown as Metadata;
  expect(aggregatedActors.slice(0, 2)).toEqual([
    { id: 'liker-5', name: 'liker-5', avatar: null },
    { id: 'liker-11', name: 'Lea', avatar: 'https://a.example/l' },
  ]);
  expect(aggregatedActors.map(({ id }) => id)).toEqual(names(5, 11, 10, 9, 8, 7, 6, 4, 3, 2));

  await platform.ingest.succeed('DELETE', `/v1/activities/${newest}`, { actAs: 'liker-5' });
  expect(await only()).toEqual([{ id: ids[11], count: 12, actors: names(11, 10, 9, 8, 7, 6, 5, 4, 3, 2) }]);
  await platform.ingest.succeed('DELETE', '/v1/follows/liker-11', { actAs: 'counter' });
  expect(await only()).toEqual([{ id: ids[10], count: 11, actors: names(10, 9, 8, 7, 6, 5, 4, 3, 2, 1) }]);
  await platform.ingest.succeed('PUT', '/v1/mutes/liker-10', { actAs: 'counter' });
  await platform.ingest.succeed('PUT', '/v1/blocks/counter', { actAs: 'liker-9' });
  expect(await only()).toEqual([{ id: ids[8], count: 9, actors: names(8, 7, 6, 5, 4, 3, 2, 1, 0) }]);
  for (const i of [0, 1, 2, 3, 4, 5, 6, 7]) {
    await platform.ingest.succeed('DELETE', `/v1/activities/${ids[i]}`, { actAs: `liker-${i}` });
  }
  // One that is alone is an item like any other.
  const alone = await read('counter', `${home}?aggregate=true`);
  expect(alone.items).toEqual((await read('counter', home)).items);
  expect(alone.items).toMatchObject([{ id: ids[8] }]);
  expect(alone.items[0]).not.toHaveProperty('metadata');
});

test('whatever comes or goes between two pages, no group is shown twice, and what stays is in one that is', async () => {
  const random = randomNumbers(99);
  for (const limit of [1, 3, 7]) {
    const names = authors.map((author) => (author === star ? star : `${author}-${limit}`));
    await follow('walker', names);
    const written = writtenAtRandom(100 + limit, 60, names);
    const ids = await write(written);
    await platform.settle();
    const before = await platform.feedApi.walk(home, 'walker', 50);
    const gone = new Set<string>();
    const pages = await walk('walker', 'next', path('hybrid', limit), async () => {
      const chance = random();
      const i = Math.floor(random() * ids.length);
      const id = ids[i] ?? '';
      if (chance < 0.4) {
        await platform.ingest.succeed('DELETE', `/v1/activities/${id}`, { actAs: written[i]?.actorId ?? '' });
        gone.add(id);
      } else if (chance < 0.6) {
        await write(writtenAtRandom(i, 3, names));
      } else if (chance < 0.65) {
        await platform.redis.flushall();
      }
    });
    const items = pages.flatMap((page) => page.items);
    const keys = items.map(keyOf);
    expect(new Set(keys).size, `${limit} a page`).toBe(keys.length);
    expect(items.map(({ id }) => id)).toEqual(
      items
        .map(({ id }) => id)
        .toSorted()
        .toReversed(),
    );
    expect(before.filter((item) => !gone.has(item.id) && !keys.includes(keyOf(item)))).toEqual([]);
    await platform.settle();
    await expectBothWays('walker', ['hybrid'], [7]);
  }
});

test('a group beyond the bound says so, and nothing else is lost, repeated or wrong for it', async () => {
  await follow('fan', ['crowd-0', 'crowd-1', 'crowd-2']);
  const hour = Math.floor(Date.now() / hourMs) * hourMs - 3 * hourMs;
  // One hour with 4,500 likes of one photo, and others between them, at its top, in its middle and at its end.
  const likes = Array.from({ length: 4_500 }, (_, i) => ({
    actorId: `crowd-${i % 3}`,
    verb: 'like',
    objectId: i % 900 === 450 ? `rare-${Math.floor(i / 900)}` : 'hit',
    timestamp: hour + 1_000 + i * 100,
  }));
  const around = [hour - 1, hour, hour + hourMs - 1, hour + hourMs].map((timestamp, i) => ({
    actorId: 'crowd-0',
    verb: 'like',
    objectId: `edge-${i % 2}`,
    timestamp,
  }));
  await write([...likes, ...around]);
  await platform.settle(180_000);
  const all = grouped(await platform.feedApi.walk(home, 'fan', 50, { strategy: 'pull' }));
  expect(all).toHaveLength(10);
  for (const strategy of ['hybrid', 'pull'] as const) {
    for (const limit of [1, 2, 50]) {
      const down = await walk('fan', 'next', path(strategy, limit));
      const items = down.flatMap((page) => page.items);
      expect(
        items.map(({ id }) => id),
        `${strategy}, ${limit} a page`,
      ).toEqual(all.map(({ id }) => id));
      expectCounts(items, all);
      const last = down.at(-1);
      if (last?.paging.previous != null) {
        const up = [...(await walk('fan', 'previous', last.paging.previous)).reverse(), last];
        expect(up.flatMap((page) => page.items.map(({ id }) => id))).toEqual(all.map(({ id }) => id));
        expectCounts(
          up.flatMap((page) => page.items),
          all,
        );
      }
    }
  }
}, 300_000);

/** Exact, or fewer where an item says so; the hit always has to. */
function expectCounts(items: readonly FeedItem[], all: readonly Seen[]): void {
  for (const [i, item] of items.entries()) {
    const { aggregatedCount = 1, aggregatedMore } = (item.metadata ?? {}) as Partial<Metadata>;
    if (aggregatedMore) {
      expect(aggregatedCount).toBeLessThanOrEqual(all[i]?.count ?? 0);
    } else {
      expect(aggregatedCount).toBe(all[i]?.count);
      expect(item.objectId).not.toBe('hit');
    }
  }
}

test('notifications are put together too: likes of one object, and follows', async () => {
  const fans = Array.from({ length: 5 }, (_, i) => `admirer-${i}`);
  await platform.ingest.succeed('PUT', '/v1/objects/photo/sea', { body: { title: 'Sea', ownerId: 'olga' } });
  await platform.ingest.succeed('PUT', '/v1/objects/photo/sun', { body: { title: 'Sun', ownerId: 'olga' } });
  const hour = Math.floor(Date.now() / hourMs) * hourMs - hourMs;
  const ids = await write(
    fans.flatMap((actorId, i) => [
      { actorId, verb: 'like', objectId: 'sea', timestamp: hour + 2 * i },
      { actorId, verb: 'like', objectId: 'sun', timestamp: hour + 2 * i + 1 },
    ]),
  );
  await Promise.all(fans.map((fan) => follow(fan, ['olga'])));
  await platform.settle();
  const plain = await platform.feedApi.walk('/v1/feeds/notifications', 'olga', 50);
  expect(plain).toHaveLength(15);
  const all = grouped(plain);
  const link = '/v1/feeds/notifications?aggregate=true&limit=1';
  const down = await walk('olga', 'next', link);
  const items = down.flatMap((page) => page.items);
  // Marks are of notifications, not of groups: they are compared elsewhere.
  expect(items.map((item) => seen(item))).toEqual(all);
  expect(items.slice(-2)).toMatchObject([
    { id: ids[9], objectTitle: 'Sun', metadata: { aggregatedCount: 5, aggregatedActorCount: 5 } },
    { id: ids[8], objectTitle: 'Sea' },
  ]);
  expect(down[0]).toMatchObject({ unseen: 15, unread: 15 });
  const up = (await walk('olga', 'previous', down.at(-1)?.paging.previous ?? '')).reverse();
  expect(up.flatMap((page) => page.items.map(seen))).toEqual(all.slice(0, -1));
});

test('groups are there without Redis, too', async () => {
  await follow('cold', authors);
  await platform.settle();
  const warm = await read('cold', path('hybrid', 20));
  await platform.redis.flushall();
  expect((await read('cold', path('hybrid', 20))).items).toEqual(warm.items);
});

test('a group in Activity Streams has several actors', async () => {
  await follow('streamer', ['one', 'two']);
  const timestamp = Date.now() - dayMs;
  const like = { verb: 'like', objectId: 'w3c', timestamp };
  await write([
    { ...like, actorId: 'one' },
    { ...like, actorId: 'two' },
    { ...like, actorId: 'one', verb: 'share' },
  ]);
  await platform.settle();
  const options = { actAs: 'streamer', headers: { accept: 'application/activity+json' } };
  const { orderedItems } = await platform.feedApi.succeed<{ orderedItems: { verb: string; actor: unknown }[] }>(
    'GET',
    `${home}?aggregate=true`,
    options,
  );
  const person = (id: string) => expect.objectContaining({ type: 'Person', name: id }) as unknown;
  expect(orderedItems.find(({ verb }) => verb === 'like')?.actor).toEqual([person('two'), person('one')]);
  expect(orderedItems.find(({ verb }) => verb === 'share')?.actor).toEqual(person('one'));
});

test('/feed is the home feed with groups; cursors of groups are none of a plain feed', async () => {
  const pages = await walk('reader', 'next', '/feed?limit=7');
  expect(pages.flatMap(({ items }) => items.map(seen))).toEqual(await expected('reader'));
  const { nextCursor } = await read('reader', '/feed?limit=2');
  const { nextCursor: plain } = await read('reader', `${home}?limit=2`);
  for (const link of [
    `${home}?cursor=${nextCursor}`,
    `/feed?cursor=${plain}`,
    `${home}?aggregate=true&cursor=${plain}`,
  ]) {
    const answer = await platform.feedApi.request('GET', link, { actAs: 'reader' });
    expect(answer, link).toMatchObject({ status: 400, body: { error: { code: 'invalid_cursor' } } });
  }
  const { nextCursor: ofGroups } = await read('reader', `${home}?aggregate=true&limit=2`);
  expect(ofGroups).toBe(nextCursor);
});

test('a changed rule changes old items, once all processes agree on it', async () => {
  const environment = { TIDELINE_AGGREGATION: '*=actor/24' };
  await expect(platform.spawn('feed-api', environment)).rejects.toThrow(/TIDELINE_AGGREGATION is \*=actor\/24 here/);
  await platform.database.query(
    "update agreed_settings set value = '*=actor/24' where variable = 'TIDELINE_AGGREGATION'",
  );
  const changed = await platform.spawn('feed-api', environment);
  const plain = await platform.feedApi.walk(home, 'reader', 50);
  const days = new Map<string, number>();
  for (const { actorId, verb, timestamp } of plain) {
    const key = `${actorId} ${verb} ${Math.floor(timestamp / dayMs)}`;
    days.set(key, (days.get(key) ?? 0) + 1);
  }
  const feedApi = new HttpClient(changed.ports.http);
  const items = await feedApi.walk(home, 'reader', 7, { aggregate: 'true' });
  expect(items.map((item) => seen(item).count)).toEqual([...days.values()]);
  // The way back asks the database for groups, by the same rule.
  const { nextCursor } = await read('reader', path('hybrid', 7), feedApi);
  const second = await read('reader', `${path('hybrid', 7)}&cursor=${nextCursor}`, feedApi);
  const first = await read('reader', second.paging.previous ?? '', feedApi);
  expect([...first.items, ...second.items]).toEqual(items.slice(0, 14));
});
