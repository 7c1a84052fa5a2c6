import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createKafka } from '@tideline/shared/kafka-client';
import { readLags } from '@tideline/shared/log-progress';
import { createLogger } from '@tideline/shared/logger';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inCheckout } from '../src/servers/checkout.js';

/** E10: the example of docs/examples, beside fanout. */

let platform: Platform;
let folder: string;
const running: Counter[] = [];

beforeAll(async () => {
  platform = await startPlatform({ partitions: 3 });
  folder = await mkdtemp(join(tmpdir(), 'tideline-counts-'));
});
afterAll(async () => {
  await Promise.all(running.map((counter) => counter.stop('SIGKILL')));
  await platform.stop();
  await rm(folder, { recursive: true });
});

interface Counter {
  counts(): unknown;
  stop(signal: NodeJS.Signals): Promise<void>;
}

function startCounter(): Counter {
  const { namespace, kafkaBrokers } = platform.settings;
  const child = spawn(process.execPath, [inCheckout('docs/examples/count-verbs.mjs'), join(folder, 'counts.json')], {
    env: { ...process.env, TIDELINE_NAMESPACE: namespace, TIDELINE_KAFKA_BROKERS: kafkaBrokers.join(',') },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let last: unknown;
  createInterface({ input: child.stdout }).on('line', (line) => {
    last = JSON.parse(line);
  });
  const ended = once(child, 'exit');
  const counter = {
    counts: () => last,
    async stop(signal: NodeJS.Signals) {
      child.kill(signal);
      await ended;
    },
  };
  running.push(counter);
  return counter;
}

async function post(actorId: string, verb: string, foreignId?: string): Promise<string> {
  const body = { actorId, verb, objectType: 'note', objectId: 'n1', ...(foreignId && { foreignId, timestamp }) };
  return (await platform.ingest.succeed<{ id: string }>('POST', '/v1/activities', { body })).id;
}

const timestamp = Date.now() - 1_000;

async function expectCounts(counter: Counter, expected: Record<string, number>): Promise<void> {
  const sorted = JSON.stringify(Object.entries(expected).sort());
  await waitUntil(`the counts are ${JSON.stringify(expected)}`, () => {
    return JSON.stringify(Object.entries(counter.counts() ?? {}).sort()) === sorted;
  });
}

test('a second group reads all that happened, once, from the beginning, and goes on where it was killed', async () => {
  await post('anna', 'post', 'p1');
  await post('anna', 'post', 'p1');
  const like = await post('ben', 'like');
  await post('carol', 'like');
  await platform.ingest.succeed('PUT', '/v1/follows/anna', { actAs: 'ben' });
  const counter = startCounter();
  await expectCounts(counter, { post: 1, like: 2 });

  await platform.ingest.succeed('DELETE', `/v1/activities/${like}`, { actAs: 'ben' });
  await expectCounts(counter, { post: 1, like: 1 });
  await counter.stop('SIGKILL');

  await post('anna', 'share');
  await post('anna', 'post', 'p1');
  const again = startCounter();
  await expectCounts(again, { post: 1, like: 1, share: 1 });
  await again.stop('SIGTERM');
});

test('what is no record, or says what a consumer does not know, does not disturb it', async () => {
  const producer = createKafka({
    brokers: platform.settings.kafkaBrokers,
    clientId: 'tideline-test',
    logger: createLogger('test', 'silent'),
  }).producer({ allowAutoTopicCreation: false });
  await producer.connect();
  const values = ['no record', 'null', '{}', JSON.stringify({ v: 1, kind: 'of a later release', id: 'x' }), null];
  await producer.send({ topic: platform.topic, acks: -1, messages: values.map((value) => ({ key: 'anna', value })) });
  await producer.disconnect();
  await post('anna', 'share');
  const counter = startCounter();
  await expectCounts(counter, { post: 1, like: 1, share: 2 });

  // It is a group of its own: each is done with everything, and neither has taken anything from the other.
  await platform.settle();
  await waitUntil('the second group is done', async () => {
    const lags = await readLags(platform.admin, platform.topic, `${platform.namespace}.count-verbs`);
    return [...lags.values()].every((lag) => lag === 0);
  });
  const home = await platform.feedApi.walk('/v1/feeds/home', 'anna', 10);
  expect(home.map(({ verb }) => verb).sort()).toEqual(['post', 'share', 'share']);
  await counter.stop('SIGTERM');
});
