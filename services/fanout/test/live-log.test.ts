import { randomUUID } from 'node:crypto';
import { activityIdFromBytes, lowestActivityId } from '@tideline/shared/activity-id';
import { bucketOf, liveChannel } from '@tideline/shared/feed-keys';
import type { ListKind } from '@tideline/shared/feed-lists';
import type { LiveRecord } from '@tideline/shared/live-records';
import { dropLists, dropPullTokens, dropRegisters } from '@tideline/shared/registers';
import { hold, RedisFeedLists, TestedLists } from '@tideline/testing/feed-lists';
import { LiveWatcher } from '@tideline/testing/live-watcher';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { appendPulled } from '../src/inbox/pulled-log.js';

/** What happens to those who watch is recorded by the script that does it: each change once, in order, or `changed`. */

const cap = 8;
const namespace = `live-${randomUUID().slice(0, 8)}`;

let epoch = '1';
let lists: RedisFeedLists;
let redis: RedisFeedLists['redis'];
let inboxes: TestedLists;
let live: RedisFeedLists['live'];

beforeAll(async () => {
  lists = await RedisFeedLists.open(namespace, { epochOf: () => Promise.resolve(epoch) }, cap);
  ({ redis, live } = lists);
  inboxes = new TestedLists(lists.store, 'inbox');
});
beforeEach(async () => {
  await inboxes.announceFence();
});
afterAll(async () => {
  await redis.unlink(...(await redis.keys(`${namespace}:*`)));
  await lists.close();
});

const ids = Array.from({ length: 84 }, (_, i) => activityIdFromBytes(Buffer.alloc(16, 1 + i * 3)));
const [first = '', second = '', third = '', fourth = ''] = ids;

async function watch(userId: string): Promise<LiveWatcher> {
  return LiveWatcher.ofUser(live, userId);
}

/** Where one that begins now would read on from. */
async function positionOf(userId: string): Promise<string> {
  return (await live.watch([userId])).get(userId) ?? '';
}

/** Kind and id of each record. */
async function newsOf(watcher: LiveWatcher): Promise<string[]> {
  return (await watcher.news()).map((record) => inWords(record));
}

function inWords({ kind, activityId }: LiveRecord): string {
  return activityId === undefined ? kind : `${kind} ${ids.indexOf(activityId)}`;
}

async function ready(userId: string, some: readonly string[], kind: ListKind = 'inbox'): Promise<void> {
  const built = new TestedLists(lists.store, kind);
  const token = (await built.begin(userId, true)) ?? Buffer.alloc(0);
  const newestFirst = [...some].sort().reverse();
  expect(await built.finish(userId, token, newestFirst, lowestActivityId)).toBe(true);
}

const kinds = [
  ['inbox', 'home'],
  ['notifications', 'notifications'],
] as const;

