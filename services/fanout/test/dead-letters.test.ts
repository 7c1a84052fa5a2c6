import { randomUUID } from 'node:crypto';
import { activityIdMinter } from '@tideline/shared/activity-id';
import { type ContentRecord, recordVersion } from '@tideline/shared/activity-record';
import { createKafka } from '@tideline/shared/kafka-client';
import { createLogger } from '@tideline/shared/logger';
import { deadLetterTopic, fanoutGroup } from '@tideline/shared/topics';
import { readMetrics } from '@tideline/testing/metrics-page';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import type { Consumer, Kafka, KafkaMessage, Message, Producer } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** Other producers may write to the topic too: what cannot be read or applied goes aside, alone, and nothing stops. */

const partition = 2;
const mintId = activityIdMinter();

let platform: Platform;
let kafka: Kafka;
let producer: Producer;
let consumer: Consumer;
const deadLetters: KafkaMessage[] = [];

beforeAll(async () => {
  platform = await startPlatform();
  kafka = createKafka({
    brokers: platform.servers.TIDELINE_KAFKA_BROKERS.split(','),
    clientId: 'tideline-test',
    logger: createLogger('test', 'silent'),
  });
  producer = kafka.producer({ allowAutoTopicCreation: false });
  consumer = kafka.consumer({ groupId: randomUUID(), allowAutoTopicCreation: false });
  await Promise.all([producer.connect(), consumer.connect()]);
  await consumer.subscribe({ topics: [deadLetterTopic(platform.namespace)], fromBeginning: true });
  await consumer.run({
    eachMessage: ({ message }) => {
      deadLetters.push(message);
      return Promise.resolve();
    },
  });
});
afterAll(async () => {
  await Promise.all([producer.disconnect(), consumer.disconnect()]);
  await platform.stop();
});

function content(actorId: string, changes: Partial<ContentRecord> = {}): ContentRecord {
  const acceptedAt = Date.now();
  return {
    v: recordVersion,
    kind: 'content',
    id: mintId(acceptedAt),
    actorId,
    verb: 'post',
    objectType: 'note',
    objectId: 'n1',
    callerId: 'test',
    requestId: 'test',
    acceptedAt,
    ...changes,
  };
}

function message(value: unknown): Message {
  const text = typeof value === 'string' || value === null || Buffer.isBuffer(value) ? value : JSON.stringify(value);
  return { key: 'author', value: text, headers: { 'request-id': 'r1', traceparent: 'not-touched' } };
}

/** Sends all of it in one batch; returns the offset of the first. */
async function send(messages: Message[]): Promise<number> {
  const sent = messages.map((each) => ({ ...each, partition }));
  const [acknowledgement] = await producer.send({ topic: platform.topic, acks: -1, messages: sent });
  return Number(acknowledgement?.baseOffset);
}

async function feedOf(userId: string): Promise<string[]> {
  return (await platform.feedApi.walk('/v1/feeds/home', userId, 50)).map(({ id }) => id);
}

function headersOf({ headers }: KafkaMessage): Record<string, string> {
  return Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name, String(value)]));
}

