import type { EventStreamClient } from '@tideline/testing/event-stream-client';
import { freePort } from '@tideline/testing/free-port';
import { HttpClient, type PageBody } from '@tideline/testing/http-client';
import { readMetrics } from '@tideline/testing/metrics-page';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

/** Streams of events (C8): every delivery once, whatever is lost on the way, or a resync that says so. */

const home = '/v1/feeds/home';
const homeStream = `${home}/stream`;
const followerThreshold = 3;
const streamsMax = 60;
const origin = 'https://console.example';

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform({ followerThreshold, streamsMax, door: { corsOrigins: [origin] } });
});
afterAll(() => platform.stop());

const opened: EventStreamClient[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((stream) => stream.close()));
});

function open(reader: string, lastEventId?: string, feedApi = platform.feedApi): EventStreamClient {
  const stream = feedApi.stream(homeStream, { actAs: reader }, lastEventId);
  opened.push(stream);
  return stream;
}

async function openNow(reader: string, feedApi = platform.feedApi): Promise<EventStreamClient> {
  const stream = open(reader, undefined, feedApi);
  await stream.whenOpened();
  return stream;
}

async function follow(followerIds: readonly string[], followeeId: string): Promise<void> {
  const body = followerIds.map((followerId) => ({ followerId, followeeId }));
  await platform.ingest.succeed('POST', '/v1/follows', { body });
  await platform.settle();
}

let posts = 0;

async function post(actorId: string, more: object = {}): Promise<string> {
  posts += 1;
  const body = { actorId, verb: 'post', objectType: 'note', objectId: String(posts), ...more };
  return (await platform.ingest.succeed<{ id: string }>('POST', '/v1/activities', { body })).id;
}

async function postMany(actorId: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i += 1) {
    ids.push(await post(actorId));
  }
  return ids;
}

/** Waits until as many activities came, and a moment more in which one too many could come. */
async function came(stream: EventStreamClient, count: number): Promise<string[]> {
  await stream.when(`${count} activities came`, () => stream.activityIds.length >= count);
  await platform.settle();
  return stream.activityIds.toSorted();
}

async function idsOfHome(reader: string): Promise<string[]> {
  return (await platform.feedApi.walk(home, reader, 50)).map(({ id }) => id).toSorted();
}

test('what is delivered to a home feed comes as the item that a page shows, pushed or pulled', async () => {
  await follow(['a1', 'a2', 'a3', 'a4'], 'a-star');
  await follow(['a1'], 'a-friend');
  const stream = await openNow('a1');
  const ids = [await post('a-star'), await post('a-friend', { metadata: { n: 1 } }), await post('a1')];
  await post('a-stranger');
  expect(await came(stream, 3)).toEqual(ids.toSorted());
  const items = await platform.feedApi.walk(home, 'a1', 10);
  const streamed = stream.events.flatMap(({ event, data }) => (event === 'activity' ? [data] : []));
  expect(streamed.toSorted((a, b) => (a.id < b.id ? 1 : -1))).toEqual(items);
  expect(stream.resyncs).toBe(0);
});

test('whoever comes back gets what happened meanwhile, and nothing twice', async () => {
  await follow(['b1'], 'b-friend');
  await follow(['b1', 'b2', 'b3', 'b4'], 'b-star');
  const stream = await openNow('b1');
  const ids: string[] = [];
  for (let round = 1; round <= 5; round += 1) {
    ids.push(...(await postMany('b-friend', 3)), ...(await postMany('b-star', 2)));
    stream.cut();
    ids.push(await post('b-friend'), await post('b-star'));
    await stream.whenOpened(round + 1);
  }
  expect(await came(stream, ids.length)).toEqual(ids.toSorted());
  expect(stream.resyncs).toBe(0);
  expect(stream.losses).toHaveLength(5);
});

test('a stream begins behind any event that it once had', async () => {
  await follow(['c1'], 'c-friend');
  const first = await openNow('c1');
  const ids = await postMany('c-friend', 4);
  await came(first, 4);
  const second = open('c1', first.events[1]?.id);
  expect(await came(second, 2)).toEqual(ids.slice(2));
  const unknown = open('c1', 'never.given.out');
  await unknown.when('it is told', () => unknown.resyncs === 1);
});

