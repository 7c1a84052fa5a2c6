import { FeedKeys } from '@tideline/shared/feed-keys';
import type { PageBody } from '@tideline/testing/http-client';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** What mutes and blocks hide (I9), and what they leave as it is. Every test has users of its own. */

const home = '/v1/feeds/home';
const inboxCap = 60;

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({ inboxCap, followerThreshold: 5 });
});
afterAll(() => platform.stop());

type Decision = 'mutes' | 'blocks';

async function hide(userId: string, by: Decision, otherId: string): Promise<void> {
  await platform.ingest.succeed('PUT', `/v1/${by}/${otherId}`, { actAs: userId });
}

async function show(userId: string, by: Decision, otherId: string): Promise<void> {
  await platform.ingest.succeed('DELETE', `/v1/${by}/${otherId}`, { actAs: userId });
}

async function follow(followerIds: readonly string[], followeeIds: readonly string[]): Promise<void> {
  const body = followerIds.flatMap((followerId) => followeeIds.map((followeeId) => ({ followerId, followeeId })));
  await platform.ingest.succeed('POST', '/v1/follows', { body });
  await platform.settle();
}

/** Posts, a millisecond apart, the last one `agoMs` ago; returns the ids, newest first. */
async function post(actorId: string, count: number, agoMs = 0): Promise<string[]> {
  const until = Date.now() - agoMs;
  const body = Array.from({ length: count }, (_, i) => ({
    actorId,
    verb: 'post',
    objectType: 'note',
    objectId: 'n',
    timestamp: until - i,
  }));
  const { items } = await platform.ingest.succeed<{ items: { id: string }[] }>('POST', '/v1/activities', { body });
  await platform.settle();
  return items.map(({ id }) => id);
}

async function feed(reader: string, path = home, limit = 50, query: Record<string, string> = {}): Promise<string[]> {
  return (await platform.feedApi.walk(path, reader, limit, query)).map(({ id }) => id);
}

async function statusOf(path: string, actAs: string): Promise<number> {
  return (await platform.feedApi.request('GET', path, { actAs })).status;
}

/** What is there of an author for a reader. */
async function seen(reader: string, author: string, id: string) {
  const listed = async (path: string) =>
    (await platform.feedApi.walk(path, reader, 50)).map((user) => user.id).includes(author);
  return {
    inHome: (await feed(reader)).includes(id),
    onPage: (await feed(reader, `/v1/users/${author}/feed`)).includes(id),
    byId: (await statusOf(`/v1/activities/${id}`, reader)) === 200,
    itsFanout: (await statusOf(`/v1/activities/${id}/fanout`, reader)) === 200,
    asFollower: await listed(`/v1/users/${author}-fan-of/followers`),
    asFollowed: await listed(`/v1/users/${author}-fan/following`),
  };
}

const everywhere = { inHome: true, onPage: true, byId: true, itsFanout: true, asFollower: true, asFollowed: true };
const nowhere = { inHome: false, onPage: false, byId: false, itsFanout: false, asFollower: false, asFollowed: false };

async function counts(reader: string, userId: string): Promise<unknown> {
  const profile = await platform.feedApi.succeed<{ followers: number; following: number }>(
    'GET',
    `/v1/users/${userId}`,
    { actAs: reader },
  );
  return [profile.followers, profile.following];
}

test.each<[Decision, object]>([
  ['mutes', everywhere],
  ['blocks', nowhere],
])('%s hide one user from the other, everywhere, until they end', async (by, fromTheOther) => {
  const [reader, author] = [`${by}-reader`, `${by}-author`];
  const named = { reader: `${reader}-fan`, author: `${author}-fan` };
  await follow([reader, named.author], [author]);
  await follow([author, named.reader], [reader]);
  await follow([author], [`${author}-fan-of`]);
  await follow([reader], [`${reader}-fan-of`]);
  const [authors = ''] = await post(author, 1);
  const [readers = ''] = await post(reader, 1);

  expect(await seen(reader, author, authors)).toEqual(everywhere);
  await hide(reader, by, author);
  expect(await seen(reader, author, authors)).toEqual(nowhere);
  expect(await seen(author, reader, readers)).toEqual(fromTheOther);
  expect(await counts(reader, `${author}-fan-of`)).toEqual([0, 0]);
  expect(await counts('somebody-else', `${author}-fan-of`)).toEqual([1, 0]);
  expect(await seen('somebody-else', author, authors)).toEqual({ ...everywhere, inHome: false });
  // Whoever wants to end it finds the user.
  for (const [viewer, other] of [
    [reader, author],
    [author, reader],
  ] as const) {
    expect(await statusOf(`/v1/users/${other}`, viewer)).toBe(200);
    expect(await statusOf(`/v1/users/${other}/feed`, viewer)).toBe(200);
  }

  await platform.settle();
  expect(await seen(reader, author, authors)).toEqual(nowhere);
  await show(reader, by, author);
  expect(await seen(reader, author, authors)).toEqual(everywhere);
  expect(await seen(author, reader, readers)).toEqual(everywhere);
});

test('what one did oneself is not hidden, whoever is muted or blocked', async () => {
  await follow(['self'], ['self-other']);
  await follow(['self-other'], ['self']);
  const own = await post('self', 3);
  for (const by of ['mutes', 'blocks'] as const) {
    await hide('self', by, 'self-other');
    await hide('self-other', by, 'self');
  }
  for (const strategy of ['hybrid', 'push', 'pull']) {
    expect(await feed('self', home, 2, { strategy })).toEqual(own);
  }
  expect(await feed('self', '/v1/users/self/feed')).toEqual(own);
  expect(await statusOf(`/v1/activities/${own[0]}`, 'self')).toBe(200);
});

