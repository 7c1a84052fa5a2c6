import type { ActivityInput } from '@tideline/shared/activity';
import { activityIdMinter } from '@tideline/shared/activity-id';
import type { ObjectRecord } from '@tideline/shared/activity-record';
import { Cache } from '@tideline/shared/cache';
import { cacheEpochStore } from '@tideline/shared/cache-epoch-store';
import { openDatabase } from '@tideline/shared/database';
import { incarnationKey, objectName } from '@tideline/shared/feed-keys';
import { createLogger } from '@tideline/shared/logger';
import {
  cacheObject,
  findObject,
  type ObjectReference,
  type ObjectSources,
  readObjects,
} from '@tideline/shared/objects';
import { applyObjects } from '@tideline/shared/projections';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Describer, describeObject, type ObjectDescription } from '../src/objects/describe-object.js';
import { stampOwners } from '../src/objects/object-owners.js';
import { Installation } from './ingest-server.js';

/** Objects on the real database and the real Redis; the log only counts, so that versions can be chosen. */

const logger = createLogger('test', 'silent');
const mintId = activityIdMinter();
const anna: Describer = { actorId: 'anna', userId: 'anna', isService: false };
const ben: Describer = { actorId: 'ben', userId: 'ben', isService: false };
const service: Describer = { actorId: 'producer', userId: undefined, isService: true };

let installation: Installation;
let cache: Cache;
let redis: Redis;
/** The same, where Redis does not answer; and where nothing does. */
let withoutRedis: ObjectSources;
let withoutAnything: ObjectSources;
let statements = 0;
let sources: ObjectSources;
let offset = 0;
const appended: ObjectRecord[] = [];

beforeAll(async () => {
  installation = await Installation.create();
  const { database, config } = installation;
  cache = new Cache({ url: config.redisUrl, namespace: config.namespace, epochs: cacheEpochStore(database), logger });
  await cache.start();
  redis = new Redis(config.redisUrl);
  const counted: ObjectSources['database'] = {
    any(sql, values) {
      statements += 1;
      return database.any(sql, values);
    },
  };
  sources = { cache, database: counted };
  const epochs = cacheEpochStore(database);
  withoutRedis = {
    cache: new Cache({ url: 'redis://127.0.0.1:1', namespace: 'x', epochs, logger }),
    database: counted,
  };
  const nowhere = openDatabase({
    url: 'postgres://127.0.0.1:1/x',
    applicationName: 'test',
    role: 'login',
    poolSize: 1,
    logger,
  });
  withoutAnything = { cache: withoutRedis.cache, database: nowhere };
});
afterAll(async () => {
  await cache.close();
  redis.disconnect();
  await installation.close();
});

function describe(describer: Describer, description: ObjectDescription, through = cache) {
  const tools = {
    log: {
      append(records: readonly ObjectRecord[]) {
        appended.push(...records);
        offset += 1;
        return Promise.resolve([{ generation: 1, partition: 0, offset }]);
      },
    },
    database: installation.database,
    cache: through,
    metrics: { outcomeUnknown: () => undefined },
    logger,
  };
  const caller = { callerId: 'test', requestId: 'r1', acceptedAt: Date.now(), mintId };
  return describeObject(tools, caller, describer, description);
}

async function read(reference: ObjectReference, from = sources) {
  return (await readObjects(from, [reference])).get(objectName(reference.type, reference.id));
}

/** How many statements the work takes. */
async function statementsOf(work: () => Promise<unknown>): Promise<number> {
  const before = statements;
  await work();
  return statements - before;
}

