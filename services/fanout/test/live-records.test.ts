import type { LiveRecordKind } from '@tideline/shared/live-records';
import { fanoutGroup } from '@tideline/shared/topics';
import { RedisFeedLists } from '@tideline/testing/feed-lists';
import { LiveWatcher } from '@tideline/testing/live-watcher';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** What the whole system records for those who watch, also where all of it comes again. Every test has users of its own. */

const home = '/v1/feeds/home';
const followerThreshold = 3;

let platform: Platform;
let lists: RedisFeedLists;

beforeAll(async () => {
  platform = await startPlatform({ followerThreshold });
  const { rows } = await platform.database.query<{ epoch: string }>('select epoch::text from cache_epoch');
  const epoch = rows[0]?.epoch ?? '';
  lists = await RedisFeedLists.open(platform.namespace, { epochOf: () => Promise.resolve(epoch) }, 500);
});
afterAll(async () => {
  await lists.close();
  await platform.stop();
});

async function follow(followeeId: string, ...followerIds: string[]): Promise<void> {
  const body = followerIds.map((followerId) => ({ followerId, followeeId }));
  await platform.ingest.succeed('POST', '/v1/follows', { body });
}

async function post(actorId: string, foreignId?: string, timestamp = Date.now()): Promise<string> {
  const body = { actorId, verb: 'post', objectType: 'note', objectId: 'n', timestamp, ...(foreignId && { foreignId }) };
  return (await platform.ingest.succeed<{ id: string }>('POST', '/v1/activities', { body })).id;
}

async function removeActivity(actorId: string, id: string): Promise<void> {
  await platform.ingest.succeed('DELETE', `/v1/activities/${id}`, { actAs: actorId });
}

/** Watches a reader whose inbox is there. */
async function watch(reader: string): Promise<LiveWatcher> {
  await platform.settle();
  await platform.feedApi.walk(home, reader, 50, {});
  await platform.settle();
  return LiveWatcher.ofUser(lists.live, reader);
}

/** Ids of what was recorded in this way since the last time, once the system is at rest. */
async function idsOf(watcher: LiveWatcher, kind: LiveRecordKind): Promise<(string | undefined)[]> {
  await platform.settle();
  return (await watcher.news()).filter((record) => record.kind === kind).map(({ activityId }) => activityId);
}

/** Everything that is on the log comes once more, as after a lost commit of offsets. */
async function redeliverAll(): Promise<void> {
  await platform.settle();
  await platform.stopFanout();
  await platform.admin.deleteGroups([fanoutGroup(platform.namespace)]);
  await platform.startFanout();
  await platform.settle();
}

test('posts of followed authors are recorded once each, whatever comes again', async () => {
  await follow('author', 'reader');
  const watcher = await watch('reader');
  const ids = [await post('author'), await post('reader'), await post('author')];
  expect((await idsOf(watcher, 'home_added')).sort()).toEqual([...ids].sort());
  await removeActivity('author', ids[0] ?? '');
  expect(await idsOf(watcher, 'home_removed')).toEqual([ids[0]]);
  await redeliverAll();
  const again = (await watcher.news()).map(({ kind }) => kind);
  // A follow, and what is gone, may be told of as often as one likes.
  expect(new Set(again)).toEqual(new Set(['home_changed', 'register_changed', 'home_removed']));
});

test('a follow and an unfollow say to read the feed again, a mute that pages are to be checked anew', async () => {
  await post('newcomer');
  const watcher = await watch('changer');
  const kinds = async () => {
    await platform.settle();
    return new Set((await watcher.news()).map(({ kind }) => kind));
  };
  await follow('newcomer', 'changer');
  expect(await kinds()).toEqual(new Set(['home_changed', 'register_changed']));
  await platform.ingest.succeed('DELETE', '/v1/follows/newcomer', { actAs: 'changer' });
  expect(await kinds()).toEqual(new Set(['home_changed', 'register_changed']));
  await platform.ingest.succeed('PUT', '/v1/mutes/newcomer', { actAs: 'changer' });
  expect(await kinds()).toEqual(new Set(['register_changed']));
});

