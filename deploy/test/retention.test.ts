import { lowestIdFrom, timestampOf } from '@tideline/shared/activity-id';
import { weekMs, weekOf } from '@tideline/shared/activity-weeks';
import { fanoutGroup } from '@tideline/shared/topics';
import { randomNumbers } from '@tideline/testing/history';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { setUp } from '../src/setup/set-up.js';
import { verifyFeeds } from '../src/verify/verify-feeds.js';
import { withVerifyTools } from '../src/verify/verify-tools.js';

/**
 * Content is kept for a while only: before the horizon nothing is shown by anything, whatever still has it, nothing is taken
 * in and nothing comes back; above it every feed is what it was.
 */

const dayMs = 86_400_000;
const spreadMs = 70 * dayMs;
const retentionDays = 21;
const authors = ['author-0', 'author-1', 'author-2', 'celebrity'];
const readers = ['reader-0', 'reader-1', 'reader-2', 'reader-3'];
const oldFollower = 'old-fan';

interface Posted {
  id: string;
  actorId: string;
  to?: string[];
}

const random = randomNumbers(23);
const horizonMs = weekOf(Date.now() - retentionDays * dayMs) * weekMs;
const horizon = lowestIdFrom(horizonMs);
const posted: Posted[] = [];
/** A follow that somebody was notified of before the horizon: it is no content, and stays. */
const oldFollow = lowestIdFrom(horizonMs - 10 * dayMs);
let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({ followerThreshold: 3, inboxCap: 100 });
  await platform.ingest.succeed('POST', '/v1/follows', {
    body: readers.flatMap((followerId, i) =>
      ['celebrity', `author-${i % 3}`, `author-${(i + 1) % 3}`].map((followeeId) => ({ followerId, followeeId })),
    ),
  });
  await platform.settle();
  await platform.database.query(
    `insert into control_activities (id, actor_id, verb, object_type, object_id, author_id, caller_id, request_id,
       accepted_at, log_generation, log_partition, log_offset)
     values ($1, $2, 'follow', 'user', 'reader-0', 'reader-0', 'test', 'test', now(), 0, 0, 0)`,
    [oldFollow, oldFollower],
  );
  await platform.database.query(
    `insert into notifications (user_id, id, actor_id, is_follow) values ('reader-0', $1, $2, true)`,
    [oldFollow, oldFollower],
  );
  await postOverTime(400);
  for (const { id, actorId } of posted.splice(0, 20)) {
    await platform.ingest.succeed('DELETE', `/v1/activities/${id}`, { actAs: actorId });
  }
  await warm();
}, 60_000);
afterAll(() => platform.stop());

async function postOverTime(count: number): Promise<void> {
  const body = Array.from({ length: count }, (_, i) => ({
    actorId: authors[Math.floor(random() * authors.length)] ?? '',
    verb: 'post',
    objectType: 'note',
    objectId: `note-${i}`,
    timestamp: Date.now() - 60_000 - Math.floor(random() * spreadMs),
    ...(i % 5 === 0 && { to: [readers[i % readers.length] ?? ''] }),
  }));
  const { items } = await platform.ingest.succeed<{ items: { id: string }[] }>('POST', '/v1/activities', { body });
  posted.push(
    ...body.map(({ actorId, to }, i) => ({ id: items[i]?.id ?? '', actorId, ...(to === undefined ? {} : { to }) })),
  );
}

/** Builds every list, and has every body at hand. */
async function warm(): Promise<void> {
  for (let round = 0; round < 2; round += 1) {
    await platform.settle();
    for (const actAs of readers) {
      await platform.feedApi.walk('/v1/feeds/home', actAs, 50);
      await platform.feedApi.walk('/v1/feeds/notifications', actAs, 50);
    }
    for (const author of authors) {
      await platform.feedApi.walk(`/v1/users/${author}/feed`, 'reader-0', 50);
    }
  }
  await platform.settle();
}

async function idsOf(path: string, reader: string, query: Record<string, string> = {}): Promise<string[]> {
  return (await platform.feedApi.walk(path, reader, 50, query)).map(({ id }) => id);
}

/** What is posted and not deleted, from an id on, newest first. */
function since(lowest: string, belongs: (post: Posted) => boolean): string[] {
  return posted
    .filter((post) => post.id >= lowest && belongs(post))
    .map(({ id }) => id)
    .sort()
    .reverse();
}

async function expectFeeds(lowest: string): Promise<void> {
  for (const [i, reader] of readers.entries()) {
    const followed = ['celebrity', `author-${i % 3}`, `author-${(i + 1) % 3}`];
    const home = since(lowest, ({ actorId, to }) => followed.includes(actorId) && (to?.includes(reader) ?? true));
    for (const strategy of ['hybrid', 'pull']) {
      expect(await idsOf('/v1/feeds/home', reader, { strategy }), `${reader}, ${strategy}`).toEqual(home);
      expect(await idsOf('/v1/feeds/home', reader, { strategy, aggregate: 'true' })).toEqual(home);
    }
    const toMe = since(lowest, ({ to }) => to?.includes(reader) ?? false);
    const notified = [...toMe, ...(reader === 'reader-0' ? [oldFollow] : [])].sort().reverse();
    expect(await idsOf('/v1/feeds/notifications', reader), `notifications of ${reader}`).toEqual(notified);
    const { unread } = await platform.feedApi.succeed<{ unread: number }>('GET', '/v1/feeds/notifications', {
      actAs: reader,
    });
    expect(unread).toBe(notified.length);
  }
  for (const author of authors) {
    const done = since(lowest, ({ actorId, to }) => actorId === author && to === undefined);
    expect(await idsOf(`/v1/users/${author}/feed`, 'reader-0'), author).toEqual(done);
  }
}

