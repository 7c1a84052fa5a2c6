import { expect, test } from 'vitest';
import { decodeFanoutResult, encodeFanoutResult, readFanoutResult } from './fanout-results.js';
import { FeedKeys } from './feed-keys.js';

const result = { strategy: 'lazy', followers: 12_000, delivered: 0, publishedAt: 1_000, deliveredAt: 1_025 } as const;

test('a result is read as it was written, with its latency', () => {
  expect(decodeFanoutResult(encodeFanoutResult(result))).toEqual({ ...result, latencyMs: 25 });
});

test('clocks that differ give no negative latency', () => {
  expect(decodeFanoutResult(encodeFanoutResult({ ...result, deliveredAt: 990 })).latencyMs).toBe(0);
});

test('those that have a result are found, under a name that no cache epoch changes', async () => {
  const keys = new FeedKeys('ns', '7');
  const stored = new Map([['ns:fanout:b', encodeFanoutResult(result)]]);
  const readMany = (names: readonly string[]) => Promise.resolve(names.map((name) => stored.get(name) ?? null));
  const found = await readFanoutResult({ keys, readMany }, ['a', 'b', 'c']);
  expect([...found.keys()]).toEqual(['b']);
});
