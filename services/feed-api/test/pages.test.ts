import { activityIdToBytes } from '@tideline/shared/activity-id';
import { bucketOf, FeedKeys } from '@tideline/shared/feed-keys';
import type { PageBody } from '@tideline/testing/http-client';
import { readMetrics } from '@tideline/testing/metrics-page';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** Pages, however deep, however old, whatever happens between two of them. Every test has users of its own. */

const home = '/v1/feeds/home';
const inboxCap = 60;
const followerThreshold = 5;
const dayMs = 86_400_000;
const nameAgeMaxMs = 5_000;

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({ inboxCap, followerThreshold });
});
afterAll(() => platform.stop());

async function follow(followerIds: readonly string[], followeeIds: readonly string[]): Promise<void> {
  const body = followerIds.flatMap((followerId) => followeeIds.map((followeeId) => ({ followerId, followeeId })));
  await platform.ingest.succeed('POST', '/v1/follows', { body });
  await platform.settle();
}

interface Written {
  actorId: string;
  timestamp?: number;
  to?: string[];
}

/** Posts and returns the ids, in the order given. */
async function post(written: readonly Written[]): Promise<string[]> {
  const ids: string[] = [];
  for (let start = 0; start < written.length; start += 500) {
    const body = written
      .slice(start, start + 500)
      .map((each) => ({ verb: 'post', objectType: 'note', objectId: 'n', ...each }));
    const { items } = await platform.ingest.succeed<{ items: { id: string }[] }>('POST', '/v1/activities', { body });
    ids.push(...items.map(({ id }) => id));
  }
  await platform.settle();
  return ids;
}

function newestFirst(ids: readonly string[]): string[] {
  return [...ids].sort((a, b) => (a < b ? 1 : -1));
}

async function walk(reader: string, limit = 50, path = home, query: Record<string, string> = {}): Promise<string[]> {
  return (await platform.feedApi.walk(path, reader, limit, query)).map(({ id }) => id);
}

async function page(reader: string, limit: number, cursor?: string | null): Promise<PageBody> {
  const query = new URLSearchParams({ limit: String(limit), ...(cursor == null ? {} : { cursor }) });
  return platform.feedApi.succeed<PageBody>('GET', `${home}?${query}`, { actAs: reader });
}

/** Builds the reader's inbox, and what else its pages are made of. */
async function warm(reader: string): Promise<void> {
  await walk(reader);
  await platform.settle();
}

async function keysOf(): Promise<FeedKeys> {
  const { rows } = await platform.database.query<{ epoch: string }>('select epoch::text from cache_epoch');
  return new FeedKeys(platform.namespace, rows[0]?.epoch ?? '');
}

async function inboxLength(reader: string): Promise<number> {
  return platform.redis.llen((await keysOf()).list('inbox', reader));
}

/** SQL statements of all hybrid pages of home so far, and the number of those pages. */
async function sqlOfHome(): Promise<{ statements: number; pages: number }> {
  const metrics = await readMetrics(platform.ports.feedApiOperations);
  const labels = { feed: 'home', strategy: 'hybrid' };
  return {
    statements: metrics.sum('tideline_read_sql_statements_sum', labels),
    pages: metrics.sum('tideline_read_sql_statements_count', labels),
  };
}

test('a feed is exact to its last page far below the floor, at page sizes 1, 7 and 50', async () => {
  await follow(['deep'], ['deep-a', 'deep-b']);
  await warm('deep');
  const until = Date.now();
  // Four a millisecond: every page boundary is among equal timestamps.
  const ids = await post(
    Array.from({ length: 400 }, (_, i) => ({
      actorId: i % 3 === 0 ? 'deep-a' : 'deep-b',
      timestamp: until - (i >> 2),
    })),
  );
  const expected = newestFirst(ids);
  expect(await inboxLength('deep')).toBeLessThan(ids.length / 2);
  for (const limit of [1, 7, 50]) {
    expect(await walk('deep', limit), `limit ${limit}`).toEqual(expected);
  }
  expect(await walk('deep', 50, home, { strategy: 'push' })).toEqual(expected);
  expect(await walk('deep', 50, home, { strategy: 'pull' })).toEqual(expected);
});

