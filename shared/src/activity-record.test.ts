import { expect, test } from 'vitest';
import { type ActivityRecord, decodeRecord, encodeRecord, logKeyOf, unknownFieldsOf } from './activity-record.js';

const id = '018c2b1c-0000-7000-8000-000000000001';
const envelope = {
  v: 1,
  id,
  actorId: 'anna',
  callerId: 'test',
  requestId: 'r1',
  acceptedAt: 1_700_000_000_000,
} as const;

const content: ActivityRecord = {
  ...envelope,
  kind: 'content',
  verb: 'like',
  objectType: 'photo',
  objectId: 'p1',
  objectTitle: 'A photo',
  targetType: 'album',
  targetId: 'a1',
  targetTitle: 'An album',
  objectOwnerId: 'ben',
  to: ['ben', 'carol'],
  metadata: { stars: 3, nested: { deep: [true, null] } },
  foreignId: 'like-1',
};
const follow: ActivityRecord = { ...envelope, kind: 'follow', verb: 'unfollow', objectType: 'user', objectId: 'ben' };
const mute: ActivityRecord = { ...envelope, kind: 'relation', verb: 'mute', objectType: 'user', objectId: 'ben' };
const removal: ActivityRecord = {
  ...envelope,
  kind: 'delete',
  verb: 'delete',
  objectType: 'activity',
  objectId: id,
  authorId: 'ben',
};
const user: ActivityRecord = {
  ...envelope,
  kind: 'user',
  verb: 'update',
  objectType: 'user',
  objectId: 'ben',
  name: 'Ben',
  avatar: 'https://example.org/ben.png',
};
const object: ActivityRecord = {
  ...envelope,
  kind: 'object',
  verb: 'update',
  objectType: 'photo',
  objectId: 'p:1',
  title: 'A photo',
  ownerId: 'ben',
  url: 'https://example.org/p1',
  metadata: { width: 3 },
};

test.each([
  content,
  follow,
  mute,
  removal,
  user,
  object,
])('a record of kind $kind is read as it was written', (record) => {
  expect(decodeRecord(encodeRecord(record))).toEqual(record);
  const awaited: ActivityRecord = { ...record, awaited: true };
  expect(decodeRecord(encodeRecord(awaited))).toEqual(awaited);
});

test('the key of a record is the author whose audience it concerns; of an object its type and id', () => {
  expect([content, follow, mute, removal, user, object].map(logKeyOf)).toEqual([
    'anna',
    'ben',
    'ben',
    'ben',
    'ben',
    'photo:p:1',
  ]);
});

test.each([
  ['an object without a type', { ...object, objectType: '' }],
  ['an object that is not updated', { ...object, verb: 'delete' }],
  ['an object whose owner is no user', { ...object, ownerId: 'no user' }],
  ['content with the verb of a control record', { ...content, verb: 'mute' }],
  ['a mute of oneself', { ...mute, objectId: 'anna' }],
  ['a mute with the verb of a follow', { ...mute, verb: 'follow' }],
  ['awaited by nobody', { ...follow, awaited: false }],
  ['a kind that nobody knows', { ...object, kind: 'mystery' }],
])('a record is refused: %s', (_what, record) => {
  expect(() => decodeRecord(Buffer.from(JSON.stringify(record)))).toThrow();
});

test('fields that are not known are told from those that are', () => {
  for (const record of [content, follow, mute, removal, user, object]) {
    expect(unknownFieldsOf({ ...record, awaited: true })).toBeUndefined();
  }
  const read = decodeRecord(Buffer.from(JSON.stringify({ ...user, title: 'of an object', mood: { glad: true } })));
  expect(unknownFieldsOf(read)).toEqual({ title: 'of an object', mood: { glad: true } });
});
