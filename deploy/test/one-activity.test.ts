import { randomUUID } from 'node:crypto';
import { activityIdToBytes } from '@tideline/shared/activity-id';
import { liveChannel } from '@tideline/shared/feed-keys';
import { createKafka } from '@tideline/shared/kafka-client';
import { createLogger } from '@tideline/shared/logger';
import type { PageBody } from '@tideline/testing/http-client';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readAudit } from '../src/audit/read-audit.js';

/**
 * E9: one activity all the way, as it was in this very run. docs/one-activity.md is what this test writes:
 * npm test -- --project system deploy/test/one-activity.test.ts -u
 */

const postRequest = '0f9d3c1e-6a1b-4d55-9f0e-1d2c3b4a5f60';
const deleteRequest = '7b1e2d3c-4f5a-4b6c-8d7e-9f0a1b2c3d4e';
const activity = {
  verb: 'post',
  objectType: 'note',
  objectId: 'n1',
  objectTitle: 'Hello',
  metadata: { mood: 'glad' },
  foreignId: 'note-n1',
  timestamp: '2026-01-01T12:00:00.000Z',
};

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({ partitions: 12 });
});
afterAll(() => platform.stop());

test('docs/one-activity.md says what becomes of one activity, as it is', async () => {
  const { ingest, feedApi, redis } = platform;
  const requestedBy = (requestId: string) => ({ actAs: 'anna', headers: { 'x-request-id': requestId } });
  await ingest.succeed('PUT', '/v1/users/anna', { actAs: 'anna', body: { name: 'Anna' } });
  await ingest.succeed('PUT', '/v1/users/ben', { actAs: 'ben', body: { name: 'Ben' } });
  await ingest.succeed('PUT', '/v1/follows/anna', { actAs: 'ben' });
  await platform.settle();
  await feedApi.succeed('GET', '/v1/feeds/home', { actAs: 'ben' });
  await platform.settle();
  const stream = feedApi.stream('/v1/feeds/home/stream', { actAs: 'ben' });
  await stream.whenOpened();
  const messages = await listenTo(liveChannel(platform.namespace));

  const accepted = await ingest.succeed<{ id: string }>('POST', '/v1/activities', {
    ...requestedBy(postRequest),
    body: activity,
  });
  await stream.when('it came live', () => stream.activityIds.includes(accepted.id));
  await platform.settle();
  const wakeUp = await waitUntil('it was told', () => messages[0]);
  const page = await feedApi.succeed<PageBody>('GET', '/v1/feeds/home', { actAs: 'ben' });
  const fanout = await feedApi.succeed('GET', `/v1/activities/${accepted.id}/fanout`, { actAs: 'anna' });
  const [inboxKey = ''] = await redis.keys('*:in:ben');
  const stored = await platform.database.query('select * from activities where id = $1', [accepted.id]);
  const entry = await redis.lrangeBuffer(inboxKey, 0, 0);
  expect(entry[0]).toEqual(activityIdToBytes(accepted.id));

  // It would write the tombstone before ingest does, now and then.
  await platform.stopFanout();
  await ingest.succeed('DELETE', `/v1/activities/${accepted.id}`, requestedBy(deleteRequest));
  await platform.startFanout();
  await stream.when('the delete came live', () => stream.events.some(({ event }) => event === 'delete'));
  const client = await platform.database.connect();
  const audit = await readAudit(client, { user: 'anna', table: 'tombstones', limit: 10 }).finally(() =>
    client.release(),
  );
  await stream.close();

  const written = audit.find(({ operation }) => operation === 'insert');
  const record = await recordWith(postRequest);
  const text = `${introduction}

## 1. The event

\`POST /v1/activities\` of ingest, as anna, with \`X-Request-Id: ${postRequest}\`:

${json(activity)}

202:

${json(accepted)}

The id is made of the time and of (\`actorId\`, \`foreignId\`): sent again, it is the same.

## 2. The record

On the topic \`tideline.activities\`, before the 202. The key is the author, so that all that decides who gets what anna does is
in one partition, in order; generation, partition and offset are the record's version.

${json(record)}

## 3. The row

In the hypertable \`activities\`, which never changes:

${json(stored.rows[0])}

## 4. The inbox

In Redis, at the head of the list \`${anonymous(inboxKey)}\` of ben, who follows anna: the 16 bytes of the id, in hex:

\`\`\`
${entry[0]?.toString('hex')}
\`\`\`

## 5. The message

Ben's stream is open. The script that wrote the inbox also wrote what happened to the log of ben's bucket, and published on
\`tideline:live\` where to look:

${json(wakeUp)}

feed-api then sent:

\`\`\`
event: activity
data: ${JSON.stringify(anonymized(stream.events.find(({ event }) => event === 'activity')?.data))}
\`\`\`

## 6. The page

\`GET /v1/feeds/home\` of feed-api, as ben:

${json(page.items)}

## 7. The result

\`GET /v1/activities/${accepted.id}/fanout\`:

${json(fanout)}

## 8. The audit entry

Activities never change, so there is no entry about them. What changes is: \`DELETE /v1/activities/${accepted.id}\`
with \`X-Request-Id: ${deleteRequest}\` writes a tombstone before its 202, and \`npx tideline audit --user anna --json\` says so:

${json(written)}
`;
  await expect(text).toMatchFileSnapshot('../../docs/one-activity.md');
});

