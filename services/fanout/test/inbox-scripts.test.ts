import { randomUUID } from 'node:crypto';
import { activityIdFromBytes, highestActivityId, lowestActivityId } from '@tideline/shared/activity-id';
import { listKinds, listSlack } from '@tideline/shared/feed-lists';
import { InMemoryFeedLists } from '@tideline/shared/in-memory-feed-lists';
import { hold, RedisFeedLists, TestedLists } from '@tideline/testing/feed-lists';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

/**
 * The store of feeds (D5): the same tests for its two implementations, lists in Redis, kept by scripts, and lists in memory,
 * kept by what the scripts mean in a few lines. And whatever is done to a list in whatever order, both say the same.
 */

const cap = 8;
const namespace = `scripts-${randomUUID().slice(0, 8)}`;

let epoch = '1';
let lists: RedisFeedLists;
let cache: RedisFeedLists['cache'];
let redis: RedisFeedLists['redis'];
let inRedis: TestedLists;
const memory = new InMemoryFeedLists(cap);
const inMemory = new TestedLists(memory, 'inbox');

beforeAll(async () => {
  lists = await RedisFeedLists.open(namespace, { epochOf: () => Promise.resolve(epoch) }, cap);
  ({ cache, redis } = lists);
  inRedis = new TestedLists(lists.store, 'inbox');
});
beforeEach(async () => {
  await inRedis.announceFence();
  await inMemory.announceFence();
});
afterAll(async () => {
  await redis.unlink(...(await redis.keys(`${namespace}:*`)));
  await lists.close();
});

/** Ids whose bytes would change places under another locale than C, and have what other tools trip over. */
const ids = Array.from({ length: 84 }, (_, i) => activityIdFromBytes(Buffer.alloc(16, 1 + i * 3)));
const anyId = fc.constantFrom(...ids);
const someIds = fc.uniqueArray(anyId, { minLength: 1, maxLength: 60 });
const anyIds = fc.uniqueArray(anyId, { maxLength: 60 });
const mostIds = fc.uniqueArray(anyId, { minLength: 30, maxLength: 84 });

type Operation =
  | { does: 'insert'; ids: string[]; startOver: boolean }
  | { does: 'remove'; ids: string[] }
  | { does: 'begin'; replaceReady: boolean }
  | { does: 'finish'; ids: string[]; floor: string; stale: boolean }
  | { does: 'read'; before: string; count: number }
  | { does: 'expire' };

const insert = (some: fc.Arbitrary<string[]>) =>
  fc.record({ does: fc.constant('insert' as const), ids: some, startOver: fc.boolean() });
const anyOperation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 6, arbitrary: insert(someIds) },
  { weight: 2, arbitrary: insert(mostIds) },
  { weight: 3, arbitrary: fc.record({ does: fc.constant('remove' as const), ids: someIds }) },
  { weight: 3, arbitrary: fc.record({ does: fc.constant('begin' as const), replaceReady: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      does: fc.constant('finish' as const),
      ids: anyIds,
      floor: fc.oneof(anyId, fc.constant(lowestActivityId)),
      stale: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      does: fc.constant('read' as const),
      before: fc.oneof(anyId, fc.constant(highestActivityId)),
      count: fc.integer({ min: 1, max: 50 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('expire' as const) }) },
);

function newestFirst(some: Iterable<string>): string[] {
  return [...some].sort((a, b) => (a < b ? 1 : -1));
}

/** The whole list as it stands in Redis, in order. */
async function stored(userId: string): Promise<Buffer[]> {
  const entries = await redis.lrangeBuffer(cache.keys.list('inbox', userId), 0, -1);
  const found = entries.slice(0, -1).map((entry) => activityIdFromBytes(entry));
  expect(found, 'sorted, and each once').toEqual(newestFirst(new Set(found)));
  return entries;
}

/** Tokens that the stores gave for the same building. */
interface Tokens {
  redis: Buffer;
  memory: Buffer;
}

/** Does the same to both stores and expects the same of both. Returns the tokens that stand, as far as the test knows. */
async function step(userId: string, operation: Operation, tokens: Tokens | undefined): Promise<Tokens | undefined> {
  const both = async <T>(act: (inboxes: TestedLists, store: keyof Tokens) => Promise<T>): Promise<T> => {
    const [found, expected] = [await act(inRedis, 'redis'), await act(inMemory, 'memory')];
    expect(found).toEqual(expected);
    return found;
  };
  switch (operation.does) {
    case 'insert':
      await both((inboxes) =>
        inboxes.insert({ [userId]: operation.ids }, operation.startOver ? 'start_over' : 'accept'),
      );
      return tokens;
    case 'remove':
      await both((inboxes) => inboxes.remove({ [userId]: operation.ids }));
      return tokens;
    case 'begin': {
      const began = await inRedis.begin(userId, operation.replaceReady);
      const beganInMemory = await inMemory.begin(userId, operation.replaceReady);
      expect(began === undefined).toBe(beganInMemory === undefined);
      return began && beganInMemory ? { redis: began, memory: beganInMemory } : tokens;
    }
    case 'finish': {
      const given = operation.stale ? undefined : tokens;
      await both((inboxes, store) =>
        inboxes.finish(userId, given?.[store] ?? Buffer.alloc(16, 1), newestFirst(operation.ids), operation.floor),
      );
      return tokens;
    }
    case 'read':
      await both((inboxes) => inboxes.read(userId, operation.before, operation.count));
      return tokens;
    case 'expire':
      await redis.unlink(cache.keys.list('inbox', userId));
      memory.drop({ kind: 'inbox', userId });
      return tokens;
  }
}

test('whatever is done to a list, both stores say the same', async () => {
  let users = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(anyOperation, { minLength: 5, maxLength: 40 }), async (operations) => {
      users += 1;
      const userId = `model-${users}`;
      // Most lists are ready most of the time.
      let tokens = await step(userId, { does: 'begin', replaceReady: false }, undefined);
      for (const operation of operations) {
        tokens = await step(userId, operation, tokens);
        await stored(userId);
        expect(await inRedis.read(userId)).toEqual(await inMemory.read(userId));
      }
    }),
    { numRuns: 200 },
  );
});

