import { createHash } from 'node:crypto';
import { activityIdMinter } from '@tideline/shared/activity-id';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** What clients of other systems read, under the paths and in the shapes that they know (requirements B, C and F). */

const ivan = 'abc123';
const nico = 'abc124';
const eric = 'abc125';
const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const mintId = activityIdMinter();

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({ pullCacheMs: 2_000 });
});
afterAll(() => platform.stop());

interface Deed {
  actor_name: string;
  verb: string;
  object_id: string;
  object_type: string;
  target_name: string | null;
  time: string;
}

interface Caller {
  key?: string;
  actAs?: string;
}

/** All of `/feed/my` or `/feed/friends`, page after page by `next_url`. */
async function walk(name: 'my' | 'friends', limit: number, caller: Caller): Promise<Deed[]> {
  const deeds: Deed[] = [];
  let path: string | undefined = `/feed/${name}?limit=${limit}`;
  while (path !== undefined) {
    const page: Record<string, Deed[]> & { next_url: string | null } = await platform.feedApi.succeed(
      'GET',
      path,
      caller,
    );
    const items = page[`${name}_feed`] ?? [];
    expect(items.length).toBeLessThanOrEqual(limit);
    deeds.push(...items);
    const next: URL | undefined = page.next_url === null ? undefined : new URL(page.next_url);
    path = next && `${next.pathname}${next.search}`;
  }
  return deeds;
}

async function post(body: object, caller: Caller = {}): Promise<{ id: string; timestamp: number }> {
  return platform.ingest.succeed('POST', '/v1/activities', {
    ...caller,
    body: { verb: 'post', objectType: 'note', objectId: 'n', ...body },
  });
}

async function setFollow(method: 'PUT' | 'DELETE', followeeId: string, caller: Caller): Promise<void> {
  await platform.ingest.succeed(method, `/v1/follows/${followeeId}`, caller);
}

function verbs(deeds: readonly Deed[]): string[] {
  return deeds.map(({ verb, object_id }) => `${verb} ${object_id}`);
}

test('/me says who is called, whom the user follows, and gives the credential back', async () => {
  for (const followee of ['3', '2']) {
    await setFollow('PUT', followee, { key: ivan });
  }
  await platform.settle();
  const me = await platform.feedApi.request<Record<string, unknown>>('GET', '/me', { key: ivan });
  expect(me.body).toEqual({
    id: '1',
    name: 'ivan',
    auth_token: ivan,
    follow_ids: ['2', '3'],
    created_at: expect.stringMatching(isoTime) as string,
    updated_at: expect.stringMatching(isoTime) as string,
  });
  expect(me.headers.get('cache-control')).toBe('no-store');
  await setFollow('DELETE', '3', { key: ivan });
  await setFollow('DELETE', '2', { key: ivan });
  expect(await platform.feedApi.succeed('GET', '/me', { key: ivan })).toMatchObject({ follow_ids: [] });
});

test('/me of a service is the user that it acts as, with the key of the service', async () => {
  const asNico = await platform.feedApi.succeed('GET', '/me', { key: 'demo-producer', actAs: '2' });
  expect(asNico).toMatchObject({ id: '2', name: 'nico', auth_token: 'demo-producer' });
  expect((await platform.feedApi.request('GET', '/me', { actAs: 'nobody-yet' })).status).toBe(404);
  expect((await platform.feedApi.request('GET', '/me')).status).toBe(400);
});

test('who has a key and did nothing yet is called by its id', async () => {
  const key = 'key-of-a-newcomer';
  await platform.database.query(
    "insert into api_keys (key_sha256, kind, name, user_id) values ($1, 'user', 'newcomer', 'newcomer')",
    [createHash('sha256').update(key).digest()],
  );
  expect(await platform.feedApi.succeed('GET', '/me', { key })).toMatchObject({ id: 'newcomer', name: 'newcomer' });
});

