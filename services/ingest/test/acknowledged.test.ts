import { timestampOf } from '@tideline/shared/activity-id';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Installation, keys, type RunningIngest } from './ingest-server.js';

let installation: Installation;
let ingest: RunningIngest;

beforeAll(async () => {
  installation = await Installation.create();
  ingest = await installation.start();
});

afterAll(async () => {
  await ingest.stop();
  await installation.close();
});

/** What is on the topic under this id. */
async function recordsWithId(id: unknown) {
  return (await installation.records()).filter(({ record }) => record.id === id);
}

test('an activity that got its 202 is on the topic, with its key, headers and value', async () => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const activity = {
    verb: 'post',
    objectType: 'note',
    objectId: '1',
    objectTitle: 'Über',
    targetType: 'list',
    targetId: '2',
    to: ['user:ben'],
    metadata: { nested: { list: [1, null, true] } },
  };
  const answer = await ingest.call('/v1/activities', {
    key: keys.anna,
    headers: { 'x-request-id': 'request-7', traceparent },
    body: activity,
  });
  expect(answer).toMatchObject({
    status: 202,
    body: { id: expect.any(String) as string, timestamp: expect.any(Number) as number },
  });
  expect(timestampOf(String(answer.body['id']))).toBe(answer.body['timestamp']);

  expect(await recordsWithId(answer.body['id'])).toMatchObject([
    {
      key: 'user:anna',
      headers: { v: '1', 'request-id': 'request-7', traceparent },
      record: {
        v: 1,
        kind: 'content',
        ...activity,
        actorId: 'user:anna',
        callerId: 'user:anna',
        requestId: 'request-7',
        acceptedAt: answer.body['timestamp'],
      },
    },
  ]);
});

test('the items of a batch are answered in order, and on the topic in order by actor', async () => {
  const body = Array.from({ length: 500 }, (_, index) => ({
    actorId: `actor-${index % 7}`,
    verb: 'post',
    objectType: 'note',
    objectId: String(index),
  }));
  const answer = await ingest.call('/v1/activities', { key: keys.producer, body });
  expect(answer.status).toBe(202);
  const items = answer.body['items'] as { id: string }[];
  const placeOf = new Map(items.map(({ id }, place) => [id, place]));
  expect(placeOf.size).toBe(body.length);

  const found = (await installation.records()).filter(({ record }) => placeOf.has(record.id));
  expect(found.length).toBe(body.length);
  const partitions = new Map<string, Set<number>>();
  const lastPlace = new Map<string, number>();
  for (const { key, partition, record } of found) {
    const place = placeOf.get(record.id) ?? -1;
    expect(record.objectId).toBe(String(place));
    expect(key).toBe(record.actorId);
    expect(place).toBeGreaterThan(lastPlace.get(key) ?? -1);
    lastPlace.set(key, place);
    partitions.set(key, (partitions.get(key) ?? new Set()).add(partition));
  }
  expect([...partitions.values()].map((of) => of.size)).toEqual(Array.from({ length: 7 }, () => 1));
});

test('the same foreignId has the same id, from every producer and every ingest', async () => {
  const other = await installation.start();
  const body = {
    verb: 'post',
    objectType: 'note',
    objectId: '1',
    foreignId: 'note-1',
    timestamp: '2020-02-03T04:05:06Z',
  };
  const answers = [
    await ingest.call('/v1/activities', { key: keys.anna, body }),
    await other.call('/v1/activities', { key: keys.producer, body: { ...body, actorId: 'user:anna' } }),
    await other.call('/v1/activities', { key: keys.producer, headers: { 'x-act-as': 'user:anna' }, body }),
  ];
  await other.stop();
  const first = answers[0]?.body;
  expect(first).toEqual({ id: expect.any(String) as string, timestamp: Date.UTC(2020, 1, 3, 4, 5, 6) });
  expect(answers.map((answer) => answer.body)).toEqual([first, first, first]);
});

test('follows are on the topic under the followee', async () => {
  const one = await ingest.call('/v1/follows/user:ben', { method: 'PUT', key: keys.anna });
  expect(one).toMatchObject({ status: 202, body: { following: true } });
  const unknown = await ingest.call('/v1/follows/nobody-yet', {
    method: 'PUT',
    key: keys.producer,
    headers: { 'x-act-as': 'user:ben' },
  });
  expect(unknown).toMatchObject({ status: 202, body: { following: true } });
  const many = Array.from({ length: 1_000 }, (_, index) => ({ followerId: `fan-${index}`, followeeId: 'star' }));
  const batch = await ingest.call('/v1/follows', { key: keys.producer, body: many });
  expect(batch).toMatchObject({ status: 202, body: { accepted: 1_000 } });

  const follows = (await installation.records()).filter(({ record }) => record.kind === 'follow');
  const of = (followee: string) => follows.filter(({ key }) => key === followee).map(({ record }) => record);
  expect(of('user:ben')).toMatchObject([{ actorId: 'user:anna', verb: 'follow', objectId: 'user:ben' }]);
  expect(of('nobody-yet')).toMatchObject([{ actorId: 'user:ben', verb: 'follow', objectId: 'nobody-yet' }]);
  expect(of('star').map(({ actorId }) => actorId)).toEqual(many.map(({ followerId }) => followerId));
});

test('a described user can be referred to at once', async () => {
  const description = { name: 'Carla', avatar: 'https://example.org/carla.png' };
  const described = await ingest.call('/v1/users/user:carla', { method: 'PUT', key: keys.producer, body: description });
  expect(described).toMatchObject({ status: 202, body: { id: 'user:carla', ...description } });
  expect(await ingest.call('/v1/follows/user:carla', { method: 'PUT', key: keys.anna })).toMatchObject({ status: 202 });

  const own = await ingest.call('/v1/users/user:anna', { method: 'PUT', key: keys.anna, body: { name: 'Anna B.' } });
  expect(own).toMatchObject({ status: 202, body: { id: 'user:anna', name: 'Anna B.', avatar: null } });
  const rows = await installation.database.any(
    `select id, name, avatar, log_generation from users where id in ('user:anna', 'user:carla') order by id`,
  );
  expect(rows).toEqual([
    { id: 'user:anna', name: 'Anna B.', avatar: null, log_generation: 1 },
    { id: 'user:carla', ...description, log_generation: 1 },
  ]);
});

test('what was accepted is in the metrics, by route and by lane', async () => {
  const text = await ingest.metrics();
  expect(text).toMatch(/tideline_http_request_duration_seconds_count\{.*route="\/v1\/activities",.*status="202"\} \d/);
  expect(text).toMatch(/tideline_lane_depth\{partition="3",.*\} 0/);
  expect(text).toMatch(/tideline_produce_batch_records_count\{.*\} [1-9]/);
});