describe.each(kinds)('of %s', (kind, word) => {
  const name = (what: string) => `${kind}-${what}`;
  const tested = () => new TestedLists(lists.store, kind);

  test('each id that is put in is recorded once, however often it comes', async () => {
    const user = name('once');
    await ready(user, [second], kind);
    const watcher = await watch(user);
    await tested().insert({ [user]: [first, third] });
    await tested().insert({ [user]: [first, second, third, fourth] });
    await tested().insert({ [user]: [fourth] });
    expect(await newsOf(watcher)).toEqual([`${word}_added 0`, `${word}_added 2`, `${word}_added 3`]);
  });

  test('each id that is deleted is recorded, also where the list does not reach it any more', async () => {
    const user = name('removed');
    await ready(user, [first, third], kind);
    const watcher = await watch(user);
    await tested().remove({ [user]: [first, second] });
    await tested().remove({ [user]: [third] });
    expect(await newsOf(watcher)).toEqual([`${word}_removed 0`, `${word}_removed 1`, `${word}_removed 2`]);
  });

  test('what changes the list otherwise says to read it again', async () => {
    const user = name('otherwise');
    await ready(user, [first], kind);
    const watcher = await watch(user);
    await tested().insert({ [user]: [second] }, 'start_over');
    expect(await newsOf(watcher), 'a follow').toEqual([`${word}_changed`]);
    await tested().remove({ [user]: [first, second] }, hold, 'read_again');
    expect(await newsOf(watcher), 'an unfollow').toEqual([`${word}_changed`]);
    await lists.cache.run(dropLists(lists.cache, kind, [user]));
    expect(await newsOf(watcher), 'a drop').toEqual([`${word}_changed`]);
  });

  test('a list that is missing or being built cannot say what is new: it is to be read again', async () => {
    const user = name('missing');
    const watcher = await watch(user);
    await tested().insert({ [user]: [first] });
    await tested().insert({ [user]: [first] }, 'start_over');
    await tested().remove({ [user]: [first] }, hold, 'read_again');
    expect(await newsOf(watcher), 'missing').toEqual(Array.from({ length: 3 }, () => `${word}_changed`));
    await tested().begin(user, false);
    await tested().insert({ [user]: [second] });
    expect(await newsOf(watcher), 'being built').toEqual([`${word}_changed`]);
    await tested().remove({ [user]: [second] });
    expect(await newsOf(watcher), 'its builder starts over').toEqual([`${word}_changed`, `${word}_removed 1`]);
  });

  test('a list that was built may have what is delivered only afterwards: it is to be read again', async () => {
    const user = name('built');
    const watcher = await watch(user);
    await ready(user, [first, second], kind);
    expect(await newsOf(watcher)).toEqual([`${word}_changed`]);
    await tested().insert({ [user]: [second, third] });
    expect(await newsOf(watcher)).toEqual([`${word}_added 2`]);
  });

  test('what is older than the list is not recorded', async () => {
    const user = name('floor');
    await ready(user, ids.slice(10, 30), kind);
    const watcher = await watch(user);
    await tested().insert({ [user]: [first] });
    expect(await newsOf(watcher)).toEqual([]);
  });
});

test('in one entry are all records of a call, also of several users', async () => {
  const users = sameBucket(3);
  await Promise.all(users.map((user) => ready(user, [])));
  const [watcher] = await Promise.all(users.slice(0, 2).map((user) => watch(user)));
  const bucket = bucketOf(users[0] ?? '');
  const before = await lastEntry(bucket);
  await inboxes.insert(Object.fromEntries(users.map((user, i) => [user, ids.slice(i, 2 + i)])));
  const { entries } = await live.read(bucket, before, 10);
  expect(entries.map(({ records }) => records.map((record) => `${record.userId} ${inWords(record)}`))).toEqual([
    [`${users[0]} home_added 0`, `${users[0]} home_added 1`, `${users[1]} home_added 1`, `${users[1]} home_added 2`],
  ]);
  expect(await watcher?.news()).toHaveLength(2);
});

test('of a user whom nobody watches nothing is recorded, and of the outbox of one who is neither', async () => {
  const [watched = '', other = ''] = sameBucket(2);
  await Promise.all([ready(watched, []), ready(watched, [], 'outbox'), ready(other, [])]);
  const watcher = await watch(watched);
  const before = await lastEntry(bucketOf(watched));
  await inboxes.insert({ [other]: [first] });
  await inboxes.remove({ [other]: [first] });
  await new TestedLists(lists.store, 'outbox').insert({ [watched]: [first] });
  await lists.cache.run([...dropLists(lists.cache, 'outbox', [watched]), ...dropPullTokens(lists.cache, [watched])]);
  await lists.cache.run(dropRegisters(lists.cache, [other]));
  expect(await newsOf(watcher)).toEqual([]);
  expect(await lastEntry(bucketOf(watched))).toBe(before);
});

test('a register that is dropped is recorded, also where none was there', async () => {
  const watcher = await watch('registered');
  await lists.cache.run(dropRegisters(lists.cache, ['registered']));
  expect(await newsOf(watcher)).toEqual(['register_changed']);
});

