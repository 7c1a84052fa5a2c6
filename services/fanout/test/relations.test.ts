import { activityIdMinter } from '@tideline/shared/activity-id';
import { encodeRecord, logKeyOf, type RelationRecord, recordVersion } from '@tideline/shared/activity-record';
import { createKafka } from '@tideline/shared/kafka-client';
import { createLogger } from '@tideline/shared/logger';
import type { HttpClient, PageBody } from '@tideline/testing/http-client';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import type { Producer } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';

/**
 * Mutes and blocks that only the log has: an ingest that ended after Kafka's acknowledgement, or another producer. Then
 * fanout alone makes them hold.
 */

const mintId = activityIdMinter();
/** Long, so that nothing but the change ends what was kept of a page. */
const pullCacheMs = 60_000;

let platform: Platform;
let clients: HttpClient[];
let producer: Producer;

beforeAll(async () => {
  platform = await startPlatform({ pullCacheMs });
  clients = [platform.feedApi, await platform.startAnotherFeedApi()];
  producer = createKafka({
    brokers: platform.settings.kafkaBrokers,
    clientId: 'tideline-test',
    logger: createLogger('test', 'silent'),
  }).producer({ allowAutoTopicCreation: false });
  await producer.connect();
});
afterAll(async () => {
  await producer.disconnect();
  await platform.stop();
});

async function append(actorId: string, verb: RelationRecord['verb'], objectId: string): Promise<void> {
  const acceptedAt = Date.now();
  const record: RelationRecord = {
    v: recordVersion,
    kind: 'relation',
    id: mintId(acceptedAt),
    actorId,
    verb,
    objectType: 'user',
    objectId,
    callerId: 'test',
    requestId: 'test',
    acceptedAt,
  };
  const message = { key: logKeyOf(record), value: encodeRecord(record) };
  await producer.send({ topic: platform.topic, acks: -1, messages: [message] });
  await platform.settle();
}

/** Two who follow each other, each with a post. */
async function pair(name: string): Promise<[string, string]> {
  const [one, other] = [`${name}-one`, `${name}-other`];
  const follows = [
    { followerId: one, followeeId: other },
    { followerId: other, followeeId: one },
  ];
  await platform.ingest.succeed('POST', '/v1/follows', { body: follows });
  const body = [one, other].map((actorId) => ({ actorId, verb: 'post', objectType: 'note', objectId: actorId }));
  await platform.ingest.succeed('POST', '/v1/activities', { body });
  await platform.settle();
  return [one, other];
}

/** Whose posts a reader sees, by whichever strategy and process; what is kept of pages is used. */
async function authorsSeenBy(reader: string): Promise<string[]> {
  const pages = clients.flatMap((client) =>
    ['hybrid', 'pull', 'push'].map(async (strategy) => {
      const path = `/v1/feeds/home?strategy=${strategy}`;
      const { items } = await client.succeed<PageBody>('GET', path, { actAs: reader });
      return items.map(({ actorId }) => actorId).sort();
    }),
  );
  const [first = [], ...others] = await Promise.all(pages);
  for (const authors of others) {
    expect(authors).toEqual(first);
  }
  return first;
}

test.each([
  ['mute', 'unmute'],
  ['block', 'unblock'],
] as const)('fanout makes a %s hold that only the log has, and its end', async (begin, end) => {
  const [one, other] = await pair(begin);
  for (const reader of [one, other, one, other]) {
    expect(await authorsSeenBy(reader)).toEqual([one, other]);
    await platform.settleReads();
  }
  await append(one, begin, other);
  expect(await authorsSeenBy(one)).toEqual([one]);
  expect(await authorsSeenBy(other)).toEqual(begin === 'block' ? [other] : [one, other]);
  await append(one, begin, other);
  await append(one, end, other);
  for (const reader of [one, other]) {
    expect(await authorsSeenBy(reader)).toEqual([one, other]);
  }
  const { rows } = await platform.database.query<{ verb: string }>(
    `select verb from control_activities where actor_id = $1 and object_id = $2 and verb <> 'follow' order by log_offset`,
    [one, other],
  );
  expect(rows.map(({ verb }) => verb)).toEqual([begin, begin, end]);
});

test('a record that fanout gets to after a newer one was applied changes nothing', async () => {
  const [one, other] = await pair('older');
  // As an ingest leaves it that applied an unmute from far down the log.
  await platform.database.query(`insert into relations values ($1, $2, 'mute', false, now(), 1, 0, 1000000)`, [
    one,
    other,
  ]);
  await append(one, 'mute', other);
  expect(await authorsSeenBy(one)).toEqual([one, other]);
});

test('who is named first by a mute or a block is known from then on', async () => {
  await append('never-named-1', 'block', 'never-named-2');
  for (const id of ['never-named-1', 'never-named-2']) {
    expect(await platform.feedApi.succeed('GET', `/v1/users/${id}`)).toMatchObject({ name: id });
  }
});
