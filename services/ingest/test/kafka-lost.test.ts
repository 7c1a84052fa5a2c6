import { once } from 'node:events';
import { type FaultServers, startFaultServers } from '@tideline/testing/fault-servers';
import { type AnsweredLine, openLines, postLines } from '@tideline/testing/line-client';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

/** What becomes of writes while Kafka goes away and comes back. */

const recoveryMaxMs = 60_000;

let servers: FaultServers | string;
let platform: Platform;

beforeAll(async () => {
  servers = await startFaultServers();
  if (typeof servers !== 'string') {
    platform = await startPlatform({ servers: servers.urls, partitions: 3 });
  }
});

afterAll(async () => {
  if (typeof servers !== 'string') {
    await platform.stop();
    await servers.erase();
  }
});

beforeEach(({ skip }) => {
  skip(typeof servers === 'string', String(servers));
});

function control(): FaultServers {
  if (typeof servers === 'string') {
    throw new Error(servers);
  }
  return servers;
}

test('an unknown outcome is repeated under its Idempotency-Key with the very same ids, and nothing is doubled', async () => {
  const note = (objectId: string) => ({ actorId: 'anna', verb: 'post', objectType: 'note', objectId });
  const body = [note('1'), note('2'), { ...note('3'), timestamp: 1_700_000_000_000 }];
  const post = () =>
    platform.ingest.request<{ items: { id: string }[]; error: { code: string; details: { ids: string[] } } }>(
      'POST',
      '/v1/activities',
      { body, headers: { 'idempotency-key': 'retry-me' } },
    );
  await platform.ingest.succeed('POST', '/v1/activities', { body: note('before') });

  await control().stopServer('kafka', 'KILL');
  const unknown = await post();
  expect(unknown).toMatchObject({ status: 503, body: { error: { code: 'outcome_unknown' } } });
  const { ids } = unknown.body.error.details;
  await control().startServer('kafka');

  const again = await waitUntil(
    'the repetition is accepted',
    async () => {
      const answer = await post();
      return answer.status === 202 ? answer : undefined;
    },
    recoveryMaxMs,
  );
  expect(again.body.items.map(({ id }) => id)).toEqual(ids);
  await platform.settle();
  const { rows } = await platform.database.query<{ id: string }>(
    `select id from activities where object_id in ('1', '2', '3') order by object_id`,
  );
  expect(rows.map(({ id }) => id)).toEqual(ids);
});

test('a stream of lines ends where Kafka is lost, and goes on from its first line without an id', async () => {
  const lines = Array.from({ length: 3_000 }, (_, i) => ({
    actorId: `actor-${i % 7}`,
    verb: 'post',
    objectType: 'line',
    objectId: String(i),
    foreignId: `line-${i}`,
    timestamp: 1_700_000_000_000 + i,
  }));
  const textOf = (some: readonly object[]) => some.map((line) => `${JSON.stringify(line)}\n`).join('');
  const origin = `http://127.0.0.1:${platform.ports.ingest}`;
  const acceptedBefore = 1_000;

  const stream = openLines(origin, 'demo-producer');
  const closed = once(stream.request, 'close');
  stream.request.write(textOf(lines.slice(0, acceptedBefore)));
  const answered: AnsweredLine[] = [];
  for await (const answer of stream.answers()) {
    answered.push(answer);
    if (answered.length === acceptedBefore) {
      await control().stopServer('kafka', 'KILL');
      // Not ended: it is ingest that ends.
      stream.request.write(textOf(lines.slice(acceptedBefore)));
    }
  }
  await closed;
  const firstWithout = answered.findIndex(({ id }) => id === undefined);
  expect(firstWithout).toBeGreaterThanOrEqual(acceptedBefore);
  expect(['outcome_unknown', 'unavailable']).toContain(answered[firstWithout]?.error?.code);
  expect(answered.map(({ line }) => line)).toEqual(answered.map((_, i) => i + 1));

  await control().startServer('kafka');
  const rest = lines.slice(firstWithout);
  await waitUntil(
    'the rest is accepted',
    async () => {
      const { status, answers } = await postLines(origin, 'demo-producer', textOf(rest));
      return status === 200 && answers.length === rest.length && answers.every(({ id }) => id !== undefined);
    },
    recoveryMaxMs,
  );
  await platform.settle();
  const { rows } = await platform.database.query<{ object_id: string }>(
    `select object_id from activities where object_type = 'line' order by object_id::int`,
  );
  expect(rows.map(({ object_id }) => object_id)).toEqual(lines.map(({ objectId }) => objectId));
});
