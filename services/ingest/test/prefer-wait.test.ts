import type { FeedItem } from '@tideline/shared/activity';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { gateTo, throughGate } from './gate.js';
import { Installation, keys } from './ingest-server.js';

const note = (objectId: string, actorId = 'anna') => ({ actorId, verb: 'post', objectType: 'note', objectId });
const waiting = (seconds: number | string) => ({ prefer: `wait=${seconds}` });

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({ followerThreshold: 3 });
  const follows = [
    ...['ben', 'cem', 'dan'].map((followerId) => ({ followerId, followeeId: 'anna' })),
    ...['ben', 'cem', 'dan', 'eve', 'anna'].map((followerId) => ({ followerId, followeeId: 'star' })),
  ];
  await platform.ingest.succeed('POST', '/v1/follows', { body: follows });
  await platform.settle();
});

afterAll(() => platform.stop());

async function home(reader: string): Promise<string[]> {
  const page = await platform.feedApi.succeed<{ items: FeedItem[] }>('GET', '/v1/feeds/home', { actAs: reader });
  return page.items.map(({ objectId }) => objectId);
}

async function elapsedMs(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

test('who prefers to wait is answered once an activity is delivered, with to how many', async () => {
  const one = await platform.ingest.request('POST', '/v1/activities', { body: note('1'), headers: waiting(10) });
  expect(one).toMatchObject({ status: 201, body: { fanout: { fanoutCount: 3, strategy: 'fanout' } } });
  expect(one.headers.get('preference-applied')).toBe('wait=10');
  expect(await home('ben')).toEqual(['1']);

  const body = [note('2'), note('3', 'star'), note('4')];
  const many = await platform.ingest.request('POST', '/v1/activities', { body, headers: waiting(60) });
  expect(many).toMatchObject({
    status: 201,
    body: {
      items: [
        { fanout: { fanoutCount: 3, strategy: 'fanout' } },
        { fanout: { fanoutCount: 0, strategy: 'lazy' } },
        { fanout: { fanoutCount: 3, strategy: 'fanout' } },
      ],
    },
  });
  expect(many.headers.get('preference-applied')).toBe('wait=10');
  expect(new Set(await home('cem'))).toEqual(new Set(['1', '2', '3', '4']));
});

test('who does not, or says it wrongly, is answered at once', async () => {
  for (const headers of [{}, waiting('soon'), waiting(-1), { prefer: 'respond-async' }]) {
    const answer = await platform.ingest.request('POST', '/v1/activities', { body: note('5'), headers });
    expect(answer.status).toBe(202);
    expect(answer.headers.get('preference-applied')).toBeNull();
  }
});

test('a follow, an unfollow, a name and an object are applied when who waits is answered', async () => {
  const calls = [
    ['PUT', '/v1/follows/anna', undefined],
    ['DELETE', '/v1/follows/anna', undefined],
    ['PUT', '/v1/users/fay', { name: 'Fay' }],
    ['PUT', '/v1/objects/note/1', { title: 'First' }],
  ] as const;
  for (const [method, path, body] of calls) {
    const answer = await platform.ingest.request(method, path, { actAs: 'fay', body, headers: waiting(10) });
    expect(answer.status, path).toBe(202);
    expect(answer.headers.get('preference-applied'), path).toBe('wait=10');
  }
  await platform.ingest.request('PUT', '/v1/follows/anna', { actAs: 'fay', headers: waiting(10) });
  expect(await home('fay')).toContain('1');
});

test('a repetition under an Idempotency-Key has the answer of who waited', async () => {
  const headers = { ...waiting(10), 'idempotency-key': 'waited' };
  const [first, again] = [
    await platform.ingest.request('POST', '/v1/activities', { body: note('6'), headers }),
    await platform.ingest.request('POST', '/v1/activities', { body: note('6'), headers }),
  ];
  expect(again).toMatchObject({ status: 201, body: first.body });
  expect(again.headers.get('preference-applied')).toBe('wait=10');
});

test('without fanout nobody waits longer than they would, and without Redis nobody waits', async () => {
  const installation = await Installation.create();
  const { redisUrl } = installation.config;
  const { hostname, port } = new URL(redisUrl);
  const gate = await gateTo({ host: hostname, port: Number(port) }, 'open');
  const ingest = await installation.start({ redisUrl: throughGate(redisUrl, gate) });
  try {
    // A correction needs Redis.
    const unfollow = () => ingest.call('/v1/follows/user:ben', { method: 'DELETE', key: keys.anna });
    await waitUntil('ingest has Redis', async () => (await unfollow()).status === 202);
    const post = async () => {
      const answer = await ingest.call('/v1/activities', { key: keys.producer, body: note('7'), headers: waiting(1) });
      expect(answer.status).toBe(202);
      expect(answer.headers.get('preference-applied')).toBeNull();
    };
    const follow = async () => {
      const call = { method: 'PUT', key: keys.anna, headers: waiting(1) };
      const answer = await ingest.call('/v1/follows/user:ben', call);
      expect(answer.status).toBe(202);
      expect(answer.headers.get('preference-applied')).toBeNull();
    };
    for (const write of [post, follow]) {
      const tookMs = await elapsedMs(write);
      expect(tookMs).toBeGreaterThanOrEqual(990);
      expect(tookMs).toBeLessThan(3_000);
    }
    gate.shut();
    expect(await elapsedMs(post)).toBeLessThan(900);
  } finally {
    await ingest.stop();
    await gate.close();
    await installation.close();
  }
});