test('who describes a new object owns it, and only its owner or a service changes it', async () => {
  const photo = { type: 'photo', id: 'owned' };
  expect(await describe(anna, { ...photo, title: 'One' })).toMatchObject({ ownerId: 'anna' });
  await expect(describe(ben, { ...photo, title: 'Mine' })).rejects.toMatchObject({ code: 'forbidden' });
  expect(await read(photo)).toEqual({ title: 'One', ownerId: 'anna', url: null });

  await describe(anna, { ...photo, title: 'Two', url: 'https://example.org/2' });
  await describe(service, { ...photo, title: 'Three' });
  // What is not said again is gone; only the owner stays.
  expect(await read(photo)).toEqual({ title: 'Three', ownerId: 'anna', url: null });

  await describe(anna, { ...photo, ownerId: 'ben' });
  await expect(describe(anna, photo)).rejects.toMatchObject({ code: 'forbidden' });
  await describe(ben, { ...photo, title: 'Mine' });
  expect(await read(photo)).toEqual({ title: 'Mine', ownerId: 'ben', url: null });
});

test('what a service describes for nobody belongs to nobody, and what it describes for a user to that user', async () => {
  const photo = { type: 'photo', id: 'unowned' };
  expect(await describe(service, photo)).toMatchObject({ ownerId: null });
  await expect(describe(anna, photo)).rejects.toMatchObject({ code: 'forbidden' });
  expect(await describe({ ...service, userId: 'anna' }, { type: 'photo', id: 'for-anna' })).toMatchObject({
    ownerId: 'anna',
  });
  const given = await describe({ ...service, userId: 'anna' }, { type: 'photo', id: 'for-ben', ownerId: 'ben' });
  expect(given.ownerId).toBe('ben');
  expect(appended.at(-1)).toMatchObject({ kind: 'object', ownerId: 'ben', actorId: 'producer', id: given.recordId });
});

test('the newest version of an object wins, in whatever order versions come', async () => {
  const { database } = installation;
  const photo = { type: 'photo', id: 'versions' };
  const change = (generation: number, at: number, title: string) => ({
    ...photo,
    title,
    ownerId: null,
    url: null,
    metadata: { title },
    changedAt: at,
    version: { generation, partition: 1, offset: at },
  });
  for (const each of [change(1, 5, 'b'), change(1, 4, 'a'), change(2, 1, 'd'), change(1, 9, 'c')]) {
    await applyObjects(database, [each]);
    await cache.run([cacheObject(cache, { ...each, ...each.version })]);
  }
  expect(await database.any(`select title, metadata from objects where id = 'versions'`)).toEqual([
    { title: 'd', metadata: { title: 'd' } },
  ]);
  expect(await read(photo, withoutRedis)).toMatchObject({ title: 'd' });
  expect(await statementsOf(async () => expect(await read(photo)).toMatchObject({ title: 'd' }))).toBe(0);
});

test('many objects take one statement, and the next time none; without Redis always one', async () => {
  const known = ['m1', 'm2', 'm3'].map((id) => ({ type: 'note', id }));
  for (const each of known) {
    await describe(anna, { ...each, title: each.id });
  }
  await redis.del(...known.slice(1).map(({ type, id }) => cache.keys.object(type, id)));
  const wanted = [...known, { type: 'note', id: 'm4' }, { type: 'other', id: 'm1' }, ...known];
  const expected = new Map(known.map(({ type, id }) => [`${type}:${id}`, { title: id, ownerId: 'anna', url: null }]));
  const reading = async (from: ObjectSources) => expect(await readObjects(from, wanted)).toEqual(expected);

  expect(await statementsOf(() => reading(sources))).toBe(1);
  expect(await statementsOf(() => reading(sources))).toBe(0);
  expect(await statementsOf(() => reading(withoutRedis))).toBe(1);
  expect(await statementsOf(() => readObjects(sources, []))).toBe(0);
  await expect(readObjects(withoutAnything, wanted)).rejects.toMatchObject({ code: 'unavailable' });
});

