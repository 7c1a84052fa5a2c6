import type { PageBody } from '@tideline/testing/http-client';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ivan = 'abc123';
const nico = 'abc124';
const eric = 'abc125';

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform();
});
afterAll(() => platform.stop());

interface Posted {
  type: string;
  object_id: string;
  message: string;
}

async function write<Body>(key: string, path: string, body: unknown, method = 'POST') {
  return platform.ingest.request<Body>(method, path, { key, body });
}

async function post(key: string, type: string, content: string): Promise<Posted> {
  const { status, body } = await write<Posted>(key, '/post', { type, content });
  expect(status).toBe(200);
  return body;
}

async function homeOf(key: string) {
  const { body } = await platform.feedApi.request<PageBody>('GET', '/v1/feeds/home', { key });
  return body.items;
}

test.each([
  'post',
  'photo',
])('a %s is in its author’s feed as soon as it is answered, and can be liked', async (type) => {
  const posted = await post(ivan, type, `A ${type}`);
  expect(posted).toEqual({ type, object_id: expect.any(String) as string, message: expect.any(String) as string });

  const [newest] = await homeOf(ivan);
  const shown = { verb: 'post', objectType: type, objectId: posted.object_id, objectTitle: `A ${type}` };
  expect(newest).toMatchObject({ actorId: '1', actorName: 'ivan', ...shown });

  const liked = await write(nico, '/activity', { verb: 'like', object_id: posted.object_id });
  expect(liked).toMatchObject({ status: 200, body: { verb: 'like', message: expect.any(String) as string } });
  const [like] = await homeOf(nico);
  expect(like).toMatchObject({ actorId: '2', ...shown, verb: 'like' });
});

test('a like carries who owns its object', async () => {
  const { object_id } = await post(eric, 'post', 'Owned');
  await write(nico, '/activity', { verb: 'share', object_id });
  const { rows } = await platform.database.query<{ owner: string }>(
    `select object_owner_id as owner from activities where verb = 'share' and object_id = $1`,
    [object_id],
  );
  expect(rows).toEqual([{ owner: '3' }]);
});

test('whether an object exists is answered by Redis, and by the database where Redis lost it', async () => {
  const { object_id } = await post(ivan, 'post', 'Kept twice');
  const like = { verb: 'like', object_id };
  await write(nico, '/activity', like);
  await platform.database.query('delete from objects where id = $1', [object_id]);
  expect((await write(eric, '/activity', like)).status).toBe(200);

  const another = await post(ivan, 'post', 'Kept in the database');
  await platform.redis.flushall();
  expect((await write(eric, '/activity', { verb: 'like', object_id: another.object_id })).status).toBe(200);
  expect((await write(eric, '/activity', like)).status).toBe(404);
});

test('following by name shows what they posted at once, unfollowing hides it at once', async () => {
  const { object_id } = await post(eric, 'post', 'From eric');
  const shows = async () => (await homeOf(nico)).some(({ objectId }) => objectId === object_id);
  expect(await shows()).toBe(false);
  const follow = await write(nico, '/follow', { follow: 'eric' });
  expect(follow).toMatchObject({ status: 200, body: { verb: 'follow' } });
  expect(await shows()).toBe(true);
  const unfollow = await write(nico, '/unfollow', { unfollow: 'eric' });
  expect(unfollow).toMatchObject({ status: 200, body: { verb: 'unfollow' } });
  expect(await shows()).toBe(false);
  expect((await write(nico, '/follow', { follow: 'eric' })).status).toBe(200);
  expect(await shows()).toBe(true);
  expect(await write(nico, '/follow', { unfollow: 'eric' })).toMatchObject({ status: 200, body: { verb: 'unfollow' } });
  expect(await shows()).toBe(false);
});

test('following by id as well', async () => {
  const { object_id } = await post(eric, 'post', 'From eric again');
  const shows = async () => (await homeOf(ivan)).some(({ objectId }) => objectId === object_id);
  expect(await write(ivan, '/follow/3', undefined)).toMatchObject({ status: 200, body: { following: true } });
  expect(await shows()).toBe(true);
  expect(await write(ivan, '/follow/3', undefined, 'DELETE')).toMatchObject({
    status: 200,
    body: { following: false },
  });
  expect(await shows()).toBe(false);
});

test.each<[string, string, unknown, number]>([
  ['an object that does not exist', '/activity', { verb: 'like', object_id: 'none' }, 404],
  ['a reserved verb', '/activity', { verb: 'follow', object_id: 'none' }, 400],
  ['another type of post', '/post', { type: 'video', content: 'x' }, 400],
  ['a post without content', '/post', { type: 'post', content: '' }, 400],
  ['an unknown name', '/follow', { follow: 'nobody' }, 404],
  ['an unknown name to unfollow', '/unfollow', { unfollow: 'nobody' }, 404],
  ['following and unfollowing at once', '/follow', { follow: 'eric', unfollow: 'eric' }, 400],
  ['oneself by name', '/follow', { follow: 'nico' }, 400],
  ['follow where only unfollow is meant', '/unfollow', { follow: 'eric' }, 400],
  ['an unknown id', '/follow/nobody', undefined, 404],
])('%s is refused', async (_what, path, body, status) => {
  expect((await write(nico, path, body)).status).toBe(status);
});

test('a name that several users have names nobody', async () => {
  for (const id of ['twin-1', 'twin-2']) {
    await platform.ingest.succeed('PUT', `/v1/users/${id}`, { body: { name: 'twin' } });
  }
  expect((await write(nico, '/follow', { follow: 'twin' })).status).toBe(400);
});

test('an object is described by whoever comes first, and then by its owner or a service alone', async () => {
  const path = '/v1/objects/article/a1';
  expect(await write(ivan, path, { title: 'Mine' }, 'PUT')).toMatchObject({
    status: 202,
    body: { type: 'article', id: 'a1', title: 'Mine', ownerId: '1' },
  });
  expect((await write(nico, path, { title: 'Not mine' }, 'PUT')).status).toBe(403);
  expect((await write('demo-producer', path, { title: 'Edited' }, 'PUT')).body).toMatchObject({ ownerId: '1' });
  expect((await write(nico, '/activity', { verb: 'like', object_id: 'a1' })).status).toBe(200);
  expect((await write(nico, '/v1/objects/article/a2', { title: 'For ivan', ownerId: '1' }, 'PUT')).status).toBe(403);
});
