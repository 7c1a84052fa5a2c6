import type { FeedItem } from '@tideline/shared/activity';
import { FeedKeys } from '@tideline/shared/feed-keys';
import { randomNumbers } from '@tideline/testing/history';
import type { PageBody } from '@tideline/testing/http-client';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NotificationWorld } from './notification-world.js';

/** E11: what notifies whom, what is seen and read, and that it is exact whatever happens to Redis. */

const inboxCap = 20;
const dayMs = 86_400_000;
const path = '/v1/feeds/notifications';

interface Notification extends FeedItem {
  seen: boolean;
  read: boolean;
}

type NotificationPage = PageBody<Notification> & { unseen: number; unread: number };

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({ inboxCap, followerThreshold: 4 });
});
afterAll(() => platform.stop());

async function page(reader: string, query = ''): Promise<NotificationPage> {
  return platform.feedApi.succeed<NotificationPage>('GET', `${path}?${query}`, { actAs: reader });
}

async function all(reader: string, limit = 50): Promise<Notification[]> {
  return (await platform.feedApi.walk(path, reader, limit)) as Notification[];
}

async function counts(reader: string): Promise<[unseen: number, unread: number]> {
  const { unseen, unread } = await page(reader, 'limit=1');
  return [unseen, unread];
}

async function mark(reader: string, as: 'seen' | 'read', body: object): Promise<unknown> {
  return platform.feedApi.succeed('POST', `${path}/${as}`, { actAs: reader, body });
}

/** Describes an object as belonging to a user. */
async function own(ownerId: string, objectId: string): Promise<void> {
  await platform.ingest.succeed('PUT', `/v1/objects/note/${objectId}`, { actAs: ownerId, body: { title: objectId } });
}

interface Deed {
  actorId: string;
  verb?: string;
  objectId: string;
  to?: string[];
  timestamp?: number;
}

/** Writes activities about notes; returns their ids. */
async function write(...deeds: Deed[]): Promise<string[]> {
  const body = deeds.map((deed) => ({ verb: 'like', objectType: 'note', ...deed }));
  const { items } = await platform.ingest.succeed<{ items: { id: string }[] }>('POST', '/v1/activities', { body });
  await platform.settle();
  return items.map(({ id }) => id);
}

async function change(method: 'PUT' | 'DELETE', what: string, userId: string, otherId: string): Promise<void> {
  await platform.ingest.succeed(method, `/v1/${what}/${otherId}`, { actAs: userId });
}

/** Has the reader's list built. */
async function warm(reader: string): Promise<void> {
  await waitUntil('Redis is used', async () => {
    const { headers } = await platform.feedApi.request('GET', path, { actAs: reader });
    return headers.get('x-tideline-degraded') === null;
  });
  await platform.settleReads();
}

async function stored(reader: string): Promise<string[]> {
  const { rows } = await platform.database.query<{ epoch: string }>('select epoch::text from cache_epoch');
  const key = new FeedKeys(platform.namespace, rows[0]?.epoch ?? '').list('notifications', reader);
  return (await platform.redis.lrangeBuffer(key, 0, -1)).map((entry) => entry.toString('hex'));
}

