import { randomNumbers } from '@tideline/testing/history';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** E6: a view that is refreshed from time to time, and pages of it that are right at any time. */

const home = '/v1/feeds/home';
const users = Array.from({ length: 12 }, (_, i) => `r${i}`);
const dayMs = 86_400_000;

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform();
  await follow(users.flatMap((follower, i) => [1, 2, 5].map((step) => [follower, users[(i + step) % 12] ?? ''])));
  for (const user of users) {
    await post(user, 30, 60 * dayMs);
  }
});
afterAll(() => platform.stop());

async function follow(pairs: readonly (readonly string[])[]): Promise<void> {
  const body = pairs.map(([followerId, followeeId]) => ({ followerId, followeeId }));
  await platform.ingest.succeed('POST', '/v1/follows', { body });
  await platform.settle();
}

const random = randomNumbers(5);
let posts = 0;

async function post(actorId: string, count: number, spreadMs: number, more: object = {}): Promise<string[]> {
  const body = Array.from({ length: count }, () => {
    posts += 1;
    const timestamp = Date.now() - Math.floor(random() * spreadMs);
    return { actorId, verb: 'post', objectType: 'note', objectId: `n${posts}`, timestamp, ...more };
  });
  const { items } = await platform.ingest.succeed<{ items: { id: string }[] }>('POST', '/v1/activities', { body });
  await platform.settle();
  return items.map(({ id }) => id);
}

async function refresh(): Promise<void> {
  const client = await platform.database.connect();
  try {
    await client.query('select begin_noting_for_home()');
    await client.query('begin isolation level repeatable read');
    await client.query('select refresh_materialized_home()');
    await client.query('commit');
  } finally {
    client.release();
  }
}

/** Whole feeds of everybody, in pages of several sizes, held against the naive pull. */
async function expectEqual(): Promise<void> {
  for (const reader of users) {
    const pull = await platform.feedApi.walk(home, reader, 50, { strategy: 'pull' });
    for (const limit of [7, 50]) {
      expect(await platform.feedApi.walk(home, reader, limit, { strategy: 'materialized' })).toEqual(pull);
    }
  }
}

async function refreshedAt(): Promise<Date | null | undefined> {
  const { rows } = await platform.database.query<{ at: Date | null }>(
    'select refreshed_at as at from materialized_home_state',
  );
  return rows[0]?.at;
}

async function refreshedAgain(): Promise<void> {
  const last = await refreshedAt();
  await waitUntil('it is refreshed again', async () => (await refreshedAt())?.getTime() !== last?.getTime());
}

async function rowsOf(table: string): Promise<number> {
  const { rows } = await platform.database.query<{ count: number }>(`select count(*)::int as count from ${table}`);
  return rows[0]?.count ?? 0;
}

test('feeds are right before anything was refreshed', async () => {
  await expectEqual();
});

test('after a refresh pages come from the view, and below it from the database', async () => {
  await refresh();
  expect(await rowsOf('materialized_home')).toBeGreaterThan(users.length * 10);
  await expectEqual();
});

test('what was neither there at the refresh nor noted since is not in a page: pages are of the view', async () => {
  await refresh();
  await platform.database.query(`
    insert into activities (id, time, actor_id, verb, object_type, object_id, caller_id, request_id, accepted_at,
      log_generation, log_partition, log_offset)
    select id, activity_time(id), 'r1', 'post', 'note', 'unnoted', 'test', 'test', now(), 1, 0, 0
    from (select first_activity_id(now() - interval '2 days') as id) new`);
  const ids = async (strategy: string) =>
    (await platform.feedApi.walk(home, 'r1', 50, { strategy })).map(({ id }) => id);
  const [pulled, materialized] = [await ids('pull'), await ids('materialized')];
  expect(pulled.filter((id) => !materialized.includes(id))).toHaveLength(1);
  await refresh();
  await expectEqual();
});

test('what comes after a refresh is in the feed at once, in its place, however old it is', async () => {
  await refresh();
  await post('r1', 3, 1_000);
  await post('r2', 5, 20 * dayMs);
  await post('r3', 5, 50 * dayMs);
  await post('r4', 2, dayMs, { to: ['r0', 'r3'] });
  expect(await rowsOf('contents_since_refresh')).toBe(15);
  await expectEqual();
  await refresh();
  expect(await rowsOf('contents_since_refresh')).toBe(0);
  await expectEqual();
});

