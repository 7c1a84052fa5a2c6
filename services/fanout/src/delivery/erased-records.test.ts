import { randomUUID } from 'node:crypto';
import { type ActivityRecord, recordVersion } from '@tideline/shared/activity-record';
import { expect, test } from 'vitest';
import { withoutErased } from './erased-records.js';
import type { LoggedRecord } from './record-batch.js';

const envelope = { v: recordVersion, id: randomUUID(), callerId: 'shop', requestId: 'r', acceptedAt: 0 } as const;
const post = { ...envelope, kind: 'content', actorId: 'ben', verb: 'post', objectType: 'note', objectId: '1' } as const;
const follow = { ...envelope, kind: 'follow', verb: 'follow', objectType: 'user' } as const;

function at(offset: number, record: ActivityRecord, generation = 2): LoggedRecord {
  return { record, version: { generation, partition: 0, offset } };
}

/** Below offset 10 of generation 2. */
const erased = new Map([['anna', { generation: 2, offset: 10 }]]);

test.each<[string, ActivityRecord]>([
  ['what the user did', { ...post, actorId: 'anna' }],
  ['what others did to the user', { ...post, objectType: 'user', objectId: 'anna' }],
  ['what others did with the user as its target', { ...post, targetType: 'user', targetId: 'anna' }],
  ['whom the user follows', { ...follow, actorId: 'anna', objectId: 'ben' }],
  ['who follows the user', { ...follow, actorId: 'ben', objectId: 'anna' }],
  ['who blocks the user', { ...follow, kind: 'relation', verb: 'block', actorId: 'ben', objectId: 'anna' }],
  [
    'what is deleted of the user',
    {
      ...envelope,
      kind: 'delete',
      verb: 'delete',
      actorId: 'shop',
      objectType: 'activity',
      objectId: '1',
      authorId: 'anna',
    },
  ],
  [
    'what others call the user',
    { ...follow, kind: 'user', verb: 'update', actorId: 'shop', objectId: 'anna', name: 'A' },
  ],
  [
    "the user's objects",
    {
      ...envelope,
      kind: 'object',
      verb: 'update',
      actorId: 'shop',
      objectType: 'photo',
      objectId: '1',
      ownerId: 'anna',
    },
  ],
])('%s is left out, up to the place', (_what, record) => {
  expect(withoutErased([at(9, record), at(500, record, 1)], erased)).toEqual([]);
  const later = [at(10, record), at(0, record, 3)];
  expect(withoutErased(later, erased)).toEqual(later);
});

test('what others did stays without the user, for nobody rather than for everybody', () => {
  const record: ActivityRecord = { ...post, to: ['anna', 'carl'], objectOwnerId: 'anna', objectTitle: "Anna's" };
  expect(withoutErased([at(1, record)], erased)).toEqual([at(1, { ...post, to: ['carl'] })]);
  expect(withoutErased([at(1, { ...post, to: ['anna'] })], erased)).toEqual([at(1, { ...post, to: [] })]);
});

test('what has nothing to do with the user is as it was', () => {
  const records = [
    at(1, { ...post, to: ['carl'], objectOwnerId: 'dora', objectTitle: "Dora's" }),
    at(2, { ...post, objectId: 'anna' }),
    at(3, { ...follow, actorId: 'ben', objectId: 'carl' }),
  ];
  expect(withoutErased(records, erased)).toEqual(records);
});