test('lost wake-ups lose nothing', async () => {
  await follow(['d1'], 'd-friend');
  const stream = await openNow('d1');
  const ids: string[] = [];
  for (let round = 0; round < 10; round += 1) {
    ids.push(await post('d-friend'));
    await platform.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    ids.push(await post('d-friend'));
  }
  expect(await came(stream, ids.length)).toEqual(ids.toSorted());
  expect([stream.resyncs, stream.opened]).toEqual([0, 1]);
});

test('a process that is killed and started again takes its streams up where they were', async () => {
  await follow(['e1'], 'e-friend');
  const ports = { TIDELINE_HTTP_PORT: String(await freePort()), TIDELINE_OPERATIONS_PORT: String(await freePort()) };
  let feedApi = await platform.spawn('feed-api', ports);
  const stream = await openNow('e1', new HttpClient(feedApi.ports.http));
  const ids: string[] = [];
  for (let round = 0; round < 3; round += 1) {
    ids.push(...(await postMany('e-friend', 2)));
    await feedApi.signal('SIGKILL');
    ids.push(await post('e-friend'));
    feedApi = await platform.spawn('feed-api', ports);
    ids.push(await post('e-friend'));
    await stream.whenOpened(round + 2);
  }
  expect(await came(stream, ids.length)).toEqual(ids.toSorted());
  expect(stream.resyncs).toBe(0);
  await feedApi.signal('SIGKILL');
});

test('a process that stops ends its streams, complete and with a hint when to come back', async () => {
  const ports = { TIDELINE_HTTP_PORT: String(await freePort()), TIDELINE_OPERATIONS_PORT: String(await freePort()) };
  const feedApi = await platform.spawn('feed-api', ports);
  const stream = await openNow('f1', new HttpClient(feedApi.ports.http));
  await feedApi.signal('SIGTERM');
  expect(feedApi.exitCode).toBe(0);
  await stream.when('it is lost', () => stream.losses.length > 0);
  expect(stream.losses[0]).toBe('the stream ended');
});

test('what is deleted is taken back, and what is hidden otherwise says to read again', async () => {
  await follow(['g1'], 'g-friend');
  const stream = await openNow('g1');
  const [id = ''] = await postMany('g-friend', 1);
  await came(stream, 1);
  await platform.ingest.succeed('DELETE', `/v1/activities/${id}`, { actAs: 'g-friend' });
  await stream.when('it is taken back', () => stream.events.some(({ event }) => event === 'delete'));
  expect(stream.events.map(({ event, data }) => [event, data['id' as never]])).toEqual([
    ['activity', id],
    ['delete', id],
  ]);

  await platform.ingest.succeed('PUT', '/v1/mutes/g-friend', { actAs: 'g1' });
  await stream.when('a mute is felt', () => stream.resyncs === 1);
  await post('g-friend');
  await platform.settle();
  await platform.ingest.succeed('DELETE', '/v1/mutes/g-friend', { actAs: 'g1' });
  await stream.when('its end is felt', () => stream.resyncs === 2);
  await platform.ingest.succeed('DELETE', '/v1/follows/g-friend', { actAs: 'g1' });
  await stream.when('an unfollow is felt', () => stream.resyncs >= 3);
  expect(stream.activityIds).toEqual([id]);
});

test('what is for others does not come', async () => {
  await follow(['h1', 'h2'], 'h-friend');
  const stream = await openNow('h1');
  await post('h-friend', { to: ['h2'] });
  const mine = await post('h-friend', { to: ['h1'] });
  const everybodys = await post('h-friend');
  expect(await came(stream, 2)).toEqual([mine, everybodys].toSorted());
});