test('likes, shares and comments of what is mine, what is to me and who follows me, and nothing else', async () => {
  await own('mine', 'mine-note');
  await warm('mine');
  const [like, share, comment, told] = await write(
    { actorId: 'fan', verb: 'like', objectId: 'mine-note' },
    { actorId: 'fan', verb: 'share', objectId: 'mine-note' },
    { actorId: 'fan', verb: 'comment', objectId: 'mine-note' },
    { actorId: 'fan', verb: 'post', objectId: 'letter', to: ['mine', 'fan'] },
    // Of what is mine, and not for me; of what is mine, by me; of what is nobody's; none that concerns an owner.
    { actorId: 'fan', verb: 'like', objectId: 'mine-note', to: ['somebody'] },
    { actorId: 'mine', verb: 'like', objectId: 'mine-note' },
    { actorId: 'mine', verb: 'post', objectId: 'diary', to: ['mine'] },
    { actorId: 'fan', verb: 'like', objectId: 'nobodys' },
    { actorId: 'fan', verb: 'view', objectId: 'mine-note' },
  );
  await change('PUT', 'follows', 'fan', 'mine');
  await change('PUT', 'follows', 'mine', 'fan');
  await platform.settle();
  const seen = await all('mine');
  expect(seen.map(({ id }) => id).slice(1)).toEqual([told, comment, share, like].toSorted().reverse());
  expect(seen[0]).toMatchObject({ actorId: 'fan', verb: 'follow', objectType: 'user', objectId: 'mine' });
  expect(await counts('mine')).toEqual([5, 5]);
  expect((await all('somebody')).map(({ verb }) => verb)).toEqual(['like']);
  expect((await all('fan')).map(({ verb }) => verb)).toEqual(['follow']);
  // A follow is no activity that feeds show.
  const { status } = await platform.feedApi.request('GET', `/v1/activities/${seen[0]?.id}`, { actAs: 'mine' });
  expect(status).toBe(404);
  expect((await platform.feedApi.walk('/v1/feeds/home', 'mine', 50)).map(({ verb }) => verb)).not.toContain('follow');
});

test.each([
  'delivered',
  'built',
])('a follow is one notification while it stands, in a list as it was %s', async (how) => {
  const [followed, fan] = [`followed-${how}`, `fan-${how}`];
  if (how === 'delivered') {
    await warm(followed);
  }
  const shown = async () => (await all(followed)).map(({ id }) => id);
  const follows = async () => {
    await platform.settle();
    return shown();
  };
  await change('PUT', 'follows', fan, followed);
  const [first] = await follows();
  await change('PUT', 'follows', fan, followed);
  await change('PUT', 'follows', fan, followed);
  expect(await follows()).toEqual([first]);
  await change('DELETE', 'follows', fan, followed);
  expect(await shown()).toEqual([]);
  expect(await follows()).toEqual([]);
  for (let i = 0; i < 3; i += 1) {
    await change('PUT', 'follows', fan, followed);
    await change('DELETE', 'follows', fan, followed);
  }
  await change('PUT', 'follows', fan, followed);
  const again = await follows();
  expect(again).toHaveLength(1);
  expect(again).not.toEqual([first]);
  await change('PUT', 'follows', fan, followed);
  expect(await follows()).toEqual(again);
  // Whose it is can delete it as any other activity.
  await platform.ingest.succeed('DELETE', `/v1/activities/${again[0]}`, { actAs: followed });
  expect(await follows()).toEqual(again);
  await platform.ingest.succeed('DELETE', `/v1/activities/${again[0]}`, { actAs: fan });
  expect(await shown()).toEqual([]);
  expect(await follows()).toEqual([]);
});

test('marks stay, rise and commute; what is read is seen; older ones that come later are covered', async () => {
  await own('marks', 'marks-note');
  await warm('marks');
  const now = Date.now();
  const like = (agoMs: number): Deed => ({ actorId: 'marks-fan', objectId: 'marks-note', timestamp: now - agoMs });
  const [newest = '', middle = '', oldest = ''] = await write(like(1_000), like(2_000), like(3_000));
  expect(await counts('marks')).toEqual([3, 3]);
  expect(await mark('marks', 'read', { ids: [middle, middle] })).toEqual({ unseen: 2, unread: 2 });
  expect(await mark('marks', 'seen', { ids: [middle, oldest] })).toEqual({ unseen: 1, unread: 2 });
  expect((await all('marks')).map(({ id, seen, read }) => [id, seen, read])).toEqual([
    [newest, false, false],
    [middle, true, true],
    [oldest, true, false],
  ]);
  expect(await mark('marks', 'seen', { upTo: middle })).toEqual({ unseen: 1, unread: 2 });
  expect(await mark('marks', 'seen', { upTo: oldest })).toEqual({ unseen: 1, unread: 2 });
  const [late = '', later = ''] = await write(like(2_500), like(500));
  expect(await counts('marks')).toEqual([2, 4]);
  expect(await mark('marks', 'read', { upTo: newest })).toEqual({ unseen: 1, unread: 1 });
  const items = await all('marks');
  expect(items.map(({ id }) => id)).toEqual([later, newest, middle, late, oldest]);
  expect(items.map(({ seen, read }) => [seen, read])).toEqual([
    [false, false],
    ...Array.from({ length: 4 }, () => [true, true]),
  ]);
  // Those of different requests at once, in whatever order, are all there in the end.
  const more = await write(...Array.from({ length: 12 }, (_, i) => like(i)));
  await Promise.all(more.flatMap((id) => [mark('marks', 'seen', { ids: more }), mark('marks', 'read', { ids: [id] })]));
  expect(await counts('marks')).toEqual([1, 1]);
  expect(await mark('marks', 'read', { upTo: later })).toEqual({ unseen: 0, unread: 0 });
});