test('who only asks for objects notices that the cache has begun anew', async () => {
  const { database, config } = installation;
  const photo = { type: 'photo', id: 'in-two-epochs' };
  await describe(anna, photo);
  expect(await read(photo)).toMatchObject({ ownerId: 'anna' });
  // As a rebuild does, and as a flush does to whoever writes to Redis next.
  await redis.del(incarnationKey(config.namespace));
  const next = new Cache({
    url: config.redisUrl,
    namespace: config.namespace,
    epochs: cacheEpochStore(database),
    logger,
  });
  try {
    await next.start();
    const elsewhere = { cache: next, database };
    await describe(anna, { ...photo, ownerId: 'ben' }, next);
    expect(await read(photo, elsewhere)).toMatchObject({ ownerId: 'ben' });
  } finally {
    await next.close();
  }
  expect(await read(photo)).toMatchObject({ ownerId: 'ben' });
  await cache.settled();
  expect(await statementsOf(async () => expect(await read(photo)).toMatchObject({ ownerId: 'ben' }))).toBe(0);
});

test('an object whose absence is remembered is found as soon as it is there', async () => {
  const photo = { type: 'photo', id: 'late' };
  expect(await read(photo)).toBeUndefined();
  expect(await statementsOf(() => read(photo))).toBe(0);
  expect(await findObject(sources, 'late')).toBeUndefined();
  await describe(anna, { ...photo, title: 'Here' });
  expect(await statementsOf(async () => expect(await read(photo)).toMatchObject({ title: 'Here' }))).toBe(0);
  expect(await findObject(sources, 'late')).toEqual({ ...photo, title: 'Here', ownerId: 'anna', url: null });
});

test('an id alone means the object that was first created with it, without a statement once it is known', async () => {
  await describe(anna, { type: 'zebra', id: 'shared', title: 'First' });
  await describe(ben, { type: 'ant', id: 'shared', title: 'Second' });
  const first = { type: 'zebra', id: 'shared', title: 'First', ownerId: 'anna', url: null };
  expect(await findObject(withoutRedis, 'shared')).toEqual(first);
  expect(await statementsOf(async () => expect(await findObject(sources, 'shared')).toEqual(first))).toBe(1);
  expect(await statementsOf(async () => expect(await findObject(sources, 'shared')).toEqual(first))).toBe(0);
  await describe(anna, { type: 'zebra', id: 'shared', title: 'Changed' });
  expect(await findObject(sources, 'shared')).toEqual({ ...first, title: 'Changed' });
  await expect(findObject(withoutAnything, 'shared')).rejects.toMatchObject({ code: 'unavailable' });
});

test('objects whose types and ids read the same together are not taken for each other', async () => {
  await describe(anna, { type: 'a', id: 'b:c' });
  await describe(ben, { type: 'a:b', id: 'c' });
  expect(await read({ type: 'a', id: 'b:c' })).toMatchObject({ ownerId: 'anna' });
  expect(await read({ type: 'a:b', id: 'c' })).toMatchObject({ ownerId: 'ben' });
  expect(await read({ type: 'a%3Ab', id: 'c' })).toBeUndefined();
});

test('likes, shares and comments carry the owner of their object; nothing else is looked up', async () => {
  await describe(anna, { type: 'note', id: 'liked' });
  const input = (verb: string, objectId = 'liked'): ActivityInput => ({ verb, objectType: 'note', objectId });
  const inputs = [input('like'), input('post'), input('share'), input('comment'), input('like', 'unknown')];
  const tools = { readObjects: (references: readonly ObjectReference[]) => readObjects(sources, references) };
  const stamped = await stampOwners(tools, inputs);
  expect(stamped.map(({ objectOwnerId }) => objectOwnerId)).toEqual(['anna', undefined, 'anna', 'anna', undefined]);
  expect(stamped.map(({ verb, objectId }) => [verb, objectId])).toEqual(
    inputs.map((each) => [each.verb, each.objectId]),
  );

  const away = { readObjects: (references: readonly ObjectReference[]) => readObjects(withoutAnything, references) };
  expect(await stampOwners(away, [input('post')])).toEqual([input('post')]);
  await expect(stampOwners(away, inputs)).rejects.toMatchObject({ code: 'unavailable' });
});
