import { setTimeout as delay } from 'node:timers/promises';
import { FollowGraph, type Post, postActivities, randomNumbers } from '@tideline/testing/history';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, expect, test } from 'vitest';

/**
 * The Done-when of the foundation: what is posted is in every right home feed, once, in order, at every page size;
 * also when fanout is killed in the middle, when a frozen one comes back, and when Redis is emptied.
 */

const actors = Array.from({ length: 50 }, (_, i) => `author-${i}`);
const readers = Array.from({ length: 200 }, (_, i) => `reader-${i}`);
const celebrity = 'author-0';
const followerThreshold = 150;
const inboxCap = 60;
const sessionTimeoutMs = 10_000;
const flushIntervalMs = 150;
const flushRounds = 8;

const random = randomNumbers(7);
const graph = new FollowGraph();
const posts: Post[] = [];
let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({ followerThreshold, inboxCap, fanout: false });
  for (const reader of readers) {
    graph.add(reader, celebrity);
    for (let i = 0; i < 8; i += 1) {
      graph.add(reader, actors[1 + Math.floor(random() * (actors.length - 1))] ?? celebrity);
    }
  }
});
afterAll(() => platform.stop());

/** Compares every reader's home feed with what the test itself knows. */
async function expectExactFeeds(strategy: 'hybrid' | 'pull', limits: readonly number[]): Promise<void> {
  for (const limit of limits) {
    // Every page size for some readers, the largest for all: 200 readers at one item a page would be 60,000 requests.
    const sample = limit === 50 ? readers : readers.filter((_, i) => i % (limit === 1 ? 40 : 10) === 0);
    for (const reader of sample) {
      const items = await platform.feedApi.walk('/v1/feeds/home', reader, limit, { strategy });
      expect(
        items.map(({ id }) => id),
        `${reader} ${strategy} ${limit}`,
      ).toEqual(graph.homeOf(reader, posts));
    }
  }
}

async function warmInboxes(): Promise<void> {
  for (const reader of readers) {
    await platform.feedApi.succeed('GET', '/v1/feeds/home', { actAs: reader });
  }
  await platform.settle();
}

test('1,000 activities are in every right home feed, once, in order, at page sizes 1, 7 and 50', async () => {
  const fanout = await platform.spawnFanout();
  await platform.ingest.succeed('POST', '/v1/follows', { body: graph.edges.slice(0, 1_000) });
  await platform.ingest.succeed('POST', '/v1/follows', { body: graph.edges.slice(1_000) });
  await platform.settle();
  await warmInboxes();

  posts.push(
    ...(await postActivities(platform, {
      actors,
      count: 1_000,
      random,
      spreadMs: 300,
      until: Date.now(),
      name: 'first',
    })),
  );
  await platform.settle();

  const { rows } = await platform.database.query('select mode from authors where author_id = $1', [celebrity]);
  expect(rows).toEqual([{ mode: 'pull' }]);
  expect(new Set(posts.map(({ id }) => id.slice(0, 13))).size).toBeLessThan(posts.length);
  await expectExactFeeds('hybrid', [1, 7, 50]);
  await expectExactFeeds('pull', [50]);
  await fanout.signal('SIGTERM');
});

test('fanout that is killed in the middle loses, repeats and reorders nothing', async () => {
  const doomed = await platform.spawnFanout();
  const posting = postActivities(platform, {
    actors,
    count: 1_000,
    random,
    spreadMs: 1_000,
    until: Date.now(),
    name: 'second',
  });
  await someAreStored('second');
  await doomed.signal('SIGKILL');
  posts.push(...(await posting));
  const next = await platform.spawnFanout();
  await platform.settle();
  await expectExactFeeds('hybrid', [7, 50]);
  await next.signal('SIGTERM');
});

test('a consumer that was frozen for longer than its session writes nothing when it wakes', async () => {
  const frozen = await platform.spawnFanout();
  const posting = postActivities(platform, {
    actors,
    count: 1_000,
    random,
    spreadMs: 500,
    until: Date.now(),
    name: 'third',
  });
  await someAreStored('third');
  await frozen.signal('SIGSTOP');
  const frozenAt = performance.now();
  posts.push(...(await posting));
  const successor = await platform.spawnFanout();
  await platform.settle();
  await expectExactFeeds('hybrid', [50]);
  await waitUntil('the session of the frozen one is over', () => performance.now() - frozenAt > sessionTimeoutMs);

  const before = await snapshot();
  await frozen.signal('SIGCONT');
  await waitUntil('the frozen one has joined anew', () => frozen.output.split('partitions assigned').length > 2);
  await platform.settle();
  expect(await snapshot()).toEqual(before);
  await expectExactFeeds('hybrid', [50]);
  await frozen.signal('SIGTERM');
  await successor.signal('SIGTERM');
});

test('FLUSHALL at any time changes no page', async () => {
  const fanout = await platform.spawnFanout();
  await whileFlushing(() => expectExactFeeds('hybrid', [7]));
  for (let round = 0; round < flushRounds; round += 1) {
    const name = `flushed-${round}`;
    posts.push(
      ...(await postActivities(platform, { actors, count: 40, random, spreadMs: 500, until: Date.now(), name })),
    );
    // They are acknowledged; some are being delivered now.
    await platform.redis.flushall();
  }
  await platform.settle();
  await expectExactFeeds('hybrid', [50]);
  await warmInboxes();
  await expectExactFeeds('hybrid', [50]);
  await fanout.signal('SIGTERM');
});

/** Flushes Redis all the while that `work` takes. */
async function whileFlushing(work: () => Promise<void>): Promise<void> {
  const working = new AbortController();
  let flushes = 0;
  const flushing = (async () => {
    for (; !working.signal.aborted; flushes += 1) {
      await platform.redis.flushall();
      await delay(flushIntervalMs);
    }
  })();
  try {
    await work();
  } finally {
    working.abort();
    await flushing;
  }
  expect(flushes).toBeGreaterThan(1);
}

async function someAreStored(name: string): Promise<void> {
  await waitUntil('some of them are stored', async () => {
    const { rows } = await platform.database.query(
      'select count(*)::int as stored from activities where foreign_id like $1',
      [`${name}-%`],
    );
    return rows[0].stored > 100;
  });
}

/** Everything that fanout writes, besides fences: rows of the database and lists of Redis. */
async function snapshot(): Promise<unknown> {
  const { rows } = await platform.database.query(`
    select (select count(*) from activities) as activities, (select count(*) from control_activities) as controls,
           (select count(*) from follows) as follows`);
  const keys = (await platform.redis.keys(`${platform.namespace}:*:in:*`)).sort();
  const lists = await Promise.all(keys.map((key) => platform.redis.lrangeBuffer(key, 0, -1)));
  return { rows, keys, lists: lists.map((list) => list.map((entry) => entry.toString('hex'))) };
}
