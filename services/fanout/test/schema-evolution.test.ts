import { recordVersion } from '@tideline/shared/activity-record';
import { createKafka } from '@tideline/shared/kafka-client';
import { createLogger } from '@tideline/shared/logger';
import { readMetrics } from '@tideline/testing/metrics-page';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { releasedRecords } from '@tideline/testing/released-records';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

/** What releases wrote to the topic is applied by this one, as they meant it. */

describe.each(Array.from({ length: recordVersion }, (_, i) => i + 1))('records of version %i', (version) => {
  let platform: Platform;

  beforeAll(async () => {
    platform = await startPlatform({ partitions: 2 });
    const producer = createKafka({
      brokers: platform.settings.kafkaBrokers,
      clientId: 'tideline-test',
      logger: createLogger('test', 'silent'),
    }).producer({ allowAutoTopicCreation: false });
    await producer.connect();
    const messages = releasedRecords(version).map(({ key, value }) => ({ key, value, headers: { v: `${version}` } }));
    await producer.send({ topic: platform.topic, acks: -1, messages });
    await producer.disconnect();
    await platform.settle();
  });
  afterAll(() => platform.stop());

  const idOf = (n: number) => `018bcfe5-6800-7000-8000-${String(n).padStart(12, '0')}`;
  const rowsOf = async (sql: string) => (await platform.database.query<Record<string, unknown>>(sql)).rows;

  test('are all applied, none is given up', async () => {
    const metrics = await readMetrics(platform.ports.fanoutOperations ?? 0);
    expect(metrics.sum('tideline_dead_letters_total')).toBe(0);
  });

  test('make the activities that they describe', async () => {
    const item = await platform.feedApi.succeed('GET', `/v1/activities/${idOf(14)}`, { actAs: 'ben' });
    expect(item).toMatchObject({
      id: idOf(14),
      actorId: 'anna',
      verb: 'like',
      objectType: 'photo',
      objectId: 'p1',
      objectTitle: 'A photo',
      targetType: 'album',
      targetId: 'a1',
      targetTitle: 'An album',
      metadata: { stars: 3, nested: { deep: [true, null] } },
      timestamp: 1_700_000_000_000,
    });
    const home = await platform.feedApi.walk('/v1/feeds/home', 'ben', 10);
    expect(home.map(({ id }) => id)).toEqual([16, 15, 14].map(idOf));
  });

  test('make the users, objects, follows and relations that they describe', async () => {
    expect(await rowsOf("select id, name, avatar from users where id in ('ben', 'carol') order by id")).toEqual([
      { id: 'ben', name: 'Ben', avatar: 'https://example.org/ben.png' },
      { id: 'carol', name: 'Carol', avatar: null },
    ]);
    expect(await rowsOf('select type, id, title, owner_id, url, metadata from objects order by id')).toEqual([
      {
        type: 'photo',
        id: 'p1',
        title: 'A photo',
        owner_id: 'ben',
        url: 'https://example.org/p1',
        metadata: { width: 3 },
      },
      { type: 'photo', id: 'p2', title: null, owner_id: null, url: null, metadata: null },
    ]);
    expect(await rowsOf('select follower_id, followee_id from follows where active order by 1')).toEqual([
      { follower_id: 'ben', followee_id: 'anna' },
      { follower_id: 'dora', followee_id: 'anna' },
    ]);
    expect(await rowsOf('select user_id, other_id, kind from relations where active order by 2')).toEqual([
      { user_id: 'ben', other_id: 'dora', kind: 'mute' },
      { user_id: 'ben', other_id: 'emil', kind: 'block' },
    ]);
  });

  test('are kept whole: what this release does not know is in the event store for one that does', async () => {
    const fields = 'id, other_fields from';
    expect(await rowsOf(`select ${fields} activities where other_fields is not null`)).toEqual([
      { id: idOf(16), other_fields: { language: 'de', origin: { app: 'shop', beta: true } } },
    ]);
    expect(await rowsOf(`select ${fields} control_activities where other_fields is not null`)).toEqual([
      { id: idOf(17), other_fields: { because: 'suggested' } },
    ]);
  });
});