test('mutes and blocks are decisions of their own: each ends its own, and those of both users', async () => {
  await follow(['both'], ['both-author']);
  const ids = await post('both-author', 2);
  await hide('both', 'mutes', 'both-author');
  await hide('both', 'blocks', 'both-author');
  await hide('both-author', 'blocks', 'both');
  for (const [userId, by, otherId] of [
    ['both', 'blocks', 'both-author'],
    ['both-author', 'blocks', 'both'],
  ] as const) {
    await show(userId, by, otherId);
    expect(await feed('both')).toEqual([]);
  }
  // Twice is once, and the end of what is not there is nothing.
  await hide('both', 'mutes', 'both-author');
  await show('both-author', 'mutes', 'both');
  expect(await feed('both')).toEqual([]);
  await show('both', 'mutes', 'both-author');
  expect(await feed('both')).toEqual(ids);
});

test('neither ends a follow: what comes meanwhile is there when they end, also of somebody followed meanwhile', async () => {
  await follow(['still'], ['still-author']);
  const before = await post('still-author', 2, 1_000);
  await hide('still', 'mutes', 'still-author');
  await hide('still-later', 'blocks', 'still');
  await follow(['still'], ['still-later']);
  const meanwhile = [...(await post('still-author', 2, 500)), ...(await post('still-later', 2, 400))];
  expect(await feed('still')).toEqual([]);
  const { follow_ids } = await platform.feedApi.succeed<{ follow_ids: string[] }>('GET', '/me', { actAs: 'still' });
  expect(follow_ids).toEqual(['still-author', 'still-later']);
  await show('still', 'mutes', 'still-author');
  await show('still-later', 'blocks', 'still');
  expect(await feed('still')).toEqual([...meanwhile, ...before].sort((a, b) => (a < b ? 1 : -1)));
});

async function inbox(userId: string): Promise<string[]> {
  const { rows } = await platform.database.query<{ epoch: string }>('select epoch::text from cache_epoch');
  const keys = new FeedKeys(platform.namespace, rows[0]?.epoch ?? '');
  return (await platform.redis.lrangeBuffer(keys.list('inbox', userId), 0, -1)).map((entry) => entry.toString('hex'));
}

test('no inbox is written to, and one that is built meanwhile is as if nothing were hidden', async () => {
  await follow(['lists'], ['lists-hidden', 'lists-kept']);
  await feed('lists');
  await platform.settle();
  await post('lists-hidden', 5);
  await post('lists-kept', 5);
  const before = await inbox('lists');
  expect(before).toHaveLength(11);
  await hide('lists', 'mutes', 'lists-hidden');
  await hide('lists-hidden', 'blocks', 'lists');
  await platform.settle();
  expect(await inbox('lists')).toEqual(before);
  const { rows } = await platform.database.query<{ epoch: string }>('select epoch::text from cache_epoch');
  await platform.redis.del(new FeedKeys(platform.namespace, rows[0]?.epoch ?? '').list('inbox', 'lists'));
  await feed('lists');
  await platform.settle();
  expect(await inbox('lists')).toEqual(before);
});

test('pages are full and whole at any depth where most is hidden', async () => {
  await follow(['refill'], ['refill-loud', 'refill-quiet']);
  await feed('refill');
  await platform.settle();
  const quiet = [
    ...(await post('refill-quiet', 2)),
    ...(await post('refill-quiet', 10, 2_000)),
    ...(await post('refill-quiet', 40, 5_000)),
  ];
  await post('refill-loud', 200, 1_000);
  await post('refill-loud', 200, 3_000);
  await hide('refill', 'mutes', 'refill-loud');
  for (const strategy of ['hybrid', 'push', 'pull']) {
    const page = await platform.feedApi.succeed<PageBody>('GET', `${home}?limit=20&strategy=${strategy}`, {
      actAs: 'refill',
    });
    expect(page.items.map(({ id }) => id)).toEqual(quiet.slice(0, 20));
    for (const limit of [1, 7, 50]) {
      expect(await feed('refill', home, limit, { strategy }), `${strategy} ${limit}`).toEqual(quiet);
    }
  }
});

test('who prefers to wait is answered once fanout has it too, and one’s own deeds tell each change once', async () => {
  const wait = { actAs: 'deeds', headers: { prefer: 'wait=10' } };
  for (const [method, path] of [
    ['PUT', 'mutes'],
    ['PUT', 'mutes'],
    ['PUT', 'blocks'],
    ['DELETE', 'mutes'],
    ['DELETE', 'mutes'],
    ['DELETE', 'blocks'],
    ['PUT', 'follows'],
  ] as const) {
    const answer = await platform.ingest.request(method, `/v1/${path}/1`, wait);
    expect(answer.status).toBe(202);
    expect(answer.headers.get('preference-applied')).toBe('wait=10');
  }
  const { my_feed } = await platform.feedApi.succeed<{ my_feed: object[] }>('GET', '/feed/my', { actAs: 'deeds' });
  const verbs = ['follow', 'unblock', 'unmute', 'block', 'mute'];
  expect(my_feed).toMatchObject(
    verbs.map((verb) => ({ verb, object_type: 'user', object_id: '1', target_name: 'ivan' })),
  );
  expect(await feed('deeds')).toEqual([]);
});
