import { unavailable } from '@tideline/shared/errors';
import { encodeFanoutResult } from '@tideline/shared/fanout-results';
import { FeedKeys } from '@tideline/shared/feed-keys';
import { expect, test } from 'vitest';
import { waitForFanout } from './wait-for-fanout.js';

const result = { strategy: 'fanout', followers: 1, delivered: 1, publishedAt: 0, deliveredAt: 5 } as const;
const keys = new FeedKeys('ns', '1');

/** Redis where each of these ids has a result from the given look on. */
function cacheWith(fromLook: Record<string, number>) {
  const looks: string[][] = [];
  const readMany = (names: readonly string[]) => {
    const ids = names.map((name) => name.slice('ns:fanout:'.length));
    looks.push(ids);
    return Promise.resolve(
      ids.map((id) => (looks.length >= (fromLook[id] ?? Infinity) ? encodeFanoutResult(result) : null)),
    );
  };
  return { keys, readMany, looks };
}

test('waits until all have a result, and asks again only for those that have none', async () => {
  const cache = cacheWith({ a: 2, b: 1, c: 3 });
  const found = await waitForFanout(cache, ['a', 'b', 'c'], 10_000);
  expect([...found.keys()].sort()).toEqual(['a', 'b', 'c']);
  expect(found.get('a')).toEqual({ ...result, latencyMs: 5 });
  expect(cache.looks).toEqual([['a', 'b', 'c'], ['a', 'c'], ['c']]);
});

test('resolves with what there is when the time is over', async () => {
  const cache = cacheWith({ a: 1 });
  const found = await waitForFanout(cache, ['a', 'never'], 30);
  expect([...found.keys()]).toEqual(['a']);
  // The pauses grow: 2, 4, 8, 16 and what is left.
  expect(cache.looks.length).toBeLessThanOrEqual(6);
});

test('does not wait where Redis is away', async () => {
  const away = {
    get keys(): FeedKeys {
      throw unavailable('Redis is not available');
    },
    readMany: () => Promise.resolve([]),
  };
  expect(await waitForFanout(away, ['a'], 600_000)).toEqual(new Map());
  const lost = { keys, readMany: () => Promise.reject(unavailable('Redis is not available')) };
  expect(await waitForFanout(lost, ['a'], 600_000)).toEqual(new Map());
});
