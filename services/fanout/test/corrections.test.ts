import { foreignActivityId } from '@tideline/shared/activity-id';
import { FeedKeys } from '@tideline/shared/feed-keys';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, expect, test } from 'vitest';

/**
 * What was acknowledged holds at once (I8), whether or not fanout runs, and what fanout does about it later leaves
 * hybrid and pull the same (I5). Every test has users of its own.
 */

const home = '/v1/feeds/home';
const inboxCap = 60;
const followerThreshold = 10;

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({ inboxCap, followerThreshold });
});
afterAll(() => platform.stop());

async function follow(followerId: string, ...followeeIds: string[]): Promise<void> {
  const body = followeeIds.map((followeeId) => ({ followerId, followeeId }));
  await platform.ingest.succeed('POST', '/v1/follows', { body });
}

async function unfollow(follower: string, followee: string): Promise<void> {
  await platform.ingest.succeed('DELETE', `/v1/follows/${followee}`, { actAs: follower });
}

async function deleteActivity(caller: string, id: string): Promise<void> {
  await platform.ingest.succeed('DELETE', `/v1/activities/${id}`, { actAs: caller });
}

async function post(actorId: string, count: number, to?: string[]): Promise<string[]> {
  const until = Date.now();
  const body = Array.from({ length: count }, (_, i) => ({
    actorId,
    verb: 'post',
    objectType: 'note',
    objectId: `n${i}`,
    timestamp: until - count + i,
    ...(to === undefined ? {} : { to }),
  }));
  const { items } = await platform.ingest.succeed<{ items: { id: string }[] }>('POST', '/v1/activities', { body });
  return items.map(({ id }) => id);
}

function newestFirst(...ids: string[][]): string[] {
  return ids.flat().sort((a, b) => (a < b ? 1 : -1));
}

async function feed(reader: string, strategy = 'hybrid', limit = 50): Promise<string[]> {
  return (await platform.feedApi.walk(home, reader, limit, { strategy })).map(({ id }) => id);
}

/** Both what the lists say and what the database says. */
async function expectFeed(reader: string, ids: string[], when: string): Promise<void> {
  for (const [strategy, limit] of [
    ['hybrid', 7],
    ['hybrid', 50],
    ['pull', 50],
  ] as const) {
    expect(await feed(reader, strategy, limit), `${reader} ${strategy} ${limit} ${when}`).toEqual(ids);
  }
}

/** Has the lists of these readers built. After a flush it takes some reads until Redis is used again. */
async function warm(...readers: string[]): Promise<void> {
  for (const actAs of readers) {
    await waitUntil('Redis is used', async () => {
      const { headers } = await platform.feedApi.request('GET', home, { actAs });
      return headers.get('x-tideline-degraded') === null;
    });
  }
  await platform.settleReads();
}

/** While fanout does not run, nothing but what ingest did can make a page right. */
async function withoutFanout(work: () => Promise<void>): Promise<void> {
  await platform.stopFanout();
  try {
    await work();
  } finally {
    await platform.startFanout();
  }
  await platform.settle();
}

async function keys(): Promise<FeedKeys> {
  const { rows } = await platform.database.query<{ epoch: string }>('select epoch::text from cache_epoch');
  return new FeedKeys(platform.namespace, rows[0]?.epoch ?? '');
}

async function modeOf(authorId: string): Promise<string> {
  const { rows } = await platform.database.query<{ mode: string }>('select mode from authors where author_id = $1', [
    authorId,
  ]);
  return rows[0]?.mode ?? 'none';
}

test.each(['warm', 'flushed'])('the first read after an acknowledged unfollow is clean (%s)', async (state) => {
  const [reader, left, kept] = [`un-${state}`, `un-left-${state}`, `un-kept-${state}`];
  await follow(reader, left, kept);
  await platform.settle();
  await warm(reader, left);
  const leftIds = await post(left, 30);
  const keptIds = await post(kept, 30);
  await platform.settle();
  await expectFeed(reader, newestFirst(leftIds, keptIds), 'before');
  await withoutFanout(async () => {
    await unfollow(reader, left);
    if (state === 'flushed') {
      await platform.redis.flushall();
    }
    await expectFeed(reader, newestFirst(keptIds), 'at once');
    await warm(reader);
    await expectFeed(reader, newestFirst(keptIds), 'again');
  });
  await expectFeed(reader, newestFirst(keptIds), 'at rest');
  await expectFeed(left, newestFirst(leftIds), 'at rest');
});

