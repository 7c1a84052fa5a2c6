import { type Platform, startPlatform } from '@tideline/testing/platform';
import { afterAll, beforeAll, expect, test } from 'vitest';

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform();
});
afterAll(() => platform.stop());

test('an activity posted over HTTP is in the home feed of its author and of every follower', async () => {
  const { ingest, feedApi } = platform;
  await ingest.succeed('PUT', '/v1/follows/2', { key: 'abc123' });
  await platform.settle();
  const posted = await ingest.succeed<{ id: string; timestamp: number }>('POST', '/v1/activities', {
    key: 'abc124',
    body: { verb: 'post', objectType: 'note', objectId: 'n1', objectTitle: 'Hello', metadata: { mood: 'fine' } },
  });
  await platform.settle();

  const item = {
    id: posted.id,
    actorId: '2',
    actorName: 'nico',
    actorAvatar: null,
    verb: 'post',
    objectType: 'note',
    objectId: 'n1',
    objectTitle: 'Hello',
    metadata: { mood: 'fine' },
    timestamp: posted.timestamp,
  };
  for (const strategy of ['hybrid', 'push', 'pull']) {
    for (const key of ['abc123', 'abc124']) {
      const page = await feedApi.succeed('GET', `/v1/feeds/home?strategy=${strategy}`, { key });
      expect(page, `${strategy} ${key}`).toMatchObject({ items: [item], nextCursor: null, hasMore: false });
    }
    const page = await feedApi.succeed('GET', `/v1/feeds/home?strategy=${strategy}`, { key: 'abc125' });
    expect(page).toEqual({
      items: [],
      nextCursor: null,
      hasMore: false,
      paging: { cursors: { before: null, after: null }, previous: null, next: null },
    });
  }
  expect(await feedApi.succeed('GET', '/v1/users/2/feed', { key: 'abc125' })).toMatchObject({ items: [item] });
  expect(await feedApi.succeed('GET', `/v1/activities/${posted.id}`, { key: 'abc125' })).toEqual(item);
});