test('follows, unfollows, mutes, blocks and deletes are felt at once', async () => {
  await refresh();
  const [id = ''] = await post('r5', 1, 1_000);
  await platform.ingest.succeed('DELETE', `/v1/activities/${id}`, { actAs: 'r5' });
  const [old] = await platform.feedApi.walk(home, 'r6', 50, { strategy: 'materialized' });
  await platform.ingest.succeed('DELETE', `/v1/activities/${old?.id}`, { actAs: old?.actorId ?? '' });
  await platform.ingest.succeed('DELETE', '/v1/follows/r1', { actAs: 'r0' });
  await platform.ingest.succeed('PUT', '/v1/mutes/r2', { actAs: 'r1' });
  await platform.ingest.succeed('PUT', '/v1/blocks/r3', { actAs: 'r4' });
  await follow([
    ['r7', 'r3'],
    ['r8', 'r0'],
  ]);
  await platform.settle();
  await expectEqual();
  await refresh();
  await platform.ingest.succeed('DELETE', '/v1/mutes/r2', { actAs: 'r1' });
  await follow([['r0', 'r1']]);
  await expectEqual();
});

test('a reader who was not there at the refresh has a feed', async () => {
  await refresh();
  await follow([['newcomer', 'r1']]);
  await post('newcomer', 2, dayMs);
  const pull = await platform.feedApi.walk(home, 'newcomer', 50, { strategy: 'pull' });
  expect(pull.length).toBeGreaterThan(10);
  expect(await platform.feedApi.walk(home, 'newcomer', 7, { strategy: 'materialized' })).toEqual(pull);
});

test('what is written while it is refreshed is neither lost nor shown twice', async () => {
  let isRefreshing = true;
  const refreshing = (async () => {
    while (isRefreshing) {
      await refresh();
    }
  })();
  for (let round = 0; round < 10; round += 1) {
    await post(users[round % 12] ?? '', 10, 30 * dayMs);
    await platform.ingest.succeed('POST', '/v1/follows', { body: [{ followerId: 'r9', followeeId: `r${round % 9}` }] });
  }
  await platform.settle();
  await expectEqual();
  isRefreshing = false;
  await refreshing;
  await expectEqual();
});

test('one of several fanouts refreshes it; turned off, nothing is noted any more', async () => {
  await platform.database.query('select end_materialized_home()');
  await platform.stopFanout();
  const environment = { TIDELINE_MATERIALIZED_INTERVAL_MS: '200' };
  const fanouts = [await platform.spawn('fanout', environment), await platform.spawn('fanout', environment)];
  await waitUntil('both have their partitions', () =>
    fanouts.every(({ output }) => output.includes('partitions assigned')),
  );
  // What one began before the other came is over then.
  await refreshedAgain();
  await refreshedAgain();
  const before = fanouts.map(({ output }) => output.length);
  await refreshedAgain();
  await refreshedAgain();
  await post('r1', 2, dayMs);
  await expectEqual();
  await Promise.all(fanouts.map((fanout) => fanout.signal('SIGTERM')));
  const refreshing = fanouts.map(({ output }, i) => output.slice(before[i]).includes('home feeds refreshed'));
  expect(refreshing.sort()).toEqual([false, true]);

  // Whoever takes over refreshes when it is due, not because it has begun.
  const intervalMs = 8_000;
  const last = await refreshedAt();
  const next = await platform.spawn('fanout', { TIDELINE_MATERIALIZED_INTERVAL_MS: String(intervalMs) });
  await refreshedAgain();
  expect((await refreshedAt())?.getTime()).toBeGreaterThanOrEqual((last?.getTime() ?? 0) + intervalMs);
  await next.signal('SIGTERM');

  await platform.spawn('fanout', { TIDELINE_MATERIALIZED_INTERVAL_MS: '0' });
  await waitUntil('it is turned off', async () => (await refreshedAt()) === null);
  await post('r2', 2, dayMs);
  expect(await rowsOf('contents_since_refresh')).toBe(0);
  await expectEqual();
});