test('what is marked has to be a notification of the caller, and one of the two ways is taken', async () => {
  await own('strict', 'strict-note');
  const [mine = ''] = await write({ actorId: 'strict-fan', objectId: 'strict-note' });
  await mark('not-strict', 'read', { ids: [mine] });
  await mark('strict', 'read', { ids: ['019a0000-0000-7000-8000-000000000000'] });
  const { rows } = await platform.database.query<{ user_id: string }>(
    `select user_id from marked_notifications where user_id like '%strict'`,
  );
  expect(rows).toEqual([]);
  expect(await counts('strict')).toEqual([1, 1]);
  const tomorrow = new Date(Date.now() + dayMs).getTime().toString(16).padStart(12, '0');
  for (const body of [
    {},
    { upTo: mine, ids: [mine] },
    { ids: [] },
    { ids: Array.from({ length: 101 }, () => mine) },
    { upTo: `${tomorrow.slice(0, 8)}-${tomorrow.slice(8)}-7000-8000-000000000000` },
    { upTo: 'x' },
  ]) {
    const { status } = await platform.feedApi.request('POST', `${path}/seen`, { actAs: 'strict', body });
    expect(status, JSON.stringify(body)).toBe(400);
  }
  expect(await counts('strict')).toEqual([1, 1]);
});

const users = Array.from({ length: 5 }, (_, i) => `world-${i}`);
const random = randomNumbers(11);
const world = new NotificationWorld();

function one<T>(of: readonly T[]): T {
  return of[Math.floor(random() * of.length)] as T;
}

/** Likes of what everybody owns and letters to some, at random times down to `ageMaxMs`. */
async function writeMany(count: number, ageMaxMs: number): Promise<void> {
  const now = Date.now();
  const deeds = Array.from({ length: count }, () => {
    const ownerId = one(users);
    const to = random() < 0.4 ? [one(users), one(users)] : undefined;
    const timestamp = now - Math.floor(random() * ageMaxMs);
    return { actorId: one(users), objectId: `note-of-${ownerId}`, timestamp, ownerId, ...(to && { to }) };
  });
  const ids = await write(...deeds.map(({ ownerId: _, ...deed }) => deed));
  world.written.push(...deeds.map((deed, i) => ({ ...deed, id: ids[i] ?? '' })));
}

async function relate(what: 'follows' | 'mutes' | 'blocks', holds: boolean, from: string, to: string): Promise<void> {
  await change(holds ? 'PUT' : 'DELETE', what, from, to);
  world.relate(what, holds, from, to);
}

