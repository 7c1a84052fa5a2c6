import { activityIdMinter, foreignActivityId } from '@tideline/shared/activity-id';
import { type ActivityRecord, encodeRecord, logKeyOf, recordVersion } from '@tideline/shared/activity-record';
import { Cache } from '@tideline/shared/cache';
import { type FanoutResult, fanoutResultTtlS, readFanoutResult } from '@tideline/shared/fanout-results';
import { createKafka } from '@tideline/shared/kafka-client';
import { createLogger } from '@tideline/shared/logger';
import { pullTokenCall } from '@tideline/shared/registers';
import { fanoutGroup } from '@tideline/shared/topics';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import type { Producer } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** What fanout says of its work: a result for each activity, for awaited changes, and a line for each batch. */

const followerThreshold = 3;
const home = '/v1/feeds/home';
const mintId = activityIdMinter();
const logger = createLogger('test', 'silent');

let platform: Platform;
let cache: Cache;
let producer: Producer;

beforeAll(async () => {
  platform = await startPlatform({ followerThreshold });
  cache = new Cache({
    url: platform.servers.TIDELINE_REDIS_URL,
    namespace: platform.namespace,
    epochs: { epochOf: currentEpoch },
    logger,
  });
  const brokers = platform.servers.TIDELINE_KAFKA_BROKERS.split(',');
  producer = createKafka({ brokers, clientId: 'tideline-test', logger }).producer({ allowAutoTopicCreation: false });
  await Promise.all([cache.start(), producer.connect()]);
});
afterAll(async () => {
  await Promise.all([cache.close(), producer.disconnect()]);
  await platform.stop();
});

/** As the services know it. */
async function currentEpoch(): Promise<string> {
  const { rows } = await platform.database.query<{ epoch: string }>('select epoch from cache_epoch');
  return rows[0]?.epoch ?? '';
}

async function follow(followeeId: string, ...followerIds: string[]): Promise<void> {
  const body = followerIds.map((followerId) => ({ followerId, followeeId }));
  await platform.ingest.succeed('POST', '/v1/follows', { body });
  await platform.settle();
}

async function post(actorId: string, more: object = {}, headers: Record<string, string> = {}): Promise<string> {
  const body = { actorId, verb: 'post', objectType: 'note', objectId: 'n', ...more };
  return (await platform.ingest.succeed<{ id: string }>('POST', '/v1/activities', { body, headers })).id;
}

async function resultOf(id: string): Promise<FanoutResult> {
  return waitUntil('there is a result', async () => (await readFanoutResult(cache, [id])).get(id));
}

async function pullTokenOf(userId: string): Promise<string> {
  return String(...(await cache.run([pullTokenCall(cache, userId)])));
}

/** Puts a record on the log as ingest does, where no route of ingest would make just this one. */
async function append(record: ActivityRecord): Promise<void> {
  const message = { key: logKeyOf(record), value: encodeRecord(record) };
  await producer.send({ topic: platform.topic, acks: -1, messages: [message] });
}

function envelope() {
  const acceptedAt = Date.now();
  return { v: recordVersion, id: mintId(acceptedAt), callerId: 'test', requestId: 'test', acceptedAt } as const;
}

test('the result of a public activity says how many followers it was pushed to, for a day', async () => {
  await follow('few', 'few-1', 'few-2');
  const before = Date.now();
  const id = await post('few');
  const result = await resultOf(id);

  expect(result).toMatchObject({ strategy: 'fanout', followers: 2, delivered: 2 });
  expect(result.publishedAt).toBeGreaterThanOrEqual(before);
  expect(result.latencyMs).toBe(result.deliveredAt - result.publishedAt);
  expect(await platform.redis.ttl(cache.keys.fanoutResult(id))).toBeGreaterThan(fanoutResultTtlS - 60);
  expect(await resultOf(await post('nobody-follows'))).toMatchObject({ followers: 0, delivered: 0 });
});

test('over the threshold an activity is lazy, and what is for some only is still pushed to them', async () => {
  await follow('many', 'many-1', 'many-2', 'many-3', 'many-4');
  await waitUntil('the author is pulled', async () => {
    const { rows } = await platform.database.query(`select from authors where author_id = 'many' and mode = 'pull'`);
    return rows.length > 0;
  });
  expect(await resultOf(await post('many'))).toMatchObject({ strategy: 'lazy', followers: 4, delivered: 0 });

  const targeted = await post('many', { to: ['many-1', 'stranger', 'many-1', 'many-4'] });
  expect(await resultOf(targeted)).toMatchObject({ strategy: 'fanout', followers: 4, delivered: 2 });
});

test('each item of a batch has a result of its own', async () => {
  await follow('batch-a', 'batch-reader');
  const body = ['batch-a', 'batch-b', 'batch-a'].map((actorId, i) => ({
    actorId,
    verb: 'post',
    objectType: 'note',
    objectId: `n${i}`,
  }));
  const { items } = await platform.ingest.succeed<{ items: { id: string }[] }>('POST', '/v1/activities', { body });
  const results = await Promise.all(items.map(({ id }) => resultOf(id)));
  expect(results.map(({ delivered }) => delivered)).toEqual([1, 0, 1]);
});

test('an activity that was deleted before it came was delivered to nobody', async () => {
  const timestamp = Date.now();
  await follow('early', 'early-1');
  const id = foreignActivityId('early', 'x', timestamp);
  await platform.ingest.succeed('DELETE', `/v1/activities/${id}`, { actAs: 'early' });
  expect(await post('early', { foreignId: 'x', timestamp })).toBe(id);
  expect(await resultOf(id)).toMatchObject({ strategy: 'fanout', followers: 1, delivered: 0 });
});