test('a following of more than an inbox holds, begun with an empty inbox, is exact to the end', async () => {
  const until = Date.now();
  const ids = await post(Array.from({ length: 200 }, (_, i) => ({ actorId: 'prolific', timestamp: until - i })));
  await warm('newcomer');
  expect(await inboxLength('newcomer')).toBe(1);
  await follow(['newcomer'], ['prolific']);
  expect(await walk('newcomer', 7)).toEqual(newestFirst(ids));
});

test('activities of ten years, some of them years apart, are reached to the last page', async () => {
  await follow(['historian'], ['chronicle', 'annals']);
  const now = Date.now();
  const agesInDays = [0, 0, 1, 6, 7, 8, 30, 31, 200, 440, 441, 442, 900, 1_800, 1_801, 3_000, 3_650, 3_652, 3_653];
  const ids = await post(
    agesInDays.flatMap((days, i) =>
      Array.from({ length: 3 }, (_, j) => ({
        actorId: (i + j) % 2 === 0 ? 'chronicle' : 'annals',
        timestamp: now - days * dayMs - j,
      })),
    ),
  );
  const expected = newestFirst(ids);
  for (const state of ['cold', 'warm']) {
    for (const limit of [1, 7, 50]) {
      expect(await walk('historian', limit), `${state} ${limit}`).toEqual(expected);
    }
    await platform.settle();
  }
});

test('the feed of a user has what that user did in public, below the floor too, and nothing of others', async () => {
  await follow(['profiled'], ['profile-other']);
  const until = Date.now();
  const ids = await post(Array.from({ length: 150 }, (_, i) => ({ actorId: 'profiled', timestamp: until - (i >> 1) })));
  await post([{ actorId: 'profile-other' }, { actorId: 'profiled', to: ['profile-friend'] }]);
  for (const state of ['cold', 'warm']) {
    for (const limit of [7, 50]) {
      for (const reader of ['profiled', 'profile-friend', 'anybody-else']) {
        expect(await walk(reader, limit, '/v1/users/profiled/feed'), `${state} ${limit}`).toEqual(newestFirst(ids));
      }
    }
    await platform.settle();
  }
  expect(await walk('profiled', 50, '/v1/users/profile-friend/feed').catch(String)).toMatch(/404.*not_found/);
  await follow(['profile-friend'], ['profiled']);
  expect(await walk('profiled', 50, '/v1/users/profile-friend/feed')).toEqual([]);
});

test('while one walks, what arrives, is deleted, unfollowed or flushed moves no other item', async () => {
  await follow(['walker'], ['steady', 'leaving']);
  await warm('walker');
  const until = Date.now() - 60_000;
  const steady = await post(Array.from({ length: 90 }, (_, i) => ({ actorId: 'steady', timestamp: until - 3 * i })));
  const leaving = await post(
    Array.from({ length: 90 }, (_, i) => ({ actorId: 'leaving', timestamp: until - 3 * i - 1 })),
  );
  const all = newestFirst([...steady, ...leaving]);
  const deleted = new Set([all[20], all[21], all[70], all[120]]);
  const seen: string[] = [];
  let cursor: string | null = null;

  const next = async (limit: number) => {
    const body: PageBody = await page('walker', limit, cursor);
    cursor = body.nextCursor;
    seen.push(...body.items.map(({ id }) => id));
  };
  await next(15);
  expect(seen).toEqual(all.slice(0, 15));
  await post(Array.from({ length: 80 }, () => ({ actorId: 'steady' })));
  await next(3);
  for (const id of deleted) {
    const author = leaving.includes(id ?? '') ? 'leaving' : 'steady';
    await platform.ingest.succeed('DELETE', `/v1/activities/${id}`, { actAs: author });
  }
  await next(12);
  const remaining = all.filter((id) => !deleted.has(id));
  expect(seen).toEqual(remaining.slice(0, 30));

  await platform.ingest.succeed('DELETE', '/v1/follows/leaving', { actAs: 'walker' });
  const onlySteady = remaining.slice(30).filter((id) => steady.includes(id));
  await next(7);
  await platform.redis.flushall();
  while (cursor !== null) {
    await next(7);
  }
  expect(seen.slice(30)).toEqual(onlySteady);
});