test('a correction is recorded before it is acknowledged, with or without fanout', async () => {
  await follow('noisy', 'quick');
  const watcher = await watch('quick');
  await platform.stopFanout();
  try {
    await platform.ingest.succeed('DELETE', '/v1/follows/noisy', { actAs: 'quick' });
    expect((await watcher.news()).map(({ kind }) => kind)).toEqual(['register_changed']);
  } finally {
    await platform.startFanout();
  }
});

test('what a pulled author does is recorded once for all, whatever comes again, and so is what is gone of it', async () => {
  await follow('star', 'a', 'b', 'c', 'd');
  await platform.settle();
  const watcher = await LiveWatcher.ofPulled(lists.live);
  const [id, other] = [await post('star', 'unique', 1_700_000_000_000), await post('star')];
  expect(await settledNews(watcher)).toEqual(
    [id, other].sort().map((activityId) => ({ kind: 'home_added', userId: 'star', activityId })),
  );
  await removeActivity('star', other);
  expect(await settledNews(watcher)).toEqual([{ kind: 'home_removed', userId: 'star', activityId: other }]);
  await redeliverAll();
  expect(await watcher.news()).toEqual([]);

  // Long after, nobody remembers what was recorded: then a producer sends it once more.
  await lists.redis.unlink(lists.cache.keys.livePulledIds());
  expect(await post('star', 'unique', 1_700_000_000_000)).toBe(id);
  expect(await settledNews(watcher)).toEqual([]);
});

test('what an author did before it crossed the threshold is no news after it, whatever comes again', async () => {
  await follow('riser', 'i');
  const watcher = await watch('i');
  const pulled = await LiveWatcher.ofPulled(lists.live);
  const pulledNews = async () => (await settledNews(pulled)).filter(({ userId }) => userId === 'riser');
  const pushed = await post('riser');
  expect(await idsOf(watcher, 'home_added')).toEqual([pushed]);
  await follow('riser', 'j', 'k', 'l');
  await platform.settle();
  const lazy = await post('riser');
  expect(await pulledNews()).toEqual([{ kind: 'home_added', userId: 'riser', activityId: lazy }]);
  await redeliverAll();
  expect(await pulledNews()).toEqual([]);
  await platform.ingest.succeed('DELETE', '/v1/follows/riser', { actAs: 'j' });
  await platform.ingest.succeed('DELETE', '/v1/follows/riser', { actAs: 'k' });
  await platform.settle();
  await watcher.news();
  const pushedAgain = await post('riser');
  expect(await idsOf(watcher, 'home_added')).toEqual([pushedAgain]);
  await redeliverAll();
  expect(await idsOf(watcher, 'home_added')).toEqual([]);
  expect(await pulledNews()).toEqual([]);
});

test('what is pushed while its author is pulled for others is nobody else’s news', async () => {
  await follow('idol', 'e', 'f', 'g', 'h');
  const watcher = await watch('e');
  const pulled = await LiveWatcher.ofPulled(lists.live);
  const body = { actorId: 'idol', verb: 'post', objectType: 'note', objectId: 'n', to: ['e'] };
  const { id } = await platform.ingest.succeed<{ id: string }>('POST', '/v1/activities', { body });
  expect(await idsOf(watcher, 'home_added')).toEqual([id]);
  expect(await pulled.news()).toEqual([]);
});

test('whoever is told of an activity finds its body', async () => {
  await follow('writer', 'fan');
  const watcher = await watch('fan');
  // Redis does one thing after the other, and tells in which order.
  const monitor = await lists.redis.monitor();
  const order: string[] = [];
  monitor.on('monitor', (_time, [command = '', key = '']: string[]) => order.push(`${command.toLowerCase()} ${key}`));
  const id = await post('writer');
  expect(await idsOf(watcher, 'home_added')).toEqual([id]);
  monitor.disconnect();
  const body = order.indexOf(`set ${lists.cache.keys.body(id)}`);
  const record = order.findIndex((line) => line.startsWith('xadd') && line.includes(platform.namespace));
  expect(body).toBeGreaterThan(-1);
  expect(record).toBeGreaterThan(body);
});

async function settledNews(watcher: LiveWatcher) {
  await platform.settle();
  return watcher.news();
}