test('what is delivered again keeps its first result', async () => {
  const timestamp = Date.now();
  const once = { foreignId: 'once', timestamp };
  await follow('again', 'again-1');
  const id = await post('again', once);
  const first = await resultOf(id);
  await follow('again', 'again-2');
  expect(await post('again', once)).toBe(id);
  await platform.settle();
  expect(await resultOf(id)).toEqual(first);

  await platform.stopFanout();
  await platform.admin.resetOffsets({
    groupId: fanoutGroup(platform.namespace),
    topic: platform.topic,
    earliest: true,
  });
  await platform.startFanout();
  await platform.settle();
  expect(await resultOf(id)).toEqual(first);
});

test('when an awaited follow has its result, the reader’s home shows the author’s posts', async () => {
  const posts = [await post('awaited-author'), await post('awaited-author')];
  await platform.settle();
  // An inbox that exists: one that is missing would be read from the database anyway.
  await platform.feedApi.walk(home, 'awaited-reader', 50);
  await platform.settleReads();
  const record: ActivityRecord = {
    ...envelope(),
    kind: 'follow',
    verb: 'follow',
    actorId: 'awaited-reader',
    objectType: 'user',
    objectId: 'awaited-author',
    awaited: true,
  };
  await append(record);
  expect(await resultOf(record.id)).toMatchObject({ strategy: 'fanout', followers: 0, delivered: 0 });
  const items = await platform.feedApi.walk(home, 'awaited-reader', 50);
  expect(items.map(({ id }) => id)).toEqual(posts.reverse());
});

test('an awaited object is in the database and in Redis when it has its result; one that nobody awaits has none', async () => {
  const base = { kind: 'object', verb: 'update', actorId: 'maker', objectType: 'photo', objectId: 'p1' } as const;
  const silent: ActivityRecord = { ...envelope(), ...base, title: 'Before' };
  const awaited: ActivityRecord = {
    ...envelope(),
    ...base,
    title: 'After',
    ownerId: 'owner-of-p1',
    url: 'https://example.org/p1',
    metadata: { width: 3 },
    awaited: true,
  };
  await append(silent);
  await append(awaited);
  await resultOf(awaited.id);

  const details = { title: 'After', url: 'https://example.org/p1' };
  const { rows } = await platform.database.query(
    `select title, owner_id, url, metadata from objects where type = 'photo' and id = 'p1'`,
  );
  expect(rows).toEqual([{ ...details, owner_id: 'owner-of-p1', metadata: { width: 3 } }]);
  const stored = await platform.redis.get(cache.keys.object('photo', 'p1'));
  expect(stored).toContain(JSON.stringify({ title: 'After', ownerId: 'owner-of-p1', url: details.url }));
  const { rows: events } = await platform.database.query(
    `select metadata from control_activities where object_type = 'photo' and object_id = 'p1' order by log_offset`,
  );
  expect(events.map(({ metadata }) => metadata)).toEqual([
    { title: 'Before' },
    { ...details, ownerId: 'owner-of-p1', metadata: { width: 3 } },
  ]);
  expect((await readFanoutResult(cache, [silent.id, awaited.id])).has(silent.id)).toBe(false);
});

test('a pull token stands until its user did something, and no longer', async () => {
  const users = ['poster', 'follower', 'deleter', 'renamed', 'bystander'];
  const mine = await post('deleter');
  await platform.settle();
  const before = await Promise.all(users.map((user) => pullTokenOf(user)));
  expect(await Promise.all(users.map((user) => pullTokenOf(user)))).toEqual(before);

  await post('poster');
  await follow('bystander', 'follower');
  await platform.ingest.succeed('DELETE', `/v1/activities/${mine}`, { actAs: 'deleter' });
  await platform.ingest.succeed('PUT', '/v1/users/renamed', { body: { name: 'Renamed' } });
  await platform.settle();
  const after = await Promise.all(users.map((user) => pullTokenOf(user)));
  expect(users.filter((_, i) => after[i] === before[i])).toEqual(['bystander']);
});

test('an acknowledged unfollow or delete ends the pull token before fanout sees it', async () => {
  await follow('left', 'leaver');
  const id = await post('left');
  await platform.settle();
  await platform.stopFanout();
  const tokens = await Promise.all(['leaver', 'left'].map((user) => pullTokenOf(user)));
  await platform.ingest.succeed('DELETE', '/v1/follows/left', { actAs: 'leaver' });
  await platform.ingest.succeed('DELETE', `/v1/activities/${id}`, { actAs: 'left' });
  expect(await pullTokenOf('leaver')).not.toBe(tokens[0]);
  expect(await pullTokenOf('left')).not.toBe(tokens[1]);
  await platform.startFanout();
});

test('the id of a request is in the line of the batch that its records were in', async () => {
  await platform.stopFanout();
  const fanout = await platform.spawnFanout();
  const requestId = `request-${mintId(Date.now())}`;
  const id = await post('logged', {}, { 'x-request-id': requestId });
  const line = await waitUntil('the line is there', () =>
    fanout.output.split('\n').find((each) => each.includes(requestId)),
  );
  const { rows } = await platform.database.query('select log_partition, log_offset from activities where id = $1', [
    id,
  ]);
  const offset = Number(rows[0].log_offset);
  expect(JSON.parse(line)).toMatchObject({
    service: 'fanout',
    msg: 'batch delivered',
    partition: rows[0].log_partition,
    firstOffset: offset,
    lastOffset: offset,
    records: 1,
    requestIds: [requestId],
    ms: expect.any(Number) as number,
  });
  await fanout.signal('SIGTERM');
});
