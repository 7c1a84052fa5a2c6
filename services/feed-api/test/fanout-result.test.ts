import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** What became of an activity, as those may ask who may see it. */

const followerThreshold = 2;

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({ followerThreshold });
});
afterAll(() => platform.stop());

async function follow(followeeId: string, ...followerIds: string[]): Promise<void> {
  const body = followerIds.map((followerId) => ({ followerId, followeeId }));
  await platform.ingest.succeed('POST', '/v1/follows', { body });
  await platform.settle();
}

async function post(actorId: string, more: object = {}): Promise<string> {
  const body = { actorId, verb: 'post', objectType: 'note', objectId: 'n', ...more };
  const { id } = await platform.ingest.succeed<{ id: string }>('POST', '/v1/activities', { body });
  return id;
}

interface Result {
  strategy: string;
  followers: number;
  delivered: number;
  publishedAt: number;
  deliveredAt: number;
  latencyMs: number;
}

function ask(id: string, actAs?: string) {
  return platform.feedApi.request<Result>('GET', `/v1/activities/${id}/fanout`, actAs === undefined ? {} : { actAs });
}

async function resultOf(id: string): Promise<Result> {
  return waitUntil('there is a result', async () => {
    const { status, body } = await ask(id);
    return status === 200 ? body : undefined;
  });
}

test('an activity of a pushed author went to its followers, and how long that took is said', async () => {
  await follow('pushed', 'reader-1');
  const before = Date.now();
  const result = await resultOf(await post('pushed'));
  expect(result).toMatchObject({ strategy: 'fanout', followers: 1, delivered: 1 });
  expect(result.publishedAt).toBeGreaterThanOrEqual(before);
  expect(result.deliveredAt).toBeLessThanOrEqual(Date.now());
  expect(result.latencyMs).toBe(result.deliveredAt - result.publishedAt);
});

test('one of an author over the threshold went nowhere: it is merged when read', async () => {
  await follow('pulled', 'reader-1', 'reader-2', 'reader-3');
  expect(await resultOf(await post('pulled'))).toMatchObject({ strategy: 'lazy', followers: 3, delivered: 0 });
});

test('who may not see an activity is told what is told of one that does not exist', async () => {
  const hidden = await post('secretive', { to: ['confidant'] });
  const deleted = await post('secretive');
  await platform.settle();
  expect(await ask(hidden, 'confidant')).toMatchObject({ status: 200 });
  expect(await ask(deleted, 'confidant')).toMatchObject({ status: 200 });
  await platform.ingest.succeed('DELETE', `/v1/activities/${deleted}`, { actAs: 'secretive' });

  const unknown = await ask('018c2b1c-0000-7000-8000-000000000000', 'stranger');
  expect(unknown.status).toBe(404);
  for (const [id, reader] of [
    [hidden, 'stranger'],
    [deleted, 'confidant'],
    [deleted, 'secretive'],
  ] as const) {
    expect(await ask(id, reader)).toMatchObject({ status: 404, body: unknown.body });
  }
});

test('a result is kept for a day and no longer', async () => {
  const id = await post('passing');
  await resultOf(id);
  const [key = ''] = await platform.redis.keys(`${platform.namespace}:fanout:${id}`);
  const leftS = await platform.redis.ttl(key);
  expect(leftS).toBeGreaterThan(86_000);
  expect(leftS).toBeLessThanOrEqual(86_400);
  await platform.redis.del(key);
  expect((await ask(id)).status).toBe(404);
  expect((await platform.feedApi.request('GET', `/v1/activities/${id}`)).status).toBe(200);
});