async function expectWorld(when: string): Promise<void> {
  for (const reader of users) {
    const shown = await all(reader, one([1, 7, 20, 50]));
    const expected = world.notifications(reader);
    expect(
      shown.map(({ verb, actorId, id }) => (verb === 'follow' ? actorId : id)).sort(),
      `${when}, ${reader}`,
    ).toEqual(expected.toSorted());
    const ids = shown.map(({ id }) => id);
    expect(ids, `${when}, ${reader}`).toEqual([...new Set(ids)].sort().reverse());
    for (const { id, seen, read } of shown) {
      expect([seen, read], `${when}, ${id} of ${reader}`).toEqual([
        world.isMarked(reader, 'seen', id),
        world.isMarked(reader, 'read', id),
      ]);
    }
    const left = (as: 'seen' | 'read') => ids.filter((id) => !world.isMarked(reader, as, id)).length;
    expect(await counts(reader), `${when}, ${reader}`).toEqual([left('seen'), left('read')]);
  }
}

/** Marks something of each user: a place in the feed, or some of it. */
async function markSome(): Promise<void> {
  for (const reader of users) {
    const ids = (await all(reader)).map(({ id }) => id);
    const as = one(['seen', 'read'] as const);
    if (ids.length === 0) {
      continue;
    }
    if (random() < 0.5) {
      const upTo = one(ids.slice(ids.length / 4));
      await mark(reader, as, { upTo });
      world.markThrough(reader, as, upTo);
    } else {
      const some = [one(ids), one(ids), one(ids)];
      await mark(reader, as, { ids: some });
      world.mark(reader, as, some);
    }
  }
}

test('lists, counts and marks are those of a plain model, as delivered, late, deep, corrected, flushed and rebuilt', async () => {
  for (const user of users) {
    await own(user, `note-of-${user}`);
    await warm(user);
  }
  await writeMany(60, 60_000);
  await expectWorld('delivered');
  await markSome();
  await expectWorld('marked');
  await writeMany(120, 40 * dayMs);
  await expectWorld('late and deep');
  for (const [from, to] of users.flatMap((user, i) => users.slice(i + 1).map((other) => [user, other] as const))) {
    await relate('follows', true, ...(random() < 0.5 ? ([from, to] as const) : ([to, from] as const)));
  }
  await platform.settle();
  await markSome();
  await expectWorld('followed');
  await relate('mutes', true, 'world-0', 'world-1');
  await relate('blocks', true, 'world-2', 'world-0');
  await expectWorld('hidden');
  for (let i = 0; i < 40; i += 1) {
    const { id, actorId } = one(world.written);
    await platform.ingest.succeed('DELETE', `/v1/activities/${id}`, { actAs: actorId });
    world.deleted.add(id);
  }
  await expectWorld('deleted');
  await platform.settle();
  await writeMany(30, 1_000);
  await expectWorld('at rest');
  for (const [from, to] of world.pairs('follows').filter(() => random() < 0.5)) {
    await relate('follows', false, from, to);
  }
  await expectWorld('unfollowed');
  await platform.settle();
  await expectWorld('unfollowed, at rest');

  for (const user of users) {
    await warm(user);
  }
  const live = await Promise.all(users.map(stored));
  await platform.redis.flushall();
  await expectWorld('flushed');
  for (const user of users) {
    await warm(user);
  }
  await expectWorld('rebuilt');
  await relate('mutes', false, 'world-0', 'world-1');
  await relate('blocks', false, 'world-2', 'world-0');
  await expectWorld('shown again');
  await markSome();
  await expectWorld('marked again');
  // What is written as things happen is what can be made of all that happened (I12).
  await platform.settle();
  for (const [some, others] of [
    ['notifications', 'happened_notifications'],
    ['happened_notifications', 'notifications'],
  ]) {
    const columns = 'user_id, id, actor_id, is_follow';
    const { rows } = await platform.database.query(
      `select ${columns} from ${some} except select ${columns} from ${others}`,
    );
    expect(rows, `${some}, and not ${others}`).toEqual([]);
  }
  // What was delivered and what is rebuilt is the same, as far down as both reach.
  for (const [i, rebuilt] of (await Promise.all(users.map(stored))).entries()) {
    const delivered = live[i] ?? [];
    const both = Math.min(delivered.length, rebuilt.length, inboxCap + 1) - 1;
    expect(both).toBeGreaterThan(5);
    expect(delivered.slice(0, both)).toEqual(rebuilt.slice(0, both));
  }
});