test('of a batch the bad records go to the dead letters, each with its reason, and the good ones arrive', async () => {
  const good = Array.from({ length: 12 }, () => content('author'));
  const unreadable: [string, unknown][] = [
    ['SyntaxError', 'this is not JSON'],
    ['SyntaxError', '{"v":1,'],
    ['SyntaxError', null],
    ['SyntaxError', ''],
    ['SyntaxError', Buffer.from([0xff, 0xfe, 0x00])],
    ['ZodError', '[]'],
    ['ZodError', 'null'],
    ['ZodError', { ...content('author'), actorId: 'no id' }],
    ['ZodError', { ...content('author'), id: 'not-an-id' }],
    ['ZodError', { ...content('author'), kind: 'mystery' }],
    ['UnknownRecordVersionError', { ...content('author'), v: recordVersion + 1 }],
    ['ZodError', { ...content('author'), acceptedAt: 'yesterday' }],
  ];
  const refused: unknown[] = [
    content('author', { objectTitle: 'a NUL \0 in a text' }),
    content('author', { metadata: { nul: '\0' } }),
    content('author', { acceptedAt: Number.MIN_SAFE_INTEGER }),
    { ...content('author'), kind: 'user', verb: 'update', objectType: 'user', objectId: 'author', name: '\0' },
  ];
  const bad = [...unreadable.map(([, value]) => value), ...refused];
  const messages = good.flatMap((record, i) => [record, ...bad.slice(i * 2, i * 2 + 2)]).map(message);
  expect(messages).toHaveLength(good.length + bad.length);

  const firstOffset = await send(messages);
  await platform.settle();
  expect(await feedOf('author')).toEqual(good.map(({ id }) => id).reverse());

  await waitUntil('all dead letters are there', () => deadLetters.length >= bad.length);
  const offsetOf = (value: unknown) =>
    firstOffset + messages.findIndex((each) => each.value === message(value).value || each.value === value);
  const expected = [
    ...unreadable.map(([errorClass, value]) => ({
      errorClass,
      value,
      stage: errorClass === 'UnknownRecordVersionError' ? 'version' : 'decode',
    })),
    ...refused.map((value) => ({ errorClass: 'error', value, stage: 'apply' })),
  ].map(({ errorClass, value, stage }) => ({ offset: offsetOf(value), errorClass, stage }));
  const found = deadLetters.map((letter) => {
    const headers = headersOf(letter);
    return {
      offset: Number(headers['tideline-offset']),
      errorClass: headers['tideline-error-class'],
      stage: headers['tideline-stage'],
    };
  });
  expect(found.sort((a, b) => a.offset - b.offset)).toEqual(expected.sort((a, b) => a.offset - b.offset));

  for (const letter of deadLetters) {
    const headers = headersOf(letter);
    const original = messages[Number(headers['tideline-offset']) - firstOffset];
    expect(letter.value?.toString()).toEqual(original?.value?.toString());
    expect(letter.key?.toString()).toBe('author');
    expect(headers).toMatchObject({
      'tideline-topic': platform.topic,
      'tideline-partition': String(partition),
      'tideline-generation': '1',
      'tideline-attempts': '1',
      'request-id': 'r1',
      traceparent: 'not-touched',
    });
    expect(headers['tideline-error-message']).toMatch(/\S/);
    // The same for tools that know Kafka Connect.
    expect(headers).toMatchObject({
      '__connect.errors.topic': platform.topic,
      '__connect.errors.partition': String(partition),
      '__connect.errors.offset': headers['tideline-offset'],
      '__connect.errors.connector.name': fanoutGroup(platform.namespace),
      '__connect.errors.stage': headers['tideline-stage'] === 'apply' ? 'TASK_PUT' : 'VALUE_CONVERTER',
      '__connect.errors.exception.class.name': headers['tideline-error-class'],
      '__connect.errors.exception.message': headers['tideline-error-message'],
    });
  }
});

test('the offset behind a dead letter is committed: another consumer does not meet it again', async () => {
  const lettersBefore = deadLetters.length;
  await send([message('bad'), message(content('restarted')), message('bad too')]);
  await platform.settle();
  await waitUntil('both are there', () => deadLetters.length === lettersBefore + 2);
  await platform.stopFanout();
  await platform.startFanout();
  await send([message(content('restarted'))]);
  await platform.settle();
  expect(await feedOf('restarted')).toHaveLength(2);
  expect(deadLetters).toHaveLength(lettersBefore + 2);
});

test.each<[string, string | undefined]>([
  ['in a topic that takes it, whole', undefined],
  ['in one that does not, without its value', String(1024 * 1024)],
])('a record that fills a message goes aside as well, and does not stop its partition: %s', async (_where, limit) => {
  if (limit !== undefined) {
    await limitLetters(limit);
  }
  const lettersBefore = deadLetters.length;
  const sizeMaxBytes = 1024 * 1024 - 200;
  await send([message('x'.repeat(sizeMaxBytes))]);
  await send([message(content(`behind-${limit}`))]);
  await platform.settle();
  expect(await feedOf(`behind-${limit}`)).toHaveLength(1);
  await waitUntil('it is there', () => deadLetters.length === lettersBefore + 1);
  const letter = deadLetters.at(-1);
  expect(letter?.value?.length).toBe(limit === undefined ? sizeMaxBytes : undefined);
  expect(headersOf(letter ?? ({} as KafkaMessage))).toMatchObject({
    'tideline-error-class': 'SyntaxError',
    ...(limit === undefined ? {} : { 'tideline-omitted-bytes': String(sizeMaxBytes) }),
  });
});

/** As an operator may have set the dead-letter topic up. */
async function limitLetters(sizeMaxBytes: string): Promise<void> {
  await platform.admin.alterConfigs({
    validateOnly: false,
    resources: [
      {
        type: 2, // a topic
        name: deadLetterTopic(platform.namespace),
        configEntries: [{ name: 'max.message.bytes', value: sizeMaxBytes }],
      },
    ],
  });
}

test('dead letters are counted by stage', async () => {
  const sumOf = async (stage: string) =>
    (await readMetrics(platform.ports.fanoutOperations ?? 0)).sum('tideline_dead_letters_total', { stage });
  const sums = () => Promise.all(['version', 'decode', 'apply'].map(sumOf));
  const [version = 0, decode = 0, apply = 0] = await sums();
  const newer = { ...content('counted'), v: recordVersion + 1 };
  await send(['bad', 'bad', newer, content('counted', { objectId: '\0' })].map(message));
  await platform.settle();
  expect(await sums()).toEqual([version + 1, decode + 2, apply + 1]);
});

test('fields that are not known yet are let through, and what other consumers need stays as it was', async () => {
  await send([message({ ...content('futurist'), newField: { nested: true } })]);
  await platform.settle();
  expect(await feedOf('futurist')).toHaveLength(1);
});
