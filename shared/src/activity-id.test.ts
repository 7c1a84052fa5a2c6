import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  activityIdFromBytes,
  activityIdMinter,
  activityIdsFromBytes,
  activityIdToBytes,
  foreignActivityId,
  highestActivityId,
  isActivityId,
  lowestActivityId,
  seededIdMinter,
  timestampOf,
} from './activity-id.js';

const anyTimestamp = fc.integer({ min: Date.UTC(2000, 0, 1), max: 2 ** 48 - 1 });
const anyText = fc.string({ maxLength: 64 });

test('an id is a UUIDv7 that carries its timestamp', () => {
  const mint = activityIdMinter();
  fc.assert(
    fc.property(anyTimestamp, anyText, anyText, (timestamp, actorId, foreignId) => {
      for (const id of [mint(timestamp), foreignActivityId(actorId, foreignId, timestamp)]) {
        expect(isActivityId(id)).toBe(true);
        expect(id[14]).toBe('7');
        expect('89ab').toContain(id[19]);
        expect(timestampOf(id)).toBe(timestamp);
      }
    }),
  );
});

test('ids are ordered by time, as text and as bytes alike', () => {
  fc.assert(
    fc.property(anyTimestamp, anyTimestamp, anyText, (a, b, foreignId) => {
      fc.pre(a !== b);
      const [early, late] = [Math.min(a, b), Math.max(a, b)].map((time) => foreignActivityId('a', foreignId, time));
      expect((early ?? '') < (late ?? '')).toBe(true);
      expect(Buffer.compare(activityIdToBytes(early ?? ''), activityIdToBytes(late ?? ''))).toBe(-1);
    }),
  );
});

test('ids of one request ascend within a millisecond, for as many as a request may have', () => {
  for (let round = 0; round < 50; round += 1) {
    const mint = activityIdMinter();
    const ids = Array.from({ length: 2_000 }, () => mint(1_700_000_000_000));
    expect(ids).toEqual([...ids].sort());
    expect(new Set(ids).size).toBe(ids.length);
  }
});

test('more ids in a millisecond than can be counted are still unique', () => {
  const mint = activityIdMinter();
  const ids = Array.from({ length: 10_000 }, () => mint(1_700_000_000_000));
  expect(new Set(ids).size).toBe(ids.length);
});

test('a seed gives the same ids again, in the same order, and another seed gives others', () => {
  const timestamps = [1_700_000_000_000, 1_700_000_000_000, 1_600_000_000_000, 1_700_000_000_000];
  const idsOf = (seed: string) => timestamps.map(seededIdMinter(Buffer.from(seed)));
  expect(idsOf('a')).toEqual(idsOf('a'));
  expect(new Set([...idsOf('a'), ...idsOf('b')]).size).toBe(8);
  expect(idsOf('a').map(timestampOf)).toEqual(timestamps);
  const [first = '', second = ''] = idsOf('a');
  expect(first < second).toBe(true);
});

test('the id of a foreign id is the same everywhere and for ever', () => {
  const id = foreignActivityId('ada', 'commit-1', 1_700_000_000_000);
  expect(id).toBe(foreignActivityId('ada', 'commit-1', 1_700_000_000_000));
  // Written down, because producers rely on it across versions.
  expect(id).toBe('018bcfe5-6800-7efe-9ee4-91bd29fa4ab3');
});

test('other actors, other foreign ids and other times have other ids', () => {
  const time = 1_700_000_000_000;
  const ids = [
    foreignActivityId('a', 'b', time),
    foreignActivityId('b', 'a', time),
    foreignActivityId('ab', '', time),
    foreignActivityId('', 'ab', time),
    foreignActivityId('a', 'bc', time),
    foreignActivityId('a', 'b', time + 1),
  ];
  expect(new Set(ids).size).toBe(ids.length);
});

test('bytes and text are two forms of one id', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 64 }), (bytes) => {
      const whole = Buffer.from(bytes.subarray(0, bytes.length - (bytes.length % 16)));
      const ids = activityIdsFromBytes(whole);
      expect(Buffer.concat(ids.map(activityIdToBytes))).toEqual(whole);
      expect(ids[0]).toBe(activityIdFromBytes(whole));
    }),
  );
});

test.each([
  ['', 'empty'],
  [lowestActivityId, 'the bound below all'],
  [highestActivityId, 'the bound above all'],
  ['018c2b1c-0000-4000-8000-000000000000', 'of another version'],
  ['018c2b1c-0000-7000-c000-000000000000', 'of another variant'],
  ['018C2B1C-0000-7000-8000-000000000000', 'in capitals'],
  ['018c2b1c000070008000000000000000', 'without dashes'],
  ['018c2b1c-0000-7000-8000-000000000000\n', 'with a line feed'],
  ['{018c2b1c-0000-7000-8000-000000000000}', 'in braces'],
])('%j is no activity id: %s', (text) => {
  expect(isActivityId(text)).toBe(false);
});

test('the bounds are below and above every id', () => {
  const id = foreignActivityId('a', 'b', 2 ** 48 - 1);
  expect(id > lowestActivityId && id < highestActivityId).toBe(true);
});