test.each([
  'warm',
  'flushed',
])('the first read after an acknowledged delete is clean, for everybody (%s)', async (state) => {
  const [reader, author] = [`del-${state}`, `del-author-${state}`];
  await follow(reader, author);
  await platform.settle();
  await warm(reader, author);
  const ids = await post(author, 120);
  await platform.settle();
  await warm(reader, author);
  const profile = `/v1/users/${author}/feed`;
  await platform.feedApi.walk(profile, reader, 50);
  await platform.settle();
  // The newest, one in the middle of the lists, one below their floors.
  const deleted = [ids[119] ?? '', ids[90] ?? '', ids[10] ?? ''];
  const remaining = newestFirst(ids.filter((id) => !deleted.includes(id)));
  const expectGone = async (when: string) => {
    await expectFeed(reader, remaining, when);
    await expectFeed(author, remaining, when);
    expect((await platform.feedApi.walk(profile, reader, 50)).map(({ id }) => id)).toEqual(remaining);
    for (const id of deleted) {
      expect((await platform.feedApi.request('GET', `/v1/activities/${id}`, { actAs: author })).status).toBe(404);
    }
  };
  await withoutFanout(async () => {
    for (const id of deleted) {
      await deleteActivity(author, id);
    }
    if (state === 'flushed') {
      await platform.redis.flushall();
    }
    await expectGone('at once');
    await platform.settleReads();
    await expectGone('again');
  });
  await expectGone('at rest');
});

test('deleting what is somebody else’s does nothing', async () => {
  await follow('thief', 'owner');
  await platform.settle();
  await warm('thief', 'owner');
  const ids = await post('owner', 3);
  await platform.settle();
  await withoutFanout(async () => {
    await deleteActivity('thief', ids[1] ?? '');
    await expectFeed('thief', newestFirst(ids), 'at once');
  });
  await expectFeed('thief', newestFirst(ids), 'at rest');
  await platform.redis.flushall();
  await expectFeed('thief', newestFirst(ids), 'rebuilt');
  expect((await platform.feedApi.request('GET', `/v1/activities/${ids[1]}`, { actAs: 'thief' })).status).toBe(200);
});

test('a tombstone that comes before its activity holds', async () => {
  await follow('early-reader', 'early');
  await platform.settle();
  await warm('early-reader', 'early');
  const timestamp = Date.now();
  const id = foreignActivityId('early', 'f1', timestamp);
  await deleteActivity('early', id);
  await platform.settle();
  const body = { actorId: 'early', verb: 'post', objectType: 'note', objectId: 'n', foreignId: 'f1', timestamp };
  expect(await platform.ingest.succeed('POST', '/v1/activities', { body })).toMatchObject({ id });
  const [other = ''] = await post('early', 1);
  await platform.settle();
  for (const state of ['delivered', 'rebuilt']) {
    await expectFeed('early-reader', [other], state);
    await expectFeed('early', [other], state);
    await platform.redis.flushall();
  }
});

test('a follow that begins again brings everything back, once', async () => {
  await follow('returning', 'returned-to', 'always-there');
  await platform.settle();
  await warm('returning');
  const returned = await post('returned-to', 80);
  const always = await post('always-there', 80);
  await platform.settle();
  for (let time = 1; time <= 2; time += 1) {
    await unfollow('returning', 'returned-to');
    await platform.settle();
    await expectFeed('returning', newestFirst(always), `without, ${time}`);
    await follow('returning', 'returned-to');
    await platform.settle();
    await expectFeed('returning', newestFirst(always, returned), `with, ${time}`);
    await platform.settle();
  }
});