/** Builds a list that holds `some`, complete to the beginning. */
async function ready(lists: TestedLists, userId: string, some: readonly string[]): Promise<void> {
  const token = await lists.begin(userId, true);
  expect(await lists.finish(userId, token ?? Buffer.alloc(0), newestFirst(some), lowestActivityId)).toBe(true);
}

describe.each([
  ['in Redis', () => inRedis, () => lists.store],
  ['in memory', () => inMemory, () => memory],
])('a store of lists %s', (_where, lists, store) => {
  test('lists of one user are apart, whatever is done to those of another kind', async () => {
    const kinds = listKinds.map((kind, i) => ({ list: new TestedLists(store(), kind), id: ids[i] ?? '' }));
    for (const { list, id } of kinds) {
      await ready(list, 'many-sided', [id]);
    }
    for (const { list, id } of kinds) {
      expect(await list.read('many-sided')).toMatchObject({ ids: [id] });
      expect(await list.remove({ 'many-sided': [id] })).toBe(1);
      expect(await list.insert({ 'many-sided': ids.slice(5, 7) })).toBe(2);
    }
    for (const { list } of kinds) {
      expect(await list.read('many-sided')).toMatchObject({ ids: newestFirst(ids.slice(5, 7)) });
    }
  });

  test('whatever order ids arrive in, repeated and in parts, the list is the same', async () => {
    let users = 0;
    const parts = fc.array(fc.uniqueArray(anyId, { maxLength: 6 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(parts, fc.nat(), async (delivered, rotation) => {
        users += 1;
        const userId = `order-${users}`;
        await ready(lists(), userId, []);
        const at = rotation % (delivered.length + 1);
        for (const some of [...delivered.slice(at), ...delivered.slice(0, at), ...delivered.slice(0, 2)]) {
          await lists().insert({ [userId]: some });
        }
        expect((await lists().read(userId)).ids).toEqual(newestFirst(new Set(delivered.flat())));
      }),
      { numRuns: 100 },
    );
  });

  test('one call serves many lists, each with its own ids; those that are missing stay missing', async () => {
    const users = Array.from({ length: 600 }, (_, i) => `many-${i}`);
    const present = users.filter((_, i) => i % 3 !== 0);
    await Promise.all(present.map((userId) => ready(lists(), userId, ids.slice(0, 2))));
    const updates = Object.fromEntries(users.map((userId, i) => [userId, ids.slice(1, 2 + (i % 5))]));
    const fresh = present.reduce((sum, userId) => sum + (updates[userId]?.length ?? 0) - 1, 0);
    expect(await lists().insert(updates)).toBe(fresh);
    expect(await lists().insert(updates)).toBe(0);
    for (const userId of users) {
      const expected = present.includes(userId)
        ? { state: 'ready', ids: newestFirst(new Set([...ids.slice(0, 2), ...(updates[userId] ?? [])])) }
        : { state: 'missing', ids: [] };
      expect(await lists().read(userId)).toMatchObject(expected);
    }
  });

  test('whoever has an old fence, or none that Redis knows, writes nothing', async () => {
    await ready(lists(), 'fenced', ids.slice(0, 3));
    const before = await lists().read('fenced');
    const old = { ...hold, fence: '6' };
    const updates = { fenced: ids.slice(2, 5) };
    await expect(lists().insert(updates, 'accept', old)).rejects.toMatchObject({ code: 'fenced' });
    await expect(lists().remove(updates, old)).rejects.toMatchObject({ code: 'fenced' });
    await expect(lists().announceFence(old)).rejects.toMatchObject({ code: 'fenced' });
    const unknown = { partition: 4, fence: '8' };
    await expect(lists().insert(updates, 'accept', unknown)).rejects.toMatchObject({ code: 'cache_refused' });
    await cache.settled();
    // A newer one that was not announced yet is no reason to give up, but to announce it.
    await expect(lists().remove(updates, { ...hold, fence: '10' })).rejects.toMatchObject({ code: 'cache_refused' });
    await cache.settled();
    expect(await lists().read('fenced')).toEqual(before);
    expect(await lists().insert(updates)).toBe(2);
  });

  test('one that is missing takes nothing, one that is being built takes all and shows nothing', async () => {
    const [old = '', older = '', newer = ''] = [ids[2], ids[1], ids[3]];
    expect(await lists().insert({ states: [old] })).toBe(0);
    expect(await lists().read('states')).toMatchObject({ state: 'missing', ids: [] });
    const token = (await lists().begin('states', false)) ?? Buffer.alloc(0);
    expect(await lists().begin('states', true)).toBeUndefined();
    expect(await lists().insert({ states: [newer] })).toBe(1);
    expect(await lists().read('states')).toMatchObject({ state: 'building', ids: [] });
    expect(await lists().finish('states', Buffer.alloc(16), [], lowestActivityId)).toBe(false);
    expect(await lists().finish('states', token, [old, older], older)).toBe(true);
    expect(await lists().read('states')).toMatchObject({ state: 'ready', ids: [newer, old, older], floor: older });
    expect(await lists().begin('states', false)).toBeUndefined();
  });

  test('who removes, or inserts what its builder has to know, takes the list away from its builder', async () => {
    for (const take of [
      () => lists().remove({ taken: ids.slice(0, 1) }),
      () => lists().insert({ taken: ids.slice(0, 1) }, 'start_over'),
    ]) {
      const token = (await lists().begin('taken', true)) ?? Buffer.alloc(0);
      expect(await take()).toBe(0);
      expect(await lists().finish('taken', token, [], lowestActivityId)).toBe(false);
      expect(await lists().read('taken')).toMatchObject({ state: 'missing' });
    }
  });

  test('a list that is trimmed has a higher floor, and takes nothing below it', async () => {
    await ready(lists(), 'trimmed', []);
    const some = newestFirst(ids).slice(0, cap + listSlack + 1);
    expect(await lists().insert({ trimmed: some })).toBe(some.length);
    const floor = some[cap - 1];
    expect(await lists().read('trimmed')).toMatchObject({ ids: some.slice(0, cap), floor, completeDownTo: floor });
    expect(await lists().insert({ trimmed: [some[cap] ?? ''] })).toBe(0);
    expect(await lists().remove({ trimmed: some.slice(2, cap) })).toBe(cap - 2);
    expect(await lists().read('trimmed')).toMatchObject({ ids: some.slice(0, 2), floor });
  });
});

test('in another cache epoch nothing of the old one is read or written', async () => {
  await ready(inRedis, 'epochal', ids.slice(0, 3));
  const oldKey = cache.keys.list('inbox', 'epochal');
  const before = await redis.lrangeBuffer(oldKey, 0, -1);
  const buckets = await redis.keys(`${namespace}:*:epoch`);
  const uses = [
    () => inRedis.read('epochal'),
    () => inRedis.insert({ epochal: ids.slice(3, 5) }),
    () => inRedis.begin('epochal', true),
  ];
  for (const use of uses) {
    // Another process noticed a restart; this one learns it from the first script that is refused.
    epoch = String(Number(epoch) + 1);
    await redis.mset(Object.fromEntries(buckets.map((key) => [key, epoch])));
    await expect(use()).rejects.toMatchObject({ code: 'cache_refused' });
    await cache.settled();
    expect(await inRedis.read('epochal')).toMatchObject({ state: 'missing' });
  }
  expect(await redis.lrangeBuffer(oldKey, 0, -1)).toEqual(before);
});