test('a page whose items are nearly all corrected away is filled from further down', async () => {
  await follow(['refilled'], ['gone', 'kept']);
  await warm('refilled');
  const until = Date.now();
  const kept = await post(Array.from({ length: 20 }, (_, i) => ({ actorId: 'kept', timestamp: until - 5_000 - i })));
  await post(Array.from({ length: 50 }, (_, i) => ({ actorId: 'gone', timestamp: until - i })));
  await platform.stopFanout();
  await platform.ingest.succeed('DELETE', '/v1/follows/gone', { actAs: 'refilled' });
  expect((await page('refilled', 20)).items.map(({ id }) => id)).toEqual(newestFirst(kept));
  await platform.startFanout();
  await platform.settle();
  expect(await walk('refilled', 7)).toEqual(newestFirst(kept));
});

test('an inbox that shrank under its pages is rebuilt', async () => {
  await follow(['shrunk'], ['shrinking', 'lasting']);
  await warm('shrunk');
  const until = Date.now();
  const lasting = await post(
    Array.from({ length: 100 }, (_, i) => ({ actorId: 'lasting', timestamp: until - 5_000 - i })),
  );
  await post(Array.from({ length: 55 }, (_, i) => ({ actorId: 'shrinking', timestamp: until - i })));
  await platform.ingest.succeed('DELETE', '/v1/follows/shrinking', { actAs: 'shrunk' });
  await platform.settle();
  expect(await inboxLength('shrunk')).toBeLessThan(inboxCap / 2);

  expect(await walk('shrunk', 50)).toEqual(newestFirst(lasting));
  await platform.settle();
  expect(await inboxLength('shrunk')).toBeGreaterThanOrEqual(inboxCap);
  expect(await walk('shrunk', 50)).toEqual(newestFirst(lasting));
});

test('a hot page takes no SQL, also with an author over the threshold among those followed', async () => {
  const readers = Array.from({ length: followerThreshold + 1 }, (_, i) => `hot-${i}`);
  await follow(readers, ['hot-celebrity']);
  await follow(['hot-0'], ['hot-author']);
  await post(Array.from({ length: 30 }, (_, i) => ({ actorId: i % 2 === 0 ? 'hot-celebrity' : 'hot-author' })));
  await post([{ actorId: 'hot-0' }]);
  const { rows } = await platform.database.query(`select mode from authors where author_id = 'hot-celebrity'`);
  expect(rows).toEqual([{ mode: 'pull' }]);

  await waitUntil('every part of the page is hot', async () => {
    const before = await sqlOfHome();
    await page('hot-0', 20);
    await platform.settle();
    return (await sqlOfHome()).statements === before.statements;
  });
  const before = await sqlOfHome();
  for (let i = 0; i < 10; i += 1) {
    expect((await page('hot-0', 20)).items).toHaveLength(20);
  }
  expect(await sqlOfHome()).toEqual({ statements: before.statements, pages: before.pages + 10 });
});

test('who reads a feed while its register is being loaded joins the loading', async () => {
  await follow(['herd'], ['herd-author']);
  await post([{ actorId: 'herd-author' }]);
  await warm('herd');
  const register = (await keysOf()).register('herd');
  const client = await platform.database.connect();
  try {
    await client.query('begin; lock table follows in access exclusive mode');
    await platform.redis.del(register);
    const first = page('herd', 20);
    const loading = await waitUntil('the first loads it', () => platform.redis.getBuffer(register));
    const second = page('herd', 20);
    await waitUntil('the second loads it too', async () => {
      const { rows } = await platform.database.query(
        `select from pg_stat_activity where wait_event_type = 'Lock' and query like '%as unfollowed%'`,
      );
      return rows.length === 2;
    });
    expect(await platform.redis.getBuffer(register)).toEqual(loading);
    await client.query('rollback');
    expect(await first).toEqual(await second);
    const loaded = await platform.redis.getBuffer(register);
    const head = (state: string) => Buffer.concat([Buffer.from(state), loading.subarray(1)]);
    expect(loading).toEqual(head('L'));
    expect(loaded?.subarray(0, loading.length)).toEqual(head('R'));
  } finally {
    client.release(true);
  }
});