const introduction = `# One activity, all the way

anna posts a note. ben follows anna, and is looking. This page is written by a test
(\`deploy/test/one-activity.test.ts\`), which fails where it is not what happens any more; only times of the run, the epoch of the cache and the
namespace are made the same in each run. The schemas are in [asyncapi.json](asyncapi.json) and at \`/docs\` of each service.`;

async function listenTo(name: string): Promise<{ channel: string; message: string }[]> {
  const messages: { channel: string; message: string }[] = [];
  const subscriber = platform.redis.duplicate();
  subscriber.on('message', (channel: string, message: string) => messages.push({ channel, message }));
  await subscriber.subscribe(name);
  subscribers.push(subscriber);
  return messages;
}

const subscribers: { disconnect(): void }[] = [];
afterAll(() => {
  for (const subscriber of subscribers) {
    subscriber.disconnect();
  }
});

/** The record of a request, read from the topic. */
async function recordWith(requestId: string): Promise<unknown> {
  const kafka = createKafka({
    brokers: platform.settings.kafkaBrokers,
    clientId: 'tideline-test',
    logger: createLogger('test', 'silent'),
  });
  const consumer = kafka.consumer({ groupId: randomUUID(), allowAutoTopicCreation: false });
  await consumer.connect();
  await consumer.subscribe({ topics: [platform.topic], fromBeginning: true });
  let found: unknown;
  await consumer.run({
    eachMessage: ({ topic, partition, message }) => {
      const headers = Object.fromEntries(
        Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]),
      );
      if (headers['request-id'] === requestId) {
        const value = JSON.parse(String(message.value)) as unknown;
        found = { topic, partition, offset: message.offset, key: String(message.key), headers, value };
      }
      return Promise.resolve();
    },
  });
  const record = await waitUntil('the record is read', () => found);
  await consumer.disconnect();
  return record;
}

function json(value: unknown): string {
  return `\`\`\`json\n${JSON.stringify(anonymized(value), undefined, 2)}\n\`\`\``;
}

const someTime = '2026-01-01T12:00:00.250Z';
const instead: Record<string, unknown> = {
  acceptedAt: Date.parse(someTime),
  publishedAt: Date.parse(someTime),
  deliveredAt: Date.parse(someTime) + 12,
  latencyMs: 12,
  accepted_at: someTime,
  deleted_at: someTime,
  at: someTime,
  login: 'tideline',
};

/** The same in every run. */
function anonymized(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null), (name, each: unknown) => {
    if (name in instead) {
      return instead[name];
    }
    return typeof each === 'string' ? anonymous(each) : each;
  });
}

function anonymous(text: string): string {
  return text.replaceAll(platform.namespace, 'tideline').replace(/(\{b\d+\}:)[^:]+:/, '$1EPOCH:');
}
