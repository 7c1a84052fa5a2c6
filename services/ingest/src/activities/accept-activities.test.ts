import { activityIdMinter, timestampOf } from '@tideline/shared/activity-id';
import type { ContentRecord } from '@tideline/shared/activity-record';
import { outcomeUnknown } from '@tideline/shared/errors';
import { expect, test } from 'vitest';
import { type ActedInput, acceptActivities } from './accept-activities.js';

const stamps = { callerId: 'producer', requestId: 'request-1' };
const mintId = activityIdMinter();

function call(given = stamps) {
  return { ...given, acceptedAt: Date.now(), mintId };
}

function post(input: Partial<ActedInput> = {}): ActedInput {
  return { actorId: 'anna', verb: 'post', objectType: 'note', objectId: '1', ...input };
}

function tools() {
  const appended: ContentRecord[] = [];
  const log = {
    append(records: readonly ContentRecord[]) {
      appended.push(...records);
      return Promise.resolve(records.map((_, offset) => ({ generation: 1, partition: 0, offset })));
    },
  };
  return { appended, log, horizon: { ms: 0 }, readObjects: () => Promise.resolve(new Map()) };
}

test('an activity without a timestamp happens now, and its id carries that time', async () => {
  const { appended, ...given } = tools();
  const before = Date.now();
  const [accepted] = await acceptActivities(given, call(), [post()]);
  const record = appended[0];

  expect(accepted?.timestamp).toBeGreaterThanOrEqual(before);
  expect(accepted).toEqual({ id: record?.id, timestamp: record?.acceptedAt });
  expect(timestampOf(accepted?.id ?? '')).toBe(accepted?.timestamp);
});

test('a record carries all of the activity, who called and when it was taken, and no second timestamp', async () => {
  const { appended, ...given } = tools();
  const input = post({
    objectTitle: 'A note',
    targetType: 'list',
    targetId: '7',
    targetTitle: 'Notes',
    to: ['ben'],
    metadata: { stars: 3 },
    foreignId: 'note-1',
    timestamp: Date.UTC(2020, 1, 2),
  });
  const [accepted] = await acceptActivities(given, call(), [input]);

  const { timestamp, ...content } = input;
  expect(appended).toEqual([
    { v: 1, kind: 'content', id: accepted?.id, ...content, ...stamps, acceptedAt: expect.any(Number) as number },
  ]);
  expect(timestampOf(accepted?.id ?? '')).toBe(timestamp);
});

test('the same foreignId of the same actor at the same time is the same id, and only then', async () => {
  const timestamp = Date.UTC(2020, 1, 2);
  const same = post({ foreignId: 'note-1', timestamp });
  const others = [
    post({ foreignId: 'note-2', timestamp }),
    post({ foreignId: 'note-1', timestamp: timestamp + 1 }),
    post({ foreignId: 'note-1', timestamp, actorId: 'ben' }),
    post({ timestamp }),
  ];
  const [first] = await acceptActivities(tools(), call(), [same]);
  const again = await acceptActivities(tools(), call({ callerId: 'x', requestId: 'y' }), [same, ...others]);

  expect(again[0]?.id).toBe(first?.id);
  expect(new Set(again.map(({ id }) => id)).size).toBe(again.length);
});

test('the items of one request keep their order, in the answer and in their ids', async () => {
  const { appended, ...given } = tools();
  const inputs = Array.from({ length: 500 }, (_, index) => post({ objectId: String(index) }));
  const accepted = await acceptActivities(given, call(), inputs);
  const ids = accepted.map(({ id }) => id);

  expect(appended.map(({ objectId }) => objectId)).toEqual(inputs.map(({ objectId }) => objectId));
  expect(appended.map(({ id }) => id)).toEqual(ids);
  expect(ids).toEqual(ids.toSorted());
});

test('what the log throws is the answer', async () => {
  const log = { append: () => Promise.reject(outcomeUnknown('not acknowledged', { details: { ids: ['a'] } })) };
  const accepting = acceptActivities({ ...tools(), log }, call(), [post()]);
  await expect(accepting).rejects.toMatchObject({ code: 'outcome_unknown', details: { ids: ['a'] } });
});
