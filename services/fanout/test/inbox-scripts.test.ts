import { randomUUID } from 'node:crypto';
import { activityIdFromBytes, highestActivityId, lowestActivityId } from '@tideline/shared/activity-id';
import { FeedLists, hold } from '@tideline/testing/feed-lists';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

/**
 * The scripts that keep lists with a floor (I6), on a real Redis, against a model in a few lines. Whatever is done to a
 * list in whatever order, the list is what the model says.
 */

const cap = 8;
/** Of the writer: a list is cut back to its cap when it exceeds both together. */
const slack = 32;
const namespace = `scripts-${randomUUID().slice(0, 8)}`;

let epoch = '1';
let lists: FeedLists;
let cache: FeedLists['cache'];
let redis: FeedLists['redis'];

beforeAll(async () => {
  lists = await FeedLists.open(namespace, { epochOf: () => Promise.resolve(epoch) }, cap);
  ({ cache, redis } = lists);
});
beforeEach(() => lists.writer.announceFence(hold));
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

interface ModelList {
  /** Of the builder; undefined: ready. */
  token: Buffer | undefined;
  ids: Set<string>;
  floor: string;
}

function newestFirst(some: Iterable<string>): string[] {
  return [...some].sort((a, b) => (a < b ? 1 : -1));
}

/** What a list with a floor is meant to be. */
class Model {
  list: ModelList | undefined;

  insert(added: readonly string[], startOver: boolean): number {
    const { list } = this;
    if (list === undefined) {
      return 0;
    }
    if (startOver && list.token !== undefined) {
      this.list = undefined;
      return 0;
    }
    const fresh = added.filter((id) => id >= list.floor && !list.ids.has(id));
    for (const id of fresh) {
      list.ids.add(id);
    }
    if (list.ids.size > cap + slack) {
      list.ids = new Set(newestFirst(list.ids).slice(0, cap));
      list.floor = newestFirst(list.ids).at(-1) ?? list.floor;
    }
    return fresh.length;
  }

  remove(removed: readonly string[]): number {
    if (this.list?.token !== undefined) {
      this.list = undefined;
    }
    return removed.filter((id) => this.list?.ids.delete(id)).length;
  }

  begin(token: Buffer): void {
    this.list = { token, ids: new Set(), floor: lowestActivityId };
  }

  finish(stored: readonly string[], floor: string): void {
    if (this.list !== undefined) {
      const highest = floor > this.list.floor ? floor : this.list.floor;
      const merged = newestFirst(new Set([...this.list.ids, ...stored])).filter((id) => id >= highest);
      const kept = merged.slice(0, cap);
      const cut = merged.length > cap ? kept.at(-1) : undefined;
      this.list = { token: undefined, ids: new Set(kept), floor: cut ?? highest };
    }
  }
}

/** The whole list as it stands in Redis. */
async function stored(userId: string): Promise<ModelList | undefined> {
  const entries = await redis.lrangeBuffer(cache.keys.inbox(userId), 0, -1);
  const sentinel = entries.pop();
  if (sentinel === undefined) {
    return undefined;
  }
  const found = entries.map((entry) => activityIdFromBytes(entry));
  expect(found, 'sorted, and each once').toEqual(newestFirst(new Set(found)));
  expect(['R', 'B']).toContain(String.fromCharCode(sentinel[0] ?? 0));
  const token = sentinel[0] === 'B'.charCodeAt(0) ? sentinel.subarray(17) : undefined;
  return { token, ids: new Set(found), floor: activityIdFromBytes(sentinel, 1) };
}

type Steps = {
  [Does in Operation['does']]: (
    model: Model,
    userId: string,
    operation: Extract<Operation, { does: Does }>,
  ) => Promise<void>;
};

/** Each does the same to both and compares what both say. */
const steps: Steps = {
  async insert(model, userId, { ids: added, startOver }) {
    const expected = model.insert(added, startOver);
    expect(await lists.insert({ [userId]: added }, startOver ? 'start_over' : 'accept')).toBe(expected);
  },
  async remove(model, userId, { ids: removed }) {
    expect(await lists.remove({ [userId]: removed })).toBe(model.remove(removed));
  },
  async begin(model, userId, { replaceReady }) {
    const { list } = model;
    const token = await lists.begin(userId, replaceReady);
    expect(token !== undefined).toBe(list === undefined || (list.token === undefined && replaceReady));
    if (token !== undefined) {
      model.begin(token);
    }
  },
  async finish(model, userId, { ids: fromDatabase, floor, stale }) {
    const token = model.list?.token;
    const given = token === undefined || stale ? Buffer.alloc(16, 1) : token;
    const finished = await lists.finish(userId, given, newestFirst(fromDatabase), floor);
    expect(finished).toBe(given === token);
    if (finished) {
      model.finish(fromDatabase, floor);
    }
  },
  async read({ list }, userId, { before, count }) {
    const slice = await lists.read(userId, before, count);
    if (list === undefined || list.token !== undefined) {
      expect(slice).toMatchObject({ state: list === undefined ? 'missing' : 'building', ids: [] });
      return;
    }
    const below = newestFirst(list.ids).filter((id) => id < before);
    const reachesFloor = below.length < count;
    expect(slice).toEqual({
      state: 'ready',
      ids: below.slice(0, count),
      completeDownTo: reachesFloor ? list.floor : below[count - 1],
      reachesFloor,
      floor: list.floor,
      length: list.ids.size,
    });
  },
  async expire(model, userId) {
    await redis.unlink(cache.keys.inbox(userId));
    model.list = undefined;
  },
};

