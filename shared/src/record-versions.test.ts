import { expect, test } from 'vitest';
import { type ActivityRecord, decodeRecord, encodeRecord, recordVersion } from './activity-record.js';
import { type RecordVersions, UnknownRecordVersionError, type Upcast, upcastRecord } from './record-versions.js';

/** Two made-up releases before the first: one that named things otherwise, and one that had no kinds before that. */
const madeUp: RecordVersions = {
  current: recordVersion,
  upcasts: new Map<number, Upcast>([
    [recordVersion - 2, (older) => ({ ...older, kind: 'content' })],
    [recordVersion - 1, ({ who, did, ...older }) => ({ ...older, actorId: who, verb: did })],
  ]),
};

const current: ActivityRecord = {
  v: recordVersion,
  kind: 'content',
  id: '018c2b1c-0000-7000-8000-000000000001',
  actorId: 'anna',
  verb: 'like',
  objectType: 'photo',
  objectId: 'p1',
  callerId: 'test',
  requestId: 'r1',
  acceptedAt: 1_700_000_000_000,
};
const { actorId, verb, ...rest } = current;
const before = { ...rest, v: recordVersion - 1, who: actorId, did: verb };
const { kind: _kind, ...withoutKind } = before;
const longBefore = { ...withoutKind, v: recordVersion - 2 };

test('a record of any older version is brought to the current one, step by step', () => {
  for (const record of [longBefore, before, current]) {
    const value = Buffer.from(JSON.stringify(record));
    expect(decodeRecord(value, madeUp)).toEqual(current);
  }
});

test('what an older record says besides what its version knew is kept on the way', () => {
  const extended = { ...longBefore, mood: { glad: true } };
  expect(upcastRecord(extended, madeUp)).toEqual({ ...current, mood: { glad: true } });
});

test.each([
  ['newer', recordVersion + 1],
  ['older than all that are known', recordVersion - 3],
])('a version that is %s is said to be unknown, before anything else of the record is looked at', (_what, v) => {
  const value = Buffer.from(JSON.stringify({ v, nothing: 'that is known' }));
  expect(() => decodeRecord(value, madeUp)).toThrow(UnknownRecordVersionError);
  expect(() => decodeRecord(value, madeUp)).toThrow(`version ${v}, and this release reads -1 to 1`);
  expect(() => decodeRecord(value)).toThrow('this release reads only 1');
});

test.each([undefined, null, '1', 1.5, 'one', {}])('%j is no version: such a record is refused by the schema', (v) => {
  const value = Buffer.from(JSON.stringify({ ...current, v }));
  expect(() => decodeRecord(value)).toThrow(expect.objectContaining({ name: 'ZodError' }));
  expect(() => decodeRecord(value)).not.toThrow(UnknownRecordVersionError);
});

test('a record that is upcast is held against the schema as every other', () => {
  const value = Buffer.from(JSON.stringify({ ...before, who: 'no id' }));
  expect(() => decodeRecord(value, madeUp)).toThrow(expect.objectContaining({ name: 'ZodError' }));
});

test('the version is written with every record', () => {
  expect(JSON.parse(encodeRecord(current).toString())).toMatchObject({ v: recordVersion });
});
