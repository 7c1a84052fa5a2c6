import { expect, test } from 'vitest';
import { bucketCount, bucketEpochKey, bucketOf, FeedKeys, incarnationKey } from './feed-keys.js';
import { listKinds } from './feed-lists.js';

test.each([
  ['numbers', (i: number) => String(i)],
  ['numbers behind a prefix', (i: number) => `user-${i}`],
  ['padded numbers', (i: number) => String(i).padStart(12, '0')],
  ['hashes', (i: number) => Buffer.from(String(i * 7_919)).toString('hex')],
])('users that are %s spread over all buckets', (_name, nameOf) => {
  const users = 25_600;
  const counts = new Array<number>(bucketCount).fill(0);
  for (let i = 0; i < users; i += 1) {
    const bucket = bucketOf(nameOf(i));
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }
  expect(counts).toHaveLength(bucketCount);
  const mean = users / bucketCount;
  expect(Math.min(...counts)).toBeGreaterThan(mean / 2);
  expect(Math.max(...counts)).toBeLessThan(mean * 2);
});

test('the bucket of a user never changes', () => {
  // Written down: another hash would make every cached list another bucket's.
  expect(['1', 'ivan', 'user:anna', 'a'.repeat(64)].map(bucketOf)).toEqual([131, 161, 57, 60]);
});

test('all keys of a user are in one slot of a cluster', () => {
  const keys = new FeedKeys('tideline', '7');
  const userId = 'user:anna';
  const bucket = bucketOf(userId);
  const tag = /\{[^}]*\}/;
  const tags = [
    ...listKinds.map((kind) => keys.list(kind, userId)),
    keys.register(userId),
    keys.fences(bucket),
    keys.bucketEpoch(bucket),
    keys.live(bucket),
    keys.watched(bucket),
  ].map((key) => tag.exec(key)?.[0]);
  expect(new Set(tags).size).toBe(1);
  for (const key of [keys.tombstones(), keys.livePulled(), keys.livePulledIds()]) {
    expect(tag.exec(key)?.[0]).toBe(tag.exec(keys.bucketEpoch(0))?.[0]);
  }
});

test('namespaces and epochs share no key, besides those that say which epoch it is', () => {
  const namesOf = (namespace: string, epoch: string) => {
    const keys = new FeedKeys(namespace, epoch);
    return [
      ...listKinds.map((kind) => keys.list(kind, 'u')),
      keys.register('u'),
      keys.fences(0),
      keys.tombstones(),
      keys.live(0),
      keys.watched(0),
      keys.livePulled(),
      keys.livePulledIds(),
      keys.body('i'),
      keys.user('u'),
    ];
  };
  const names = [...namesOf('a', '1'), ...namesOf('a', '2'), ...namesOf('b', '1')];
  expect(new Set(names).size).toBe(names.length);
  expect(new FeedKeys('a', '1').bucketEpoch(3)).toBe(new FeedKeys('a', '2').bucketEpoch(3));
  expect(new Set([bucketEpochKey('a', 0), incarnationKey('a'), ...names]).size).toBe(names.length + 2);
});

test('there is no bucket beyond the last', () => {
  expect(() => new FeedKeys('a', '1').fences(bucketCount)).toThrow(RangeError);
});

test('a key says what it holds, in its own epoch alone', () => {
  const keys = new FeedKeys('a:b', '7');
  for (const kind of listKinds) {
    expect(keys.meaningOf(keys.list(kind, 'user:anna'))).toEqual({ kind, userId: 'user:anna' });
    expect(new FeedKeys('a:b', '8').meaningOf(keys.list(kind, 'user:anna'))).toBeUndefined();
    expect(new FeedKeys('a', '7').meaningOf(keys.list(kind, 'user:anna'))).toBeUndefined();
  }
  expect(keys.meaningOf(keys.body('i'))).toEqual({ kind: 'body' });
  for (const other of [
    keys.register('u'),
    keys.fences(3),
    keys.tombstones(),
    keys.user('u'),
    'in:u',
    '',
    'a:b:{b999}:7:in:u',
  ]) {
    expect(keys.meaningOf(other), other).toBeUndefined();
  }
});
