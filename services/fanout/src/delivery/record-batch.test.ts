import type { ActivityRecord, ContentRecord, RelationRecord } from '@tideline/shared/activity-record';
import { expect, test } from 'vitest';
import { activityOf, type LoggedRecord, positionOf, sortOut } from './record-batch.js';

const envelope = { v: 1 as const, callerId: 'c', requestId: 'r', acceptedAt: 0 };
const idOf = (n: number) => `018c2b1c-0000-7000-8000-${String(n).padStart(12, '0')}`;

function content(n: number, changes: Partial<ContentRecord> = {}): ContentRecord {
  return {
    ...envelope,
    kind: 'content',
    id: idOf(n),
    actorId: 'a',
    verb: 'post',
    objectType: 'note',
    objectId: '1',
    ...changes,
  };
}

function follow(verb: 'follow' | 'unfollow', actorId: string, objectId: string): ActivityRecord {
  return { ...envelope, kind: 'follow', id: idOf(0), actorId, verb, objectType: 'user', objectId };
}

function relation(verb: RelationRecord['verb'], actorId: string, objectId: string): ActivityRecord {
  return { ...envelope, kind: 'relation', id: idOf(0), actorId, verb, objectType: 'user', objectId };
}

function remove(n: number, authorId: string): ActivityRecord {
  const base = { ...envelope, kind: 'delete' as const, id: idOf(0), actorId: authorId, verb: 'delete' as const };
  return { ...base, objectType: 'activity', objectId: idOf(n), authorId };
}

function name(userId: string, text: string): ActivityRecord {
  const base = { ...envelope, kind: 'user' as const, id: idOf(0), actorId: userId, verb: 'update' as const };
  return { ...base, objectType: 'user', objectId: userId, name: text };
}

function object(objectType: string, objectId: string, title: string): ActivityRecord {
  return { ...envelope, kind: 'object', id: idOf(0), actorId: 'a', verb: 'update', objectType, objectId, title };
}

/** As they stand on the log, one after the other. */
function logged(...records: ActivityRecord[]): LoggedRecord[] {
  return records.map((record, offset) => ({ record, version: { generation: 1, partition: 0, offset } }));
}

function offsets(some: readonly LoggedRecord[]): number[] {
  return some.map(({ version }) => version.offset);
}

test('of content the first copy counts', () => {
  const batch = sortOut(logged(content(1), content(2), content(1, { objectTitle: 'another' })));
  expect(offsets(batch.contents)).toEqual([0, 1]);
  expect(batch.contents[0]?.record.objectTitle).toBeUndefined();
  expect(batch.controls).toEqual([]);
});

test('of the changes of a pair and of a user the last one counts, and every one is kept', () => {
  const batch = sortOut(
    logged(
      follow('follow', 'b', 'a'),
      name('a', 'first'),
      follow('unfollow', 'b', 'a'),
      follow('follow', 'c', 'a'),
      name('a', 'second'),
      follow('follow', 'a', 'b'),
    ),
  );
  expect(batch.follows.map(({ record, version }) => [record.actorId, record.verb, version.offset])).toEqual([
    ['b', 'unfollow', 2],
    ['c', 'follow', 3],
    ['a', 'follow', 5],
  ]);
  expect(offsets(batch.users)).toEqual([4]);
  expect(offsets(batch.controls)).toEqual([0, 1, 2, 3, 4, 5]);
});

test('of the changes of an object the last one counts; a type and an id are not another type and id', () => {
  const batch = sortOut(
    logged(object('a', 'b:c', '1'), object('a:b', 'c', '2'), object('a', 'b:c', '3'), object('a%3Ab', 'c', '4')),
  );
  expect(batch.objects.map(({ record, version }) => [record.title, version.offset])).toEqual([
    ['3', 2],
    ['2', 1],
    ['4', 3],
  ]);
  expect(batch.controls).toHaveLength(4);
});

test('of the mutes of a pair the last one counts, and blocks are apart from mutes', () => {
  const batch = sortOut(
    logged(
      relation('mute', 'b', 'a'),
      relation('block', 'b', 'a'),
      relation('unmute', 'b', 'a'),
      relation('block', 'c', 'a'),
      relation('unblock', 'c', 'a'),
      relation('mute', 'a', 'b'),
    ),
  );
  expect(batch.relations.map(({ record, version }) => [record.actorId, record.verb, version.offset])).toEqual([
    ['b', 'unmute', 2],
    ['b', 'block', 1],
    ['c', 'unblock', 4],
    ['a', 'mute', 5],
  ]);
  expect(offsets(batch.controls)).toEqual([0, 1, 2, 3, 4, 5]);
});

test('deletes of one activity by two authors are two', () => {
  const batch = sortOut(logged(remove(1, 'a'), remove(1, 'b'), remove(1, 'a'), remove(2, 'a')));
  expect(batch.deletes.map(({ record }) => [record.objectId, record.authorId])).toEqual([
    [idOf(1), 'a'],
    [idOf(1), 'b'],
    [idOf(2), 'a'],
  ]);
  expect(batch.controls).toHaveLength(4);
});

test('what is replayed stands where it stood first: it does not win against what came after that', () => {
  const [early, late, first, second] = logged(
    follow('unfollow', 'b', 'a'),
    name('a', 'late'),
    follow('follow', 'b', 'a'),
    name('a', 'early'),
  ).map((each, i) => ({
    ...each,
    version: { generation: 1, partition: 0, offset: i < 2 ? 10 + i : i },
    ...(i < 2 ? {} : { replayedAt: { generation: 1, partition: 0, offset: 10 + i } }),
  }));
  const batch = sortOut([early, late, first, second].filter((each) => each !== undefined));
  expect(batch.follows.map(({ record }) => record.verb)).toEqual(['unfollow']);
  expect(batch.users.map(({ record }) => record.name)).toEqual(['late']);
  expect(batch.controls.map((control) => [control.version.offset, positionOf(control).offset])).toEqual([
    [2, 12],
    [3, 13],
    [10, 10],
    [11, 11],
  ]);
});

test('an empty batch is empty', () => {
  expect(sortOut([])).toEqual({
    contents: [],
    controls: [],
    follows: [],
    relations: [],
    deletes: [],
    users: [],
    objects: [],
  });
});

test('feeds keep what was said of an activity, and nothing of how it came', () => {
  const full = { objectTitle: 'T', targetType: 'repo', targetId: '2', targetTitle: 'R', to: ['b'], metadata: { a: 1 } };
  const record = content(7, { ...full, objectOwnerId: 'o', foreignId: 'f' });
  const timestamp = 0x018c2b1c0000;
  const basis = { id: idOf(7), actorId: 'a', verb: 'post', objectType: 'note', objectId: '1', timestamp };
  expect(activityOf(record)).toEqual({ ...basis, ...full });
  // Absent stays absent: what is undefined would be lost in JSON and differ from what the database gives.
  expect(Object.keys(activityOf(content(7))).sort()).toEqual(Object.keys(basis).sort());
});
