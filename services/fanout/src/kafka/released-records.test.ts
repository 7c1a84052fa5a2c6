import { type ActivityRecord, decodeRecord, logKeyOf, recordVersion } from '@tideline/shared/activity-record';
import { releasedRecords } from '@tideline/testing/released-records';
import { describe, expect, test } from 'vitest';

const kinds: ActivityRecord['kind'][] = ['content', 'follow', 'relation', 'delete', 'user', 'object'];

describe.each(
  Array.from({ length: recordVersion }, (_, i) => i + 1),
)('what releases with version %i wrote', (version) => {
  const released = releasedRecords(version);

  test('is there of every kind', () => {
    const found = released.map(({ value }) => (JSON.parse(value) as ActivityRecord).kind);
    expect([...new Set(found)].sort()).toEqual(kinds.sort());
  });

  test.each(released)('is read, under the same key, and nothing of it is lost: $name', ({ key, value }) => {
    const record = decodeRecord(Buffer.from(value));
    expect(logKeyOf(record)).toBe(key);
    // Whoever raises the version says here what becomes of the records of this one.
    expect(record).toEqual(JSON.parse(value));
  });
});