test('a follow is felt, and what the author did then comes', async () => {
  const stream = await openNow('i1');
  const before = await post('i-friend');
  await follow(['i1'], 'i-friend');
  await stream.when('the follow is felt', () => stream.resyncs > 0);
  expect(await idsOfHome('i1')).toEqual([before]);
  const after = await post('i-friend');
  expect(await came(stream, 1)).toEqual([after]);
});

test('what authors do whom readers merge does not come any more once a mute, a block or an unfollow is acknowledged', async () => {
  const readers = ['m1', 'm2', 'm3', 'm4'];
  await follow(readers, 'm-star');
  const streams = await Promise.all(readers.map((reader) => openNow(reader)));
  const before = await post('m-star');
  await Promise.all(streams.map((stream) => came(stream, 1)));
  await platform.ingest.succeed('PUT', '/v1/mutes/m-star', { actAs: 'm1' });
  await platform.ingest.succeed('PUT', '/v1/blocks/m2', { actAs: 'm-star' });
  await platform.ingest.succeed('DELETE', '/v1/follows/m-star', { actAs: 'm3' });
  const after = await post('m-star');
  await streams[3]?.when('it reaches who still may see it', () => streams[3]?.activityIds.includes(after) === true);
  await platform.settle();
  expect(streams.map(({ activityIds }) => activityIds)).toEqual([[before], [before], [before], [before, after]]);
  expect(streams.map(({ resyncs }) => resyncs > 0)).toEqual([true, true, true, false]);
});

test('when Redis forgets who is watched, streams say so, and show nothing of whom their readers muted meanwhile', async () => {
  await follow(['n1', 'n2', 'n3', 'n4'], 'n-star');
  const stream = await openNow('n1');
  const before = await post('n-star');
  await came(stream, 1);
  // As an eviction does: without a watch nobody records that the register was dropped.
  await platform.redis.del(await platform.redis.keys('*:watched'));
  await platform.ingest.succeed('PUT', '/v1/mutes/n-star', { actAs: 'n1' });
  await post('n-star');
  await stream.when('it is told', () => stream.resyncs > 0);
  await platform.settle();
  expect(stream.activityIds).toEqual([before]);
  await platform.ingest.succeed('DELETE', '/v1/mutes/n-star', { actAs: 'n1' });
  const after = await post('n-star');
  expect(await came(stream, 2)).toEqual([before, after].toSorted());
});

test('when Redis loses everything, streams say so and go on', async () => {
  await follow(['j1'], 'j-friend');
  const stream = await openNow('j1');
  await post('j-friend');
  await came(stream, 1);
  // What a restart looks like: nothing is left, and connections are lost.
  await platform.redis.flushall();
  await platform.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  const ids = await postMany('j-friend', 1);
  await stream.when('it is told', () => stream.resyncs > 0);
  await platform.settle();
  expect(await idsOfHome('j1')).toEqual(expect.arrayContaining(ids));
  const id = await post('j-friend');
  await stream.when('it goes on', () => stream.activityIds.includes(id));
});

test('whoever comes back after a mute or an unfollow is told to read again', async () => {
  await follow(['hh1'], 'hh-friend');
  await follow(['hh1'], 'hh-bore');
  const stream = await openNow('hh1');
  await post('hh-friend');
  await came(stream, 1);
  const last = stream.events.at(-1)?.id;
  await stream.close();
  await platform.ingest.succeed('PUT', '/v1/mutes/hh-bore', { actAs: 'hh1' });
  const again = open('hh1', last);
  await again.when('it is told', () => again.resyncs > 0);
});

test('a flush of Redis, after which no connection is lost, is told as soon as anybody notices', async () => {
  await follow(['jj1'], 'jj-friend');
  const stream = await openNow('jj1');
  await platform.redis.flushall();
  await post('jj-friend');
  const beforeItIsRenewedMs = 20_000;
  await waitUntil('it is told', () => stream.resyncs > 0, beforeItIsRenewedMs);
});

