import { activityIdFromBytes, activityIdsFromBytes, activityIdToBytes } from '@tideline/shared/activity-id';
import { bucketOf, FeedKeys } from '@tideline/shared/feed-keys';
import { listKinds } from '@tideline/shared/feed-lists';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { byBucket, ListUpdates, oldestFirst, packIds } from './list-updates.js';

const keys = new FeedKeys('test', '1');
const id = (n: number) => Buffer.alloc(16, n);

test('each list comes once, with all its ids, in its user’s bucket', () => {
  const updates = new ListUpdates();
  const users = Array.from({ length: 50 }, (_, i) => `user-${i}`);
  for (const n of [1, 2, 3]) {
    for (const user of users) {
      updates.add('inbox', user, id(n));
    }
    updates.add('outbox', 'user-0', id(n));
    updates.add('notifications', 'user-0', id(n));
  }
  expect(updates.size).toBe(156);
  const found = [...byBucket(updates, keys)].flatMap(([bucket, lists]) => lists.map((list) => ({ bucket, ...list })));
  expect(found).toHaveLength(52);
  for (const user of users) {
    expect(found).toContainEqual({ bucket: bucketOf(user), key: keys.list('inbox', user), ids: [id(1), id(2), id(3)] });
  }
  for (const kind of listKinds) {
    const key = keys.list(kind, 'user-0');
    expect(found).toContainEqual({ bucket: bucketOf('user-0'), key, ids: [id(1), id(2), id(3)] });
  }
});

test('packed ids can be told apart again, however many a list has', () => {
  const anyIds = fc.array(
    fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes)),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(fc.array(anyIds, { maxLength: 10 }), (lists) => {
      const packed = packIds(lists.map((ids, i) => ({ key: String(i), ids })));
      let at = 0;
      const unpacked = lists.map(() => {
        const count = packed.readUInt16BE(at);
        const end = at + 2 + count * 16;
        const ids = activityIdsFromBytes(packed.subarray(at + 2, end));
        at = end;
        return ids;
      });
      expect(at).toBe(packed.length);
      expect(unpacked).toEqual(lists.map((ids) => ids.map((each) => activityIdFromBytes(each))));
    }),
  );
});

test('the count takes two bytes, and more than they hold is an error, not another list', () => {
  const ids = (length: number) => Array.from({ length }, () => id(1));
  expect(packIds([{ key: 'a', ids: ids(300) }]).subarray(0, 2)).toEqual(Buffer.from([1, 44]));
  expect(packIds([{ key: 'a', ids: ids(65_535) }])).toHaveLength(2 + 65_535 * 16);
  expect(() => packIds([{ key: 'a', ids: ids(65_536) }])).toThrow(RangeError);
});

test('ids are sorted as bytes, each once', () => {
  const texts = [0xff, 0x41, 0x61, 0x00, 0x41].map((n) => activityIdFromBytes(id(n)));
  expect(oldestFirst(texts)).toEqual([0x00, 0x41, 0x61, 0xff].map(id));
  expect(oldestFirst([])).toEqual([]);
  expect(oldestFirst(texts).every((bytes) => activityIdToBytes(activityIdFromBytes(bytes)).equals(bytes))).toBe(true);
});
