import { foreignActivityId } from '@tideline/shared/activity-id';
import { Cache } from '@tideline/shared/cache';
import { cacheEpochStore } from '@tideline/shared/cache-epoch-store';
import { createLogger } from '@tideline/shared/logger';
import { applyFollows } from '@tideline/shared/projections';
import { decodeTombstone, dropRegisters, encodeTombstone } from '@tideline/shared/registers';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Gate, gateTo, throughGate } from './gate.js';
import { type Answer, Installation, keys, type RunningIngest } from './ingest-server.js';

let installation: Installation;
let ingest: RunningIngest;
let gate: Gate;
let redis: Redis;
/** Knows the key names. */
let cache: Cache;

beforeAll(async () => {
  installation = await Installation.create();
  const { redisUrl, namespace } = installation.config;
  const { hostname, port } = new URL(redisUrl);
  gate = await gateTo({ host: hostname, port: Number(port) }, 'open');
  ingest = await installation.start({ redisUrl: throughGate(redisUrl, gate) });
  redis = new Redis(redisUrl);
  const epochs = cacheEpochStore(installation.database);
  cache = new Cache({ url: redisUrl, namespace, epochs, logger: createLogger('test', 'silent') });
  await cache.start();
});

afterAll(async () => {
  await ingest.stop();
  await gate.close();
  await cache.close();
  redis.disconnect();
  await installation.close();
});

function unfollowBen(): Promise<Answer> {
  return ingest.call('/v1/follows/user:ben', { method: 'DELETE', key: keys.anna });
}

function activityId(name: string): string {
  return foreignActivityId('user:anna', name, Date.UTC(2024, 1, 1));
}

/** A register that a reader has loaded, whatever is in it. */
async function loadRegister(userId: string): Promise<string> {
  const key = cache.keys.register(userId);
  await redis.hset(key, 'loaded', '1');
  return key;
}

/** The list of tombstones as a reader has loaded it. */
async function loadTombstones(): Promise<string> {
  const key = cache.keys.tombstones();
  await redis.del(key);
  await redis.rpush(key, encodeTombstone({ activityId: activityId('loaded'), authorId: 'sentinel' }));
  return key;
}

async function tombstonesIn(key: string) {
  return (await redis.lrangeBuffer(key, 1, -1)).map(decodeTombstone);
}

/** Where the last record of this kind stands on the log. */
async function lastVersion(kind: string) {
  const last = (await installation.records()).filter(({ record }) => record.kind === kind).at(-1);
  return { log_generation: 1, log_partition: last?.partition, log_offset: String(last?.offset) };
}

function followOfBen() {
  return installation.database.oneOrNone<object>(
    `select active, log_generation, log_partition, log_offset from follows
     where follower_id = 'user:anna' and followee_id = 'user:ben'`,
  );
}

test('an acknowledged unfollow is in TimescaleDB, and the reader’s register is gone', async () => {
  const version = { generation: 0, partition: 0, offset: 0 };
  const before = { followerId: 'user:anna', followeeId: 'user:ben', active: true, changedAt: 0, version };
  await applyFollows(installation.database, [before]);
  const register = await loadRegister('user:anna');

  expect(await unfollowBen()).toMatchObject({ status: 202, body: { following: false } });
  expect(await followOfBen()).toEqual({ active: false, ...(await lastVersion('follow')) });
  expect(await redis.exists(register)).toBe(0);
});

test('an acknowledged delete is in TimescaleDB and among the tombstones that readers have', async () => {
  const list = await loadTombstones();
  const deleted = activityId('deleted');

  const answer = await ingest.call(`/v1/activities/${deleted}`, { method: 'DELETE', key: keys.anna });
  expect(answer).toMatchObject({ status: 202, body: { id: deleted } });
  expect(await installation.database.any('select * from tombstones where activity_id = $1', [deleted])).toMatchObject([
    { author_id: 'user:anna', ...(await lastVersion('delete')) },
  ]);
  expect(await tombstonesIn(list)).toEqual([{ activityId: deleted, authorId: 'user:anna' }]);
});