test('who is fenced off records nothing', async () => {
  await ready('fenced', [first]);
  const watcher = await watch('fenced');
  const old = { ...hold, fence: '6' };
  await expect(inboxes.insert({ fenced: [second] }, 'accept', old)).rejects.toMatchObject({ code: 'fenced' });
  await expect(inboxes.remove({ fenced: [first] }, old)).rejects.toMatchObject({ code: 'fenced' });
  expect(await newsOf(watcher)).toEqual([]);
});

test('it is told which bucket has a new entry', async () => {
  await ready('told', []);
  const listener = redis.duplicate();
  const heard: string[] = [];
  listener.on('message', (_channel, message: string) => heard.push(message));
  await listener.subscribe(liveChannel(namespace));
  await watch('told');
  await inboxes.insert({ told: [first] });
  const bucket = String(bucketOf('told'));
  await waitUntil('both entries were told of', () => heard.filter((message) => message === bucket).length === 2);
  listener.disconnect();
});

test('who is watched on is not begun anew, and who comes back too late can see that something is missing', async () => {
  await ready('late', []);
  const watcher = await watch('late');
  const position = await positionOf('late');
  expect(await newsOf(watcher)).toEqual([]);
  await inboxes.insert({ late: [first] });
  expect(await positionOf('late')).not.toBe(position);
  expect(await newsOf(watcher)).toEqual(['home_added 0']);

  // The lease ended, and somebody else of the bucket was watched meanwhile.
  const bucket = bucketOf('late');
  await redis.zadd(lists.cache.keys.watched(bucket), 1, 'late');
  await watch(sameBucket(1, bucket)[0] ?? '');
  await inboxes.insert({ late: [second] });
  expect(await newsOf(watcher)).toEqual([]);
  await positionOf('late');
  expect(await newsOf(watcher)).toEqual(['watch_began']);
});

test('a lease that has ended counts until the user is forgotten', async () => {
  await ready('overdue', []);
  const watcher = await watch('overdue');
  await redis.zadd(lists.cache.keys.watched(bucketOf('overdue')), 1, 'overdue');
  await inboxes.insert({ overdue: [first] });
  await positionOf('overdue');
  expect(await newsOf(watcher)).toEqual(['home_added 0']);
});

test('watching keeps the stream, the watch and the lists that are ready, and no list that nobody builds any more', async () => {
  const { keys } = lists.cache;
  const bucket = bucketOf('kept');
  await ready('kept', []);
  await new TestedLists(lists.store, 'notifications').begin('kept', false);
  await watch('kept');
  const kept = [keys.live(bucket), keys.watched(bucket), keys.list('inbox', 'kept')];
  await Promise.all(kept.map((key) => redis.expire(key, 5)));
  await watch('kept');
  const secondsOf = (key: string) => redis.ttl(key);
  expect(await Promise.all(kept.map(secondsOf))).toEqual([
    expect.closeTo(3_600, -1),
    expect.closeTo(300, -1),
    expect.closeTo(14 * 86_400, -1),
  ]);
  expect(await secondsOf(keys.list('notifications', 'kept'))).toBeLessThanOrEqual(30);
});

test('a position that is not there any more says so, and so does one that never was', async () => {
  const bucket = bucketOf('positions');
  const position = await positionOf('positions');
  expect(await live.has(bucket, position)).toBe(true);
  for (const never of ['0-1', '99999999999999-0', 'nonsense', '', '-', '(1-1', `${position}7`]) {
    expect(await live.has(bucket, never)).toBe(false);
    expect(await live.read(bucket, never, 5)).toEqual({ complete: false, entries: [] });
  }
  await redis.unlink(lists.cache.keys.live(bucket));
  expect(await live.has(bucket, position)).toBe(false);
  // Watching on makes an entry to go on from.
  expect(await live.has(bucket, await positionOf('positions'))).toBe(true);
});