test('/feed and /api/feeds are the home feed, hybrid, pushed and pulled, with cursors of their own pages', async () => {
  await setFollow('PUT', 'homely-author', { actAs: 'homely' });
  const ids: string[] = [];
  const timestamp = Date.now();
  for (let i = 0; i < 7; i += 1) {
    // Equal timestamps are neither skipped nor repeated.
    const actorId = i % 2 === 0 ? 'homely' : 'homely-author';
    ids.push((await post({ actorId, objectId: `homely-${i}`, timestamp })).id);
  }
  await platform.settle();
  const expected = ids.sort((a, b) => (a < b ? 1 : -1));
  for (const path of ['/feed', '/api/feeds/push/', '/api/feeds/pull/']) {
    for (const limit of [1, 3, 50]) {
      const items = await platform.feedApi.walk(path, 'homely', limit);
      expect(
        items.map(({ id }) => id),
        `${path} ${limit}`,
      ).toEqual(expected);
    }
    const page = await platform.feedApi.succeed('GET', `${path}?limit=3`, { actAs: 'homely' });
    expect(page, path).toMatchObject({ hasMore: true, nextCursor: expect.any(String) as string });
  }
});

test('/feed/my has all that I did, each once, newest first, to the end by next_url', async () => {
  await setFollow('PUT', '2', { key: eric });
  await setFollow('PUT', '2', { key: eric });
  const posted = await post(
    { objectId: 'first', targetType: 'board', targetId: 'b', targetTitle: 'Board' },
    { key: eric },
  );
  await post({ objectId: 'for-nico', to: ['2'] }, { key: eric });
  const deleted = await post({ objectId: 'deleted' }, { key: eric });
  await platform.settle();
  await platform.ingest.succeed('DELETE', `/v1/activities/${deleted.id}`, { key: eric });
  await setFollow('DELETE', '2', { key: eric });
  await setFollow('DELETE', '2', { key: eric });
  await setFollow('DELETE', '1', { key: eric });
  await setFollow('PUT', '2', { key: eric });
  await post({ objectId: 'of-nico' }, { key: nico });
  await platform.settle();

  const expected = ['follow 2', 'unfollow 2', `delete ${deleted.id}`, 'post for-nico', 'post first', 'follow 2'];
  for (const limit of [1, 3, 50]) {
    expect(verbs(await walk('my', limit, { key: eric })), `limit ${limit}`).toEqual(expected);
  }
  const deeds = await walk('my', 50, { key: eric });
  expect(deeds[4]).toEqual({
    actor_name: 'eric',
    verb: 'post',
    object_id: 'first',
    object_type: 'note',
    target_name: 'Board',
    time: new Date(posted.timestamp).toISOString(),
  });
  expect(deeds[5]).toMatchObject({ object_type: 'user', target_name: 'nico' });
  expect(deeds[3]).toMatchObject({ target_name: null });
  expect(deeds.map(({ time }) => time)).toEqual(
    deeds
      .map(({ time }) => time)
      .sort()
      .reverse(),
  );
});

test('a record that is on the log twice is one deed', async () => {
  await setFollow('PUT', '1', { actAs: 'stutterer' });
  await setFollow('DELETE', '1', { actAs: 'stutterer' });
  await platform.settle();
  // As when a producer sends again what had arrived: the same id, at another offset.
  await platform.database.query(
    `insert into control_activities
     select log_generation, log_partition, log_offset + 1000000, id, actor_id, verb, object_type, object_id, author_id,
       metadata, caller_id, request_id, accepted_at
     from control_activities where actor_id = 'stutterer'`,
  );
  const again = { actAs: 'stutterer' };
  expect(verbs(await walk('my', 1, again))).toEqual(['unfollow 1', 'follow 1']);
});

test('a post whose request was repeated is one deed; describing it later is another', async () => {
  const posted = await post({ actorId: 'describer', objectId: 'described' });
  await platform.settle();
  const [withPost, later] = [mintId(posted.timestamp), mintId(posted.timestamp + 1)];
  for (const [offset, [id, requestId]] of [
    [withPost, 'that failed half way'],
    [withPost, null],
    [later, 'another'],
  ].entries()) {
    await platform.database.query(
      `insert into control_activities
       select log_generation, 0, $2, $3, actor_id, 'update', object_type, object_id, object_id, null, caller_id,
         coalesce($4, request_id), accepted_at
       from activities where id = $1`,
      [posted.id, 1_000_000 + offset, id, requestId],
    );
  }
  expect(verbs(await walk('my', 50, { actAs: 'describer' }))).toEqual(['update described', 'post described']);
});