test('a body that Redis lost is read from the database', async () => {
  await follow(['bodiless'], ['body-author']);
  await warm('bodiless');
  const ids = await post(Array.from({ length: 5 }, () => ({ actorId: 'body-author' })));
  const keys = await keysOf();
  expect(await platform.redis.del(...ids.map((id) => keys.body(id)))).toBe(5);
  expect(await inboxLength('bodiless')).toBe(6);
  expect(await walk('bodiless')).toEqual(newestFirst(ids));
  expect(await platform.redis.exists(...ids.map((id) => keys.body(id)))).toBe(5);
});

test('an id in a list that no activity has is passed over', async () => {
  await follow(['haunted'], ['ghost-author']);
  await warm('haunted');
  const ids = await post([{ actorId: 'ghost-author' }]);
  const ghost = activityIdToBytes('019a0000-0000-7000-8000-000000000000');
  const keys = await keysOf();
  await platform.redis.linsert(
    keys.list('inbox', 'haunted', bucketOf('haunted')),
    'AFTER',
    activityIdToBytes(ids[0] ?? ''),
    ghost,
  );
  expect(await inboxLength('haunted')).toBe(3);
  expect(await walk('haunted', 1)).toEqual(ids);
});

test('a new name is shown within 5 s, on old items too', async () => {
  await follow(['name-reader'], ['named']);
  await post([{ actorId: 'named' }]);
  const shown = async () => {
    const [item] = (await page('name-reader', 1)).items;
    return { name: item?.actorName, avatar: item?.actorAvatar };
  };
  expect(await shown()).toEqual({ name: 'named', avatar: null });
  for (const [name, avatar] of [
    ['Ada', 'https://example.org/ada.png'],
    ['Ada L.', undefined],
  ] as const) {
    await platform.ingest.succeed('PUT', '/v1/users/named', { body: { name, avatar } });
    await platform.settle();
    const changedAt = performance.now();
    await waitUntil(`it is called ${name}`, async () => (await shown()).name === name, nameAgeMaxMs + 1_000);
    expect(performance.now() - changedAt).toBeLessThan(nameAgeMaxMs + 500);
    expect((await shown()).avatar).toBe(avatar ?? null);
  }
});

test('a targeted activity is seen by its author and its audience only, over the threshold too', async () => {
  const followers = Array.from({ length: followerThreshold + 1 }, (_, i) => `aud-${i}`);
  await follow(followers.slice(0, 3), ['aud-author']);
  await Promise.all([...followers, 'aud-author', 'aud-stranger'].map(warm));
  const written: { id: string; to?: string[] }[] = [];
  const write = async (to?: string[]) => {
    const [id = ''] = await post([{ actorId: 'aud-author', ...(to === undefined ? {} : { to }) }]);
    written.push({ id, ...(to === undefined ? {} : { to }) });
  };
  await write(['aud-1', 'aud-5', 'aud-stranger']);
  await write();
  await follow(followers, ['aud-author']);
  const { rows } = await platform.database.query(`select mode from authors where author_id = 'aud-author'`);
  expect(rows).toEqual([{ mode: 'pull' }]);
  await write(['aud-0', 'aud-stranger', 'aud-author']);
  await write();
  await write(['aud-4']);

  for (const state of ['pushed', 'rebuilt']) {
    for (const reader of [...followers, 'aud-author']) {
      const visible = written.filter(({ to }) => to === undefined || reader === 'aud-author' || to.includes(reader));
      const expected = newestFirst(visible.map(({ id }) => id));
      for (const strategy of ['hybrid', 'pull']) {
        expect(await walk(reader, 2, home, { strategy }), `${state} ${strategy} ${reader}`).toEqual(expected);
      }
    }
    // Who does not follow has it in no feed, but may look at it.
    expect(await walk('aud-stranger', 2)).toEqual([]);
    await platform.redis.flushall();
  }
  const statusFor = async (reader: string) =>
    (await platform.feedApi.request('GET', `/v1/activities/${written[0]?.id}`, { actAs: reader })).status;
  expect(await Promise.all(['aud-author', 'aud-1', 'aud-stranger', 'aud-0', 'nobody'].map(statusFor))).toEqual([
    200, 200, 200, 404, 404,
  ]);
  expect((await platform.feedApi.request('GET', `/v1/activities/${written[0]?.id}`)).status).toBe(404);
});
