import { activityIdFromBytes } from '@tideline/shared/activity-id';
import { FeedKeys } from '@tideline/shared/feed-keys';
import { encodeReadyList } from '@tideline/shared/verify/stored-feeds';
import { readMetrics } from '@tideline/testing/metrics-page';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** The background half of the audit (E12): `deploy/test/verify.test.ts` has the other one, and every kind of fault. */

const reader = 'patrolled';
const readers = Array.from({ length: 60 }, (_, i) => `other-${i}`);
const counter = 'tideline_verify_readers_total';

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({ fanout: false });
});
afterAll(() => platform.stop());

test('every user has a turn, and a feed that differs is counted and named in the log', async () => {
  const fanouts = [await platform.spawn('fanout', { TIDELINE_VERIFY_INTERVAL_MS: '100' })];
  fanouts.push(await platform.spawn('fanout', { TIDELINE_VERIFY_INTERVAL_MS: '100' }));
  const counted = async (result: string) => {
    const pages = await Promise.all(fanouts.map(({ ports }) => readMetrics(ports.operations)));
    return pages.reduce((sum, page) => sum + page.sum(counter, { result }), 0);
  };
  for (const actorId of [...readers, reader]) {
    const body = { actorId, verb: 'post', objectType: 'note', objectId: 'n' };
    await platform.ingest.succeed('POST', '/v1/activities', { body });
  }
  await platform.settle();
  await platform.feedApi.succeed('GET', '/v1/feeds/home', { actAs: reader });
  await platform.settle();
  const before = await counted('equal');
  await waitUntil('everybody was looked at', async () => (await counted('equal')) > before + 2 * readers.length);
  expect([await counted('different'), await counted('undecided')]).toEqual([0, 0]);

  const { rows } = await platform.database.query<{ epoch: string }>('select epoch::text from cache_epoch');
  const key = new FeedKeys(platform.namespace, rows[0]?.epoch ?? '').list('inbox', reader);
  const [id] = await platform.redis.lrangeBuffer(key, 0, 0);
  await platform.redis.unlink(key);
  await platform.redis.rpush(key, ...encodeReadyList([]));
  await waitUntil('the difference was counted', async () => (await counted('different')) > 0);

  const lines = fanouts.flatMap(({ output }) => output.split('\n')).filter((line) => line.includes('differs from'));
  expect(JSON.parse(lines[0] ?? '{}')).toMatchObject({
    level: 40,
    reader,
    count: 1,
    differences: [
      { list: 'inbox', fault: 'missing', id: activityIdFromBytes(id ?? Buffer.alloc(0)), authorId: reader },
    ],
  });
  // One process alone walks.
  expect(fanouts.filter(({ output }) => output.includes('differs from'))).toHaveLength(1);
  await Promise.all(fanouts.map((fanout) => fanout.signal('SIGTERM')));
  expect(fanouts.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
});