test('what is written the compatible way is read the compatible way, each once', async () => {
  const author = { actAs: 'painter' };
  const { object_id } = await platform.ingest.succeed<{ object_id: string }>('POST', '/post', {
    ...author,
    body: { type: 'photo', content: 'Sunset' },
  });
  await platform.ingest.succeed('POST', '/follow', { actAs: 'viewer', body: { follow: 'nico' } });
  await platform.ingest.succeed('POST', '/activity', { actAs: 'viewer', body: { verb: 'like', object_id } });
  await platform.ingest.succeed('POST', '/unfollow', { actAs: 'viewer', body: { unfollow: 'nico' } });
  await platform.settle();
  expect(await walk('my', 1, author)).toMatchObject([{ verb: 'post', object_type: 'photo', object_id }]);
  expect(await walk('my', 1, { actAs: 'viewer' })).toMatchObject([
    { actor_name: 'viewer', verb: 'unfollow', object_type: 'user', object_id: '2', target_name: 'nico' },
    { actor_name: 'viewer', verb: 'like', object_type: 'photo', object_id, target_name: 'painter' },
    { actor_name: 'viewer', verb: 'follow', object_type: 'user', object_id: '2', target_name: 'nico' },
  ]);
});

test('a target is called what it is called now', async () => {
  const target = { targetType: 'album', targetId: 'holidays' };
  await post({ ...target, targetTitle: 'As it was', actorId: 'collector' });
  await post({ ...target, targetId: 'unregistered', targetTitle: 'As it is', actorId: 'collector' });
  await platform.ingest.succeed('PUT', '/v1/objects/album/holidays', { actAs: 'someone', body: { title: 'Renamed' } });
  await platform.settle();
  const deeds = await walk('my', 50, { actAs: 'collector' });
  expect(deeds.map(({ target_name }) => target_name)).toEqual(['As it is', 'Renamed']);
});

test('/feed/friends has what those did whom I follow, named as they are now, and nothing of mine', async () => {
  for (const author of ['friend-1', 'friend-2']) {
    await setFollow('PUT', author, { actAs: 'friendly' });
  }
  const now = Date.now();
  for (let i = 0; i < 7; i += 1) {
    await post({ actorId: `friend-${1 + (i % 2)}`, objectId: `o${i}`, timestamp: now - 1_000 + i });
  }
  await post({ actorId: 'friendly', objectId: 'mine' });
  await post({ actorId: 'friend-1', objectId: 'for-others', to: ['somebody'], timestamp: now });
  await post({ actorId: 'friend-1', objectId: 'for-me', to: ['friendly'], timestamp: now });
  await setFollow('PUT', 'friend-2', { actAs: 'friend-1' });
  await platform.settle();
  const expected = ['for-me', 'o6', 'o5', 'o4', 'o3', 'o2', 'o1', 'o0'].map((object) => `post ${object}`);
  for (const limit of [1, 3, 50]) {
    expect(verbs(await walk('friends', limit, { actAs: 'friendly' })), `limit ${limit}`).toEqual(expected);
  }
  await platform.ingest.succeed('PUT', '/v1/users/friend-1', { body: { name: 'Freda' } });
  await platform.settle();
  const another = await platform.startAnotherFeedApi();
  const { friends_feed: deeds } = await another.succeed<{ friends_feed: Deed[] }>('GET', '/feed/friends', {
    actAs: 'friendly',
  });
  expect(deeds[0]).toMatchObject({ actor_name: 'Freda', time: new Date(now).toISOString() });
});

test('cursors of one feed are none of another, and parameters are checked', async () => {
  await post({ actorId: 'prober', objectId: 'a' });
  await post({ actorId: 'prober', objectId: 'b' });
  await platform.settle();
  const page = await platform.feedApi.succeed<{ next_url: string }>('GET', '/feed/my?limit=1', { actAs: 'prober' });
  const cursor = new URL(page.next_url).searchParams.get('cursor') ?? '';
  for (const [path, reader] of [
    [`/feed/friends?cursor=${cursor}`, 'prober'],
    [`/feed?cursor=${cursor}`, 'prober'],
    [`/feed/my?cursor=${cursor}`, 'another'],
    ['/feed/my?limit=51', 'prober'],
    ['/feed/my?other=1', 'prober'],
  ] as const) {
    expect((await platform.feedApi.request('GET', path, { actAs: reader })).status, path).toBe(400);
  }
  for (const path of ['/me', '/feed', '/feed/my', '/feed/friends', '/api/feeds/pull/', '/api/feeds/push/']) {
    expect((await platform.feedApi.request('GET', path, { key: 'wrong' })).status, path).toBe(401);
  }
});