async function step<Does extends Operation['does']>(
  model: Model,
  userId: string,
  operation: Extract<Operation, { does: Does }>,
): Promise<void> {
  await (steps[operation.does as Does] as Steps[Does])(model, userId, operation);
  expect(await stored(userId)).toEqual(model.list);
}

test('whatever is done to a list, it is what the model says', async () => {
  let users = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(anyOperation, { minLength: 5, maxLength: 40 }), async (operations) => {
      users += 1;
      const model = new Model();
      const userId = `model-${users}`;
      // Most lists are ready most of the time.
      await step(model, userId, { does: 'begin', replaceReady: false });
      for (const operation of operations) {
        await step(model, userId, operation);
      }
    }),
    { numRuns: 200 },
  );
});

/** Builds a list that holds `some`, complete to the beginning. */
async function ready(userId: string, some: readonly string[]): Promise<void> {
  const token = await lists.begin(userId, true);
  expect(await lists.finish(userId, token ?? Buffer.alloc(0), newestFirst(some), lowestActivityId)).toBe(true);
}

test('whatever order ids arrive in, repeated and in parts, the list is the same', async () => {
  let users = 0;
  const parts = fc.array(fc.uniqueArray(anyId, { maxLength: 6 }), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(parts, fc.nat(), async (delivered, rotation) => {
      users += 1;
      const userId = `order-${users}`;
      await ready(userId, []);
      const at = rotation % (delivered.length + 1);
      for (const some of [...delivered.slice(at), ...delivered.slice(0, at), ...delivered.slice(0, 2)]) {
        await lists.insert({ [userId]: some });
      }
      expect((await lists.read(userId)).ids).toEqual(newestFirst(new Set(delivered.flat())));
    }),
    { numRuns: 100 },
  );
});

test('one call serves many lists, each with its own ids; those that are missing stay missing', async () => {
  const users = Array.from({ length: 600 }, (_, i) => `many-${i}`);
  const present = users.filter((_, i) => i % 3 !== 0);
  await Promise.all(present.map((userId) => ready(userId, ids.slice(0, 2))));
  const updates = Object.fromEntries(users.map((userId, i) => [userId, ids.slice(1, 2 + (i % 5))]));
  const fresh = present.reduce((sum, userId) => sum + (updates[userId]?.length ?? 0) - 1, 0);
  expect(await lists.insert(updates)).toBe(fresh);
  expect(await lists.insert(updates)).toBe(0);
  for (const userId of users) {
    const expected = present.includes(userId)
      ? { state: 'ready', ids: newestFirst(new Set([...ids.slice(0, 2), ...(updates[userId] ?? [])])) }
      : { state: 'missing', ids: [] };
    expect(await lists.read(userId)).toMatchObject(expected);
  }
});

test('whoever has an old fence, or none that Redis knows, writes nothing', async () => {
  await ready('fenced', ids.slice(0, 3));
  const before = await stored('fenced');
  const old = { ...hold, fence: '6' };
  const updates = { fenced: ids.slice(2, 5) };
  await expect(lists.insert(updates, 'accept', old)).rejects.toMatchObject({ code: 'fenced' });
  await expect(lists.remove(updates, old)).rejects.toMatchObject({ code: 'fenced' });
  await expect(lists.writer.announceFence(old)).rejects.toMatchObject({ code: 'fenced' });
  const unknown = { partition: 4, fence: '8' };
  await expect(lists.insert(updates, 'accept', unknown)).rejects.toMatchObject({ code: 'cache_refused' });
  await cache.settled();
  // A newer one that was not announced yet is no reason to give up, but to announce it.
  await expect(lists.remove(updates, { ...hold, fence: '10' })).rejects.toMatchObject({ code: 'cache_refused' });
  await cache.settled();
  expect(await stored('fenced')).toEqual(before);
  expect(await lists.insert(updates)).toBe(2);
});

test('in another cache epoch nothing of the old one is read or written', async () => {
  await ready('epochal', ids.slice(0, 3));
  const oldKey = cache.keys.inbox('epochal');
  const before = await redis.lrangeBuffer(oldKey, 0, -1);
  const buckets = await redis.keys(`${namespace}:*:epoch`);
  const uses = [
    () => lists.read('epochal'),
    () => lists.insert({ epochal: ids.slice(3, 5) }),
    () => lists.begin('epochal', true),
  ];
  for (const use of uses) {
    // Another process noticed a restart; this one learns it from the first script that is refused.
    epoch = String(Number(epoch) + 1);
    await redis.mset(Object.fromEntries(buckets.map((key) => [key, epoch])));
    await expect(use()).rejects.toMatchObject({ code: 'cache_refused' });
    await cache.settled();
    expect(await lists.read('epochal')).toMatchObject({ state: 'missing' });
  }
  expect(await redis.lrangeBuffer(oldKey, 0, -1)).toEqual(before);
});