test('follow, unfollow, follow in quick succession ends as the last one says, whenever fanout sees them', async () => {
  const ids = await post('flapped', 70);
  await platform.settle();
  await warm('flapping-a', 'flapping-b', 'flapping-c');
  await follow('flapping-a', 'flapped');
  await unfollow('flapping-a', 'flapped');
  await follow('flapping-a', 'flapped');
  await follow('flapping-b', 'flapped');
  await unfollow('flapping-b', 'flapped');
  await expectFeed('flapping-b', [], 'at once');
  await withoutFanout(async () => {
    for (let time = 0; time < 5; time += 1) {
      await follow('flapping-c', 'flapped');
      await unfollow('flapping-c', 'flapped');
    }
    await follow('flapping-c', 'flapped');
  });
  const more = await post('flapped', 5);
  await platform.settle();
  for (const state of ['merged', 'rebuilt']) {
    await expectFeed('flapping-a', newestFirst(ids, more), state);
    await expectFeed('flapping-b', [], state);
    await expectFeed('flapping-c', newestFirst(ids, more), state);
    await platform.redis.flushall();
  }
  const { rows } = await platform.database.query(`select follower_count::int from authors where author_id = 'flapped'`);
  expect(rows).toEqual([{ follower_count: 2 }]);
});

test('an unfollow takes all of an author out of the inbox, however much of it was for others', async () => {
  await follow('clean', 'discreet');
  await platform.settle();
  await warm('clean');
  const ids = await post('discreet', 50);
  await post('discreet', inboxCap * 2, ['somebody-else']);
  await platform.settle();
  const inbox = (await keys()).list('inbox', 'clean');
  expect(await platform.redis.llen(inbox)).toBe(51);
  await unfollow('clean', 'discreet');
  await platform.settle();
  expect(await platform.redis.llen(inbox)).toBe(1);

  // Deleted while nobody looks, and long purged when the reader comes back.
  const [gone = '', ...others] = ids;
  await deleteActivity('discreet', gone);
  await platform.settle();
  await platform.database.query(`update tombstones set purged_at = purged_at - interval '2 hours'`);
  await platform.redis.del((await keys()).tombstones());
  await follow('clean', 'discreet');
  await platform.settle();
  await expectFeed('clean', newestFirst(others), 'after coming back');
});

test('crossing the threshold up and down, with posts and corrections in between, stays exact for all readers', async () => {
  const readers = Array.from({ length: followerThreshold + 3 }, (_, i) => `crowd-${i}`);
  const few = readers.slice(0, 4);
  const many = readers.slice(4);
  const deleted = new Set<string>();
  const unfollowed = new Set<string>();
  let star: string[] = [];
  const other = await post('calm', 20);
  const expectAll = async (when: string) => {
    await platform.settle();
    const shown = star.filter((id) => !deleted.has(id));
    for (const reader of readers) {
      const ids = newestFirst(other, unfollowed.has(reader) ? [] : shown);
      expect(await feed(reader, 'hybrid', reader.endsWith('0') ? 7 : 50), `${reader} hybrid ${when}`).toEqual(ids);
      expect(await feed(reader, 'pull'), `${reader} pull ${when}`).toEqual(ids);
    }
  };
  const postMore = async (count: number) => {
    star = [...star, ...(await post('star', count))];
  };
  const leave = async (leaving: string[]) => {
    for (const reader of leaving) {
      await unfollow(reader, 'star');
      unfollowed.add(reader);
    }
  };
  const comeBack = async (returning: string[]) => {
    await Promise.all(returning.map((reader) => follow(reader, 'star')));
    for (const reader of returning) {
      unfollowed.delete(reader);
    }
  };

  await Promise.all(readers.map((reader) => follow(reader, 'calm')));
  await comeBack(few);
  await platform.settle();
  for (const reader of many) {
    unfollowed.add(reader);
  }
  await warm(...readers);
  await postMore(10);
  await expectAll('pushed to a few');

  for (let time = 1; time <= 2; time += 1) {
    // Posts on both sides of every crossing, sent before the crossing is known to be over.
    await postMore(3);
    await comeBack(many);
    await postMore(10);
    await expectAll(`pulled, ${time}`);
    expect(await modeOf('star')).toBe('pull');
    const newest = star.at(-1) ?? '';
    await deleteActivity('star', newest);
    deleted.add(newest);
    await leave(few.slice(0, 1));
    await postMore(70);
    await expectAll(`pulled, with more than an inbox holds, ${time}`);

    await postMore(3);
    await leave(many);
    await postMore(5);
    await expectAll(`pushed again, ${time}`);
    expect(await modeOf('star')).toBe('push');
    await comeBack(few.slice(0, 1));
    await postMore(70);
    await expectAll(`pushed again, watermark below the floor, ${time}`);
  }
  await platform.redis.flushall();
  await expectAll('rebuilt');
  await expectAll('from lists built anew');
});