async function countRows(sql: string): Promise<number> {
  const { rows } = await platform.database.query<{ count: string }>(`select count(*) from ${sql}`, [horizon]);
  return Number(rows[0]?.count);
}

const expired = {
  activities: 'activities where id < $1',
  notifications: 'notifications where id < $1 and not is_follow',
  tombstones: 'tombstones where activity_id < $1',
  weeks: 'author_weeks where week < activity_week($1)',
};

async function expectNothingExpired(): Promise<void> {
  for (const [what, sql] of Object.entries(expired)) {
    expect(await countRows(sql), what).toBe(0);
  }
}

async function differences(): Promise<number> {
  const report = await withVerifyTools(platform.settings, (tools) =>
    verifyFeeds(
      tools,
      { all: true },
      { repair: false, patienceMs: 30_000, onStart: () => undefined, onProgress: () => undefined },
    ),
  );
  return report.different.length + report.undecided.length;
}

test('without a retention everything is kept', async () => {
  await expectFeeds(lowestIdFrom(0));
  for (const [what, sql] of Object.entries(expired)) {
    expect(await countRows(sql), what).toBeGreaterThan(0);
  }
});

test('content of weeks that are over is gone from every feed, and the rest is as it was', async () => {
  platform.settings.retentionDays = retentionDays;
  await setUp({ ...platform.settings, partitions: 6, replicationFactor: 1 });
  await platform.stopFanout();
  await platform.startFanout();

  const reader = { actAs: 'reader-0' };
  const gone = since('', ({ id, to }) => id < horizon && to === undefined)[0] ?? '';
  await waitUntil(
    'feed-api knows',
    async () => (await platform.feedApi.request('GET', `/v1/activities/${gone}`, reader)).status === 404,
    10_000,
  );
  // Before anything is dropped.
  await expectFeeds(horizon);
  await waitUntil(
    'expired content is taken away',
    async () => (await countRows(expired.weeks)) === 0 && (await countRows(expired.tombstones)) === 0,
    40_000,
  );
  await expectNothingExpired();
  await expectFeeds(horizon);

  const { buckets } = await platform.feedApi.succeed<{ buckets: { start: number; count: number }[] }>(
    'GET',
    `/v1/stats/activities?bucket=1d&from=${Date.now() - spreadMs}`,
    reader,
  );
  expect(buckets.every(({ start }) => start >= horizonMs)).toBe(true);
  expect(await differences()).toBe(0);
});

test('what is posted from before the horizon is refused, in a batch and in a stream by its place', async () => {
  const expiredPost = post(horizonMs - 1);
  await waitUntil(
    'ingest knows',
    async () => (await platform.ingest.request('POST', '/v1/activities', { body: expiredPost })).status === 400,
    10_000,
  );
  const batch = await platform.ingest.request('POST', '/v1/activities', { body: [post(horizonMs), expiredPost] });
  expect(batch).toMatchObject({
    status: 400,
    body: { error: { code: 'invalid_request', details: [{ path: '1.timestamp' }] } },
  });
  const lines = await fetch(`${platform.ingest.origin}/v1/activities`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson', 'x-app-key': 'demo-producer' },
    body: [expiredPost, post(horizonMs)].map((line, i) => JSON.stringify({ ...line, foreignId: `f-${i}` })).join('\n'),
  });
  const [first, second] = (await lines.text())
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Posted);
  expect(first).toMatchObject({ line: 1, error: { code: 'invalid_request' } });
  expect(timestampOf(second?.id ?? '')).toBe(horizonMs);
  posted.push({ id: second?.id ?? '', actorId: 'author-1' });
  await platform.settle();
  await expectFeeds(horizon);
});

function post(timestamp: number) {
  return { actorId: 'author-1', verb: 'post', objectType: 'note', objectId: 'late', timestamp };
}

test('a replay of the whole log brings nothing back, nor does a lost Redis', async () => {
  await platform.stopFanout();
  const groupId = fanoutGroup(platform.namespace);
  await platform.admin.resetOffsets({ groupId, topic: platform.topic, earliest: true });
  await platform.startFanout();
  await platform.settle();
  expect(await countRows(expired.activities)).toBe(0);
  expect(await countRows(expired.notifications)).toBe(0);
  expect(await countRows(expired.weeks)).toBe(0);
  await expectFeeds(horizon);
  expect(await differences()).toBe(0);

  await platform.redis.flushall();
  await warm();
  await expectFeeds(horizon);
  expect(await differences()).toBe(0);
});
