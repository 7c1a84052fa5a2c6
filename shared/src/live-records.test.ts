import fc from 'fast-check';
import { expect, test } from 'vitest';
import { activityIdFromBytes } from './activity-id.js';
import { decodeLiveRecords, encodeLiveRecords, type LiveRecord } from './live-records.js';

const anyRecord: fc.Arbitrary<LiveRecord> = fc.record({
  kind: fc.constantFrom(
    'home_added',
    'notifications_added',
    'home_removed',
    'notifications_removed',
    'home_changed',
    'notifications_changed',
    'register_changed',
    'watch_began',
  ),
  activityId: fc.option(
    fc
      .uint8Array({ minLength: 16, maxLength: 16 })
      .map((bytes) => activityIdFromBytes(Buffer.from([1, ...bytes.subarray(1)]))),
    { nil: undefined },
  ),
  userId: fc.stringMatching(/^[A-Za-z0-9_.:-]{1,64}$/),
});

test('records that were packed can be told apart again', () => {
  fc.assert(
    fc.property(fc.array(anyRecord, { maxLength: 20 }), (records) => {
      expect(decodeLiveRecords(encodeLiveRecords(records))).toEqual(records);
    }),
  );
});

test('the bytes are those that the scripts write', () => {
  const id = Buffer.alloc(16, 7);
  const packed = Buffer.concat([
    Buffer.from('a'),
    id,
    Buffer.from('\u0004anna'),
    Buffer.from('g'),
    Buffer.alloc(16),
    Buffer.from('\u0001b'),
  ]);
  expect(decodeLiveRecords(packed)).toEqual([
    { kind: 'home_added', activityId: activityIdFromBytes(id), userId: 'anna' },
    { kind: 'register_changed', activityId: undefined, userId: 'b' },
  ]);
});

test('a kind that only a newer release knows is passed over', () => {
  const known: LiveRecord = { kind: 'home_changed', activityId: undefined, userId: 'anna' };
  const unknown = Buffer.concat([Buffer.from('z'), Buffer.alloc(16, 1), Buffer.from('\u0003eve')]);
  expect(decodeLiveRecords(Buffer.concat([unknown, encodeLiveRecords([known])]))).toEqual([known]);
});
