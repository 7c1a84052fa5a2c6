import { Cache } from '@tideline/shared/cache';
import { cacheEpochStore } from '@tideline/shared/cache-epoch-store';
import { createLogger } from '@tideline/shared/logger';
import { applyRelations, type RelationChange } from '@tideline/shared/projections';
import { pullTokenCall } from '@tideline/shared/registers';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { type Gate, gateTo, throughGate } from './gate.js';
import { type Answer, Installation, keys, type RunningIngest } from './ingest-server.js';

/** Mutes and blocks at the door: what a 202 says is done (I8). No fanout runs here, so nobody else did it. */

const anna = 'user:anna';
const ben = 'user:ben';
const version = (offset: number) => ({ generation: 1, partition: 0, offset });

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
beforeEach(async () => {
  await installation.database.none('delete from relations');
});
afterAll(async () => {
  await ingest.stop();
  await gate.close();
  await cache.close();
  redis.disconnect();
  await installation.close();
});

function change(method: 'PUT' | 'DELETE', path: 'mutes' | 'blocks'): Promise<Answer> {
  return ingest.call(`/v1/${path}/${ben}`, { method, key: keys.anna });
}

function relations() {
  return installation.database.any<object>(
    'select user_id, other_id, kind, active, log_partition, log_offset::int from relations order by kind, user_id',
  );
}

/** What is at hand of a reader in Redis: which of its register and its pull token, of both. */
async function atHand(): Promise<string[]> {
  const names = [anna, ben].flatMap((userId) => [
    [`register of ${userId}`, cache.keys.register(userId)] as const,
    [`token of ${userId}`, cache.keys.pullToken(userId)] as const,
  ]);
  const found = await Promise.all(names.map(async ([name, key]) => ((await redis.exists(key)) === 1 ? [name] : [])));
  return found.flat();
}

async function haveAtHand(): Promise<void> {
  for (const userId of [anna, ben]) {
    await redis.set(cache.keys.register(userId), 'loaded');
    await cache.run([pullTokenCall(cache, userId)]);
  }
}

test.each([
  ['PUT', 'mutes', 'mute', 'mute', { muted: true }],
  ['DELETE', 'mutes', 'unmute', 'mute', { muted: false }],
  ['PUT', 'blocks', 'block', 'block', { blocked: true }],
  ['DELETE', 'blocks', 'unblock', 'block', { blocked: false }],
] as const)('%s of %s is on the log and in TimescaleDB, and what readers had at hand is gone', async (method, path, verb, kind, body) => {
  await haveAtHand();
  expect(await change(method, path)).toMatchObject({ status: 202, body });

  const last = (await installation.records()).filter(({ record }) => record.verb === verb).at(-1);
  // In the partition of whose activities are hidden, as the follows of that user are.
  expect(last).toMatchObject({ key: ben, record: { kind: 'relation', actorId: anna, objectId: ben, callerId: anna } });
  expect(await relations()).toEqual([
    {
      user_id: anna,
      other_id: ben,
      kind,
      active: method === 'PUT',
      log_partition: last?.partition,
      log_offset: last?.offset,
    },
  ]);
  // A mute concerns the pages of who mutes; a block those of both.
  expect(await atHand()).toEqual(kind === 'mute' ? [`register of ${ben}`, `token of ${ben}`] : []);
});

test('a service mutes and blocks for whom it acts, users too that nobody named yet', async () => {
  const asCem = { key: keys.producer, headers: { 'x-act-as': 'cem' } };
  expect(await ingest.call('/v1/mutes/new', { method: 'PUT', ...asCem })).toMatchObject({ status: 202 });
  expect(await ingest.call('/v1/blocks/new', { method: 'PUT', ...asCem })).toMatchObject({ status: 202 });
  expect(await relations()).toMatchObject([
    { user_id: 'cem', other_id: 'new', kind: 'block', active: true },
    { user_id: 'cem', other_id: 'new', kind: 'mute', active: true },
  ]);
});

test.each(['mutes', 'blocks'])('%s: who is refused, and nothing is written', async (path) => {
  const before = await installation.endOffsets();
  for (const [userId, method, call, status, code] of [
    ['nobody-named-me', 'PUT', { key: keys.anna }, 404, 'not_found'],
    [anna, 'PUT', { key: keys.anna }, 400, 'invalid_request'],
    [anna, 'DELETE', { key: keys.anna }, 400, 'invalid_request'],
    ['cem', 'PUT', { key: keys.producer, headers: { 'x-act-as': 'cem' } }, 400, 'invalid_request'],
    [ben, 'PUT', { key: keys.producer }, 400, 'invalid_request'],
    [ben, 'PUT', { key: keys.anna, headers: { 'x-act-as': 'cem' } }, 403, 'forbidden'],
    [ben, 'PUT', { key: keys.reader, headers: { 'x-act-as': 'cem' } }, 403, 'forbidden'],
    ['no%20user', 'PUT', { key: keys.anna }, 400, 'invalid_request'],
    [`${ben}?why=1`, 'PUT', { key: keys.anna }, 400, 'invalid_request'],
    [ben, 'PUT', {}, 401, 'unauthenticated'],
  ] as const) {
    const answer = await ingest.call(`/v1/${path}/${userId}`, { method, ...call });
    expect(answer, `${method} ${userId} ${JSON.stringify(call)}`).toMatchObject({ status, body: { error: { code } } });
  }
  expect(await installation.endOffsets()).toEqual(before);
  expect(await relations()).toEqual([]);
});

test('whatever order changes arrive in, and however often, the newest on the log holds', async () => {
  const mute = (offset: number, active: boolean): RelationChange => ({
    userId: anna,
    otherId: ben,
    kind: 'mute',
    active,
    changedAt: 0,
    version: version(offset),
  });
  const block: RelationChange = { ...mute(2, true), kind: 'block' };
  for (const changes of [
    [mute(1, true), mute(3, false), block],
    [mute(3, false), block, mute(1, true), mute(1, true)],
    [block, mute(3, false), mute(1, true), mute(3, false), block],
  ]) {
    await installation.database.none('delete from relations');
    for (const each of changes) {
      await applyRelations(installation.database, [each]);
    }
    expect(await relations()).toMatchObject([
      { kind: 'block', active: true, log_offset: 2 },
      { kind: 'mute', active: false, log_offset: 3 },
    ]);
  }
  // A newer generation of the log begins at the first offset again.
  await applyRelations(installation.database, [
    { ...mute(0, true), version: { generation: 2, partition: 5, offset: 0 } },
  ]);
  expect(await relations()).toMatchObject([{ kind: 'block' }, { kind: 'mute', active: true, log_partition: 5 }]);
});

test('without Redis the outcome of a mute or a block is unknown; repeated after its return it holds', async () => {
  await haveAtHand();
  gate.shut();
  for (const [method, path] of [
    ['PUT', 'mutes'],
    ['DELETE', 'mutes'],
    ['PUT', 'blocks'],
    ['DELETE', 'blocks'],
  ] as const) {
    const answer = await change(method, path);
    expect(answer).toMatchObject({
      status: 503,
      body: { error: { code: 'outcome_unknown', details: { ids: [expect.any(String) as string] } } },
    });
    expect(answer.headers.get('retry-after')).toBe('1');
  }
  expect(await atHand()).toHaveLength(4);

  gate.open();
  const again = () => change('DELETE', 'blocks');
  await vi.waitUntil(async () => (await again()).status === 202, { timeout: 10_000, interval: 100 });
  expect(await atHand()).toEqual([]);
  expect(await relations()).toMatchObject([
    { kind: 'block', active: false },
    { kind: 'mute', active: false },
  ]);
});
