import { publishProjections } from '@tideline/deploy/rebuild/publish-projections';
import { rebuildProjections } from '@tideline/deploy/rebuild/rebuild-projections';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { firstPages, hashesOfFeeds, makeHistory, pollFeeds, users } from '@tideline/testing/whole-history';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** I12: whatever becomes of the projections, the events make the same feeds. */

const projections = [
  'follows',
  'relations',
  'tombstones',
  'users',
  'objects',
  'authors',
  'author_weeks',
  'notifications',
];

let platform: Platform;
beforeAll(async () => {
  // Some authors are pulled, some inboxes are cut; statements are refused while projections are closed.
  platform = await startPlatform({ followerThreshold: 12, inboxCap: 40, refusals: 'expected' });
  await makeHistory(platform);
});
afterAll(() => platform.stop());

async function rebuild(): Promise<{ written: number; removed: number }> {
  const report = await rebuildProjections({ databaseUrl: platform.settings.databaseUrl, again: false });
  await publishProjections(platform.settings);
  return { written: report.written, removed: report.removed };
}

const emptied = () => platform.database.query(`truncate ${projections.join(', ')}`);

test('every projection is emptied and Redis flushed under readers: the rebuild makes the same feeds, and nobody saw others', async () => {
  const before = await hashesOfFeeds(platform);
  const polling = pollFeeds(platform, await firstPages(platform));
  await waitUntil('pages are read', () => polling.counts.right >= users.length);

  await emptied();
  await platform.redis.flushall();
  await waitUntil('pages that need projections are refused', () => polling.counts.refused >= users.length);
  const { written, removed } = await rebuild();
  expect(written).toBeGreaterThan(100);
  expect(removed).toBe(0);

  const { right } = polling.counts;
  await waitUntil('pages are right again', () => polling.counts.right >= right + 2 * users.length);
  await polling.stop();
  expect(polling.wrong).toEqual([]);
  await platform.settle();
  expect(await hashesOfFeeds(platform)).toEqual(before);
});

test('what is right is not touched, and readers notice nothing', async () => {
  await platform.settle();
  const polling = pollFeeds(platform, await firstPages(platform));
  expect(await rebuild()).toEqual({ written: 0, removed: 0 });
  const { right } = polling.counts;
  await waitUntil('pages are read', () => polling.counts.right >= right + users.length);
  await polling.stop();
  expect({ ...polling.counts, right: polling.counts.right > 0, wrong: polling.wrong }).toEqual({
    right: true,
    refused: 0,
    wrong: [],
  });
});

test('whatever somebody did to projections is undone', async () => {
  const before = await hashesOfFeeds(platform);
  for (const change of [
    `delete from follows where follower_id < 'u15'`,
    `update follows set active = not active where follower_id = 'u2'`,
    `insert into follows (follower_id, followee_id, active, changed_at, log_generation, log_partition, log_offset)
     select 'u3', id, true, now(), 1, 0, 0 from users where id in ('u4', '1') on conflict do nothing`,
    `update relations set active = not active`,
    `delete from tombstones where log_offset % 2 = 0`,
    `insert into tombstones (activity_id, author_id, deleted_at, log_generation, log_partition, log_offset)
     select id, actor_id, now(), log_generation, log_partition, log_offset from activities order by id desc limit 40 on conflict do nothing`,
    `update users set name = 'somebody', avatar = 'https://example.org/other.png' where log_generation > 0`,
    `update objects set title = 'another', owner_id = null`,
    `update authors set follower_count = follower_count + 3`,
    `delete from author_weeks where week % 2 = 0`,
    `insert into author_weeks (author_id, week) select 'u6', week from generate_series(100, 120) week`,
    `delete from notifications where user_id = 'u1'`,
    `insert into notifications (user_id, id, actor_id, is_follow)
     select 'u5', id, actor_id, false from activities limit 5 on conflict do nothing`,
  ]) {
    await platform.database.query(change);
  }
  const { written, removed } = await rebuild();
  expect(written).toBeGreaterThan(100);
  expect(removed).toBeGreaterThan(50);
  await platform.settle();
  expect(await hashesOfFeeds(platform)).toEqual(before);
});

test('while it runs, what is posted, followed and deleted is neither lost nor undone', async () => {
  await emptied();
  const posting = (async () => {
    const ids: string[] = [];
    for (let i = 0; i < 60; i += 1) {
      const body = { actorId: 'u1', verb: 'post', objectType: 'note', objectId: `meanwhile-${i}` };
      ids.push((await platform.ingest.succeed<{ id: string }>('POST', '/v1/activities', { body })).id);
      await platform.ingest.succeed('POST', '/v1/follows', { body: [{ followerId: `m${i}`, followeeId: 'u1' }] });
    }
    return ids;
  })();
  await rebuild();
  const ids = await posting;
  const [deleted = ''] = ids;
  await platform.ingest.succeed('DELETE', `/v1/activities/${deleted}`, { actAs: 'u1' });
  await platform.settle();
  const feed = await platform.feedApi.walk('/v1/feeds/home', 'm7', 50);
  expect(feed.map(({ id }) => id)).toEqual(expect.arrayContaining(ids.slice(1)));
  expect(feed.map(({ id }) => id)).not.toContain(deleted);
  const before = await hashesOfFeeds(platform);
  expect(await rebuild()).toEqual({ written: 0, removed: 0 });
  expect(await hashesOfFeeds(platform)).toEqual(before);
});

test('one that is interrupted goes on behind what it did; emptying a projection undoes that', async () => {
  const { databaseUrl } = platform.settings;
  const steps: string[] = [];
  const stop = new AbortController();
  const interrupted = rebuildProjections({
    databaseUrl,
    again: true,
    signal: stop.signal,
    onStep(name) {
      steps.push(name);
      if (steps.length === 3) {
        stop.abort();
      }
    },
  });
  await expect(interrupted).rejects.toMatchObject({ name: 'AbortError' });
  const goneOn = await rebuildProjections({ databaseUrl, again: false, onStep: (name) => steps.push(name) });
  expect(goneOn.skipped).toBe(3);
  expect(new Set(steps).size).toBe(steps.length);
  expect(steps).toHaveLength(goneOn.steps);

  expect(await rebuildProjections({ databaseUrl, again: false })).toMatchObject({ skipped: goneOn.steps });
  await emptied();
  expect(await rebuildProjections({ databaseUrl, again: false })).toMatchObject({ skipped: 0 });
  await publishProjections(platform.settings);
  expect(await rebuildProjections({ databaseUrl, again: false })).toMatchObject({ skipped: 0 });
});