test('a delete by somebody else is bound to somebody else, and so hides nothing', async () => {
  const list = await loadTombstones();
  const annas = activityId('not-bens');
  const answer = await ingest.call(`/v1/activities/${annas}`, {
    method: 'DELETE',
    key: keys.producer,
    headers: { 'x-act-as': 'user:ben' },
  });
  expect(answer.status).toBe(202);
  expect(await tombstonesIn(list)).toEqual([{ activityId: annas, authorId: 'user:ben' }]);
});

test('an administrator deletes in the name of the author, where the activity is known', async () => {
  const annas = activityId('annas');
  const asAdmin = { method: 'DELETE', key: keys.admin };
  expect(await ingest.call(`/v1/activities/${annas}`, asAdmin)).toMatchObject({ status: 404 });

  await installation.database.none(
    `insert into activities (id, time, actor_id, verb, object_type, object_id, caller_id, request_id, accepted_at,
       log_generation, log_partition, log_offset)
     values ($1, activity_time($1), 'user:anna', 'post', 'note', '1', 'test', 'test', now(), 1, 0, 0)`,
    [annas],
  );
  expect(await ingest.call(`/v1/activities/${annas}`, asAdmin)).toMatchObject({ status: 202 });
  const rows = await installation.database.any('select author_id from tombstones where activity_id = $1', [annas]);
  expect(rows).toEqual([{ author_id: 'user:anna' }]);
  expect((await installation.records()).filter(({ record }) => record.objectId === annas)).toMatchObject([
    { key: 'user:anna', record: { kind: 'delete', actorId: 'key-of-an-admin', authorId: 'user:anna' } },
  ]);
});

test('a cache epoch that was raised meanwhile is confirmed, and the register dropped under its new name', async () => {
  // What a flush leaves to a connection that does not notice. Others notice first, and raise the epoch.
  await redis.del(...(await redis.keys(`${installation.config.namespace}:*`)));
  await expect(cache.run(dropRegisters(cache, ['anybody']))).rejects.toMatchObject({ code: 'cache_refused' });
  await cache.settled();
  const register = await loadRegister('user:anna');

  expect(await unfollowBen()).toMatchObject({ status: 202 });
  expect(await redis.exists(register)).toBe(0);
});

test('without Redis the outcome of a correction is unknown; repeated after its return it holds', async () => {
  const register = await loadRegister('user:anna');
  const list = await loadTombstones();
  const deleted = activityId('deleted-without-redis');
  const deleteIt = () => ingest.call(`/v1/activities/${deleted}`, { method: 'DELETE', key: keys.anna });
  gate.shut();

  for (const answer of [await unfollowBen(), await deleteIt()]) {
    expect(answer).toMatchObject({
      status: 503,
      body: { error: { code: 'outcome_unknown', details: { ids: [expect.any(String) as string] } } },
    });
    expect(answer.headers.get('retry-after')).toBe('1');
  }
  expect(await redis.exists(register)).toBe(1);
  expect(await tombstonesIn(list)).toEqual([]);
  expect(await ingest.ready()).toMatchObject({ status: 200 });
  const post = { verb: 'post', objectType: 'note', objectId: '1' };
  expect(await ingest.call('/v1/activities', { key: keys.anna, body: post })).toMatchObject({ status: 202 });

  gate.open();
  await vi.waitUntil(async () => (await unfollowBen()).status === 202, { timeout: 10_000, interval: 100 });
  expect(await redis.exists(register)).toBe(0);
  expect(await deleteIt()).toMatchObject({ status: 202 });
  expect(await tombstonesIn(list)).toContainEqual({ activityId: deleted, authorId: 'user:anna' });
});

test('a Redis that hangs is answered like one that is gone, within seconds', async () => {
  gate.hang();
  const startedAt = performance.now();
  expect(await unfollowBen()).toMatchObject({ status: 503, body: { error: { code: 'outcome_unknown' } } });
  expect(performance.now() - startedAt).toBeLessThan(8_000);
  gate.shut();
  gate.open();
  await vi.waitUntil(async () => (await unfollowBen()).status === 202, { timeout: 10_000, interval: 100 });
});