test('a stream is cut back: to some thousand entries, to fewer where they are large', async () => {
  const users = sameBucket(40);
  await Promise.all(users.map((user) => ready(user, [])));
  await Promise.all(users.map((user) => watch(user)));
  const stream = lists.cache.keys.live(bucketOf(users[0] ?? ''));
  const start = await live.watch(users.slice(0, 1));
  const everybody = Object.fromEntries(users.map((user) => [user, ids.slice(0, 30)]));
  for (let i = 0; i < 60; i += 1) {
    await inboxes.insert(everybody);
    await inboxes.remove(everybody);
  }
  // 40 users with 30 ids each are 30 KB an entry.
  expect(await redis.xlen(stream)).toBeLessThan(70);
  expect(Number(await redis.memory('USAGE', stream))).toBeLessThan(4_000_000);
  expect(await live.has(bucketOf(users[0] ?? ''), start.get(users[0] ?? '') ?? '')).toBe(false);
});

test('the stream of merged authors always has an entry to go on from', async () => {
  const position = await live.lastPulled();
  expect(await live.lastPulled()).toBe(position);
  expect(await live.read('pulled', position, 10)).toEqual({ complete: true, entries: [] });
});

test('what merged authors do is recorded once, as far as the newest 10,000 are remembered', async () => {
  const watcher = await LiveWatcher.ofPulled(live);
  const record = (kind: 'home_added' | 'home_removed', userId: string, activityId = first) => ({
    kind,
    userId,
    activityId,
  });
  const append = (...records: LiveRecord[]) => appendPulled(lists.cache, hold, records);
  await append(record('home_added', 'star'), record('home_added', 'idol', second), record('home_added', 'star'));
  await append(record('home_added', 'star'));
  await append(record('home_removed', 'star'), record('home_added', 'idol', second));
  await append(record('home_removed', 'star'));
  expect(await watcher.news()).toEqual([
    record('home_added', 'star'),
    record('home_added', 'idol', second),
    record('home_removed', 'star'),
  ]);
  const old = { ...hold, fence: '6' };
  await expect(appendPulled(lists.cache, old, [record('home_added', 'late', third)])).rejects.toMatchObject({
    code: 'fenced',
  });
  const many = Array.from({ length: 12_000 }, (_, i) => {
    const id = Buffer.alloc(16, 9);
    id.writeUInt32BE(i, 12);
    return record('home_added', 'star', activityIdFromBytes(id));
  });
  for (let start = 0; start < many.length; start += 2_000) {
    await append(...many.slice(start, start + 2_000));
  }
  expect(await watcher.news()).toEqual(many);
  expect(await redis.zcard(lists.cache.keys.livePulledIds())).toBe(10_000);
  await append(...many.slice(-2_000));
  expect(await watcher.news()).toEqual([]);
});

test('in another cache epoch nothing goes on', async () => {
  await ready('epochal', []);
  const position = await positionOf('epochal');
  epoch = String(Number(epoch) + 1);
  const buckets = await redis.keys(`${namespace}:*:epoch`);
  await redis.mset(Object.fromEntries(buckets.map((key) => [key, epoch])));
  await expect(live.read(bucketOf('epochal'), position, 10)).rejects.toMatchObject({ code: 'cache_refused' });
  await lists.cache.settled();
  expect(await live.has(bucketOf('epochal'), position)).toBe(false);
});

let users = 0;

/** New users of one bucket. */
function sameBucket(count: number, bucket = bucketOf(`first-${users}`)): string[] {
  const found: string[] = [];
  while (found.length < count) {
    const user = `user-${users}`;
    users += 1;
    if (bucketOf(user) === bucket) {
      found.push(user);
    }
  }
  return found;
}

async function lastEntry(bucket: number): Promise<string> {
  const [last] = await redis.xrevrange(lists.cache.keys.live(bucket), '+', '-', 'COUNT', 1);
  return last?.[0] ?? '';
}