test('notifications come as the page shows them, with how many are left', async () => {
  await platform.ingest.succeed('PUT', '/v1/objects/note/mine', { actAs: 'n1', body: { title: 'Mine' } });
  const stream = platform.feedApi.stream('/v1/feeds/notifications/stream', { actAs: 'n1' });
  opened.push(stream);
  await stream.whenOpened();
  const liked = await post('n2', { verb: 'like', objectId: 'mine' });
  await came(stream, 1);
  await platform.ingest.succeed('PUT', '/v1/follows/n1', { actAs: 'n2' });
  await came(stream, 2);
  const page = await platform.feedApi.succeed<PageBody & { unseen: number; unread: number }>(
    'GET',
    '/v1/feeds/notifications',
    { actAs: 'n1' },
  );
  const [follow, like] = page.items;
  expect(stream.events.map(({ data }) => data)).toEqual([
    { ...like, unseen: 1, unread: 1 },
    { ...follow, unseen: 2, unread: 2 },
  ]);
  expect([page.unseen, page.unread, like?.id]).toEqual([2, 2, liked]);

  await platform.feedApi.succeed('POST', '/v1/feeds/notifications/seen', { actAs: 'n1', body: { upTo: follow?.id } });
  await platform.ingest.succeed('DELETE', `/v1/activities/${liked}`, { actAs: 'n2' });
  await stream.when('it is taken back', () => stream.events.length === 3);
  expect(stream.events[2]).toMatchObject({ event: 'delete', data: { id: liked, unseen: 0, unread: 1 } });
  await platform.ingest.succeed('DELETE', '/v1/follows/n1', { actAs: 'n2' });
  await stream.when('a follow that ended is taken back', () => stream.events.length === 4);
  expect(stream.events[3]).toMatchObject({ event: 'delete', data: { id: follow?.id, unseen: 0, unread: 0 } });
});

test('a ticket opens a stream from any page that may call, without a key', async () => {
  const ask = { method: 'POST', headers: { 'x-app-key': 'abc123', origin } };
  const made = await fetch(`${platform.feedApi.origin}/v1/stream-tickets`, ask);
  const { ticket } = (await made.json()) as { ticket: string };
  expect(made.status).toBe(201);
  const stop = new AbortController();
  const answer = await fetch(`${platform.feedApi.origin}${homeStream}?ticket=${ticket}`, {
    headers: { origin },
    signal: stop.signal,
  });
  expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([200, origin]);
  stop.abort();
  const elsewhere = await fetch(`${platform.feedApi.origin}${home}?ticket=${ticket}`);
  expect(elsewhere.status).toBe(401);
});

test('a process has only so many streams, which share their connections to Redis', async () => {
  const connections = async () => String(await platform.redis.client('LIST')).split('\n').length;
  await waitUntil('those before are closed', async () => (await streamsOpen()) === 0);
  await openNow('k0');
  const before = await connections();
  const more = Array.from({ length: streamsMax - 1 }, (_, i) => open(`k${i % 15}`));
  await Promise.all(more.map((stream) => stream.whenOpened()));
  expect(await connections()).toBe(before);

  const refused = await fetch(platform.feedApi.origin + homeStream, {
    headers: { 'x-app-key': 'demo-producer', 'x-act-as': 'somebody' },
  });
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
  await more[0]?.close();
  await waitUntil('there is room', async () => (await streamsOpen()) < streamsMax);
  await openNow('somebody');
});

test('a stream is counted as a request when it begins', async () => {
  const metrics = () => readMetrics(platform.ports.feedApiOperations);
  const labels = { route: homeStream, status: '200' };
  const before = await metrics();
  const stream = await openNow('l1');
  await post('l1');
  await came(stream, 1);
  const after = await metrics();
  const grown = (name: string) => after.sum(name, labels) - before.sum(name, labels);
  expect(grown('tideline_http_request_duration_seconds_count')).toBe(1);
  expect(grown('tideline_http_request_duration_seconds_sum')).toBeLessThan(2);
  expect(after.sum('tideline_stream_events_total', { feed: 'home', event: 'activity' })).toBeGreaterThan(0);
});

async function streamsOpen(): Promise<number> {
  return (await readMetrics(platform.ports.feedApiOperations)).sum('tideline_streams_open');
}
