import { randomUUID } from 'node:crypto';
import { createKey } from '@tideline/deploy/keys/api-keys';
import { createKafka } from '@tideline/shared/kafka-client';
import { createLogger } from '@tideline/shared/logger';
import { deadLetterTopic } from '@tideline/shared/topics';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import type { ServiceProcess } from '@tideline/testing/service-process';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** Keys, and texts that want to be more than text, through all services at their most talkative. */

const requestId = 'request-of-this-test';
const title = `'); drop table users; --\r\n{"level":60,"msg":"forged"}`;

let platform: Platform;
let services: Record<'ingest' | 'feedApi' | 'fanout', ServiceProcess>;
const keys: string[] = [];

beforeAll(async () => {
  platform = await startPlatform({ fanout: false });
  const talkative = { TIDELINE_LOG_LEVEL: 'trace' };
  const [ingest, feedApi, fanout] = await Promise.all([
    platform.spawn('ingest', talkative),
    platform.spawn('feed-api', talkative),
    platform.spawn('fanout', talkative),
  ]);
  services = { ingest, feedApi, fanout };
  const client = await platform.database.connect();
  for (const owner of [{ userId: 'ann' }, { service: 'shop', scopes: ['write', 'read', 'admin'] as const }]) {
    keys.push((await createKey(client, owner)).key);
  }
  client.release();
});
afterAll(() => platform.stop());

async function use(key: string): Promise<void> {
  const { ingest, feedApi } = services;
  const body = JSON.stringify({ actorId: 'ann', verb: 'post', objectType: 'note', objectId: '1', objectTitle: title });
  const json = { 'content-type': 'application/json' };
  const attempts: [ServiceProcess, string, RequestInit][] = [
    [
      ingest,
      '/v1/activities',
      { method: 'POST', body, headers: { ...json, 'x-app-key': key, 'x-request-id': requestId } },
    ],
    [ingest, '/v1/activities', { method: 'POST', body, headers: { ...json, 'x-app-key': key, 'x-request-id': key } }],
    [ingest, '/v1/activities', { method: 'POST', body, headers: { ...json, authorization: `Bearer ${key}` } }],
    [ingest, '/v1/activities', { method: 'POST', body: `{"key":"${key}"`, headers: { ...json, 'x-app-key': key } }],
    [ingest, '/v1/activities', { method: 'POST', body, headers: { ...json, 'x-app-key': key, 'x-act-as': `${key}!` } }],
    [ingest, `/v1/activities?key=${key}`, { method: 'POST', body, headers: { ...json, 'x-app-key': key } }],
    [feedApi, '/v1/feeds/home', { headers: { 'x-app-key': key, 'x-act-as': 'ann' } }],
    [feedApi, `/v1/feeds/home?key=${key}`, {}],
    [feedApi, `/v1/users/${key}`, { headers: { 'x-app-key': key } }],
    [feedApi, `/${key}`, { headers: { cookie: key, 'x-app-key': `${key}x` } }],
    [feedApi, '/me', { headers: { 'x-app-key': key, 'x-act-as': 'ann' } }],
  ];
  for (const [service, path, request] of attempts) {
    await (await fetch(`http://127.0.0.1:${service.ports.http}${path}`, request)).text();
  }
}

test('raw keys are nowhere in the database, on Kafka, in logs or metrics', async () => {
  for (const key of keys) {
    await use(key);
  }
  await platform.settle();

  const { ingest, feedApi, fanout } = services;
  const metrics = await Promise.all(
    Object.values(services).map(async ({ ports }) =>
      (await fetch(`http://127.0.0.1:${ports.operations}/metrics`)).text(),
    ),
  );
  const records = await everyRecord();
  expect(records).toContain('request-of-this-test');
  for (const key of keys) {
    expect(await tablesWith(key)).toEqual([]);
    expect(records).not.toContain(key);
    for (const text of [ingest.output, feedApi.output, fanout.output, ...metrics]) {
      expect(text).not.toContain(key);
    }
  }
});

test('SQL and line breaks in values are stored as they are, and make one line of each log', async () => {
  const { ingest, feedApi, fanout } = services;
  const answer = await fetch(`http://127.0.0.1:${feedApi.ports.http}/v1/feeds/home`, {
    headers: { 'x-app-key': keys[0] ?? '' },
  });
  const { items } = (await answer.json()) as { items: { objectTitle: string }[] };
  expect(items.length).toBeGreaterThan(0);
  expect(new Set(items.map(({ objectTitle }) => objectTitle))).toEqual(new Set([title]));

  for (const { output } of [ingest, feedApi, fanout]) {
    const lines = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.filter(({ msg }) => msg === 'forged')).toEqual([]);
  }
  const lines = ingest.output.split('\n').filter((line) => line.includes(`"requestId":"${requestId}"`));
  // One of the user's request, one of the service's.
  expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
    { principal: { kind: 'user', name: 'ann' }, method: 'POST', route: '/v1/activities', status: 202 },
    { principal: { kind: 'service', name: 'shop' }, method: 'POST', route: '/v1/activities', status: 202 },
  ]);
  await waitUntil('the id of the request is in a line of fanout', () =>
    Promise.resolve(fanout.output.includes(requestId)),
  );
});

/** Tables with a row that shows the text, as text or as bytes. */
async function tablesWith(text: string): Promise<string[]> {
  const { rows } = await platform.database.query<{ name: string }>(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
     where table_schema = 'public' and table_type = 'BASE TABLE'`,
  );
  expect(rows.length).toBeGreaterThan(5);
  const found: string[] = [];
  for (const { name } of rows) {
    const { rowCount } = await platform.database.query(
      `select 1 from ${name} t where strpos(t::text, $1) > 0 or strpos(t::text, $2) > 0 limit 1`,
      [text, Buffer.from(text).toString('hex')],
    );
    if (rowCount !== 0) {
      found.push(name);
    }
  }
  return found;
}

/** Keys, headers and values of all records of both topics. */
async function everyRecord(): Promise<string> {
  const topics = [platform.topic, deadLetterTopic(platform.namespace)];
  let missing = 0;
  for (const topic of topics) {
    const ends = await platform.admin.fetchTopicOffsets(topic);
    missing += ends.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
  }
  const brokers = platform.servers.TIDELINE_KAFKA_BROKERS.split(',');
  const logger = createLogger('test', 'silent');
  const consumer = createKafka({ brokers, clientId: 'raw-keys', logger }).consumer({ groupId: randomUUID() });
  const texts: string[] = [];
  await consumer.connect();
  await consumer.subscribe({ topics, fromBeginning: true });
  await consumer.run({
    eachMessage: ({ message: { key, value, headers } }) => {
      const parts = [key, value, ...Object.entries(headers ?? {}).flat()];
      texts.push(parts.map((part) => (Array.isArray(part) ? part.join(' ') : String(part))).join(' '));
      return Promise.resolve();
    },
  });
  await waitUntil('every record was read', () => Promise.resolve(texts.length >= missing));
  await consumer.disconnect();
  return texts.join('\n');
}
