import type { FeedItem } from '@tideline/shared/activity';
import { expect, test } from 'vitest';
import { feedLines } from './feed-lines.js';

const item: FeedItem = {
  id: '019a0000-0000-7000-8000-000000000001',
  actorId: '2',
  actorName: 'nico',
  actorAvatar: null,
  verb: 'like',
  objectType: 'photo',
  objectId: '7',
  objectTitle: 'Sunset',
  timestamp: new Date(2026, 0, 2, 3, 4, 5).getTime(),
};
const { activity, deletion } = feedLines(false);

test('a line says when, who, what', () => {
  expect(activity(item)).toBe('2026-01-02 03:04:05  nico         liked photo “Sunset”');
  const { objectTitle: _title, ...untitled } = { ...item, verb: 'fork', targetType: 'repo', targetId: 'r' };
  expect(activity(untitled)).toBe('2026-01-02 03:04:05  nico         fork photo 7 → repo r');
  expect(activity({ ...item, timestamp: Date.now() })).toMatch(/^\d\d:\d\d:\d\d {2}nico/);
});

test('a deletion says what was deleted, where that was shown', () => {
  expect(deletion(item.id, item)).toMatch(/^\d\d:\d\d:\d\d {2}deleted: nico {9}liked photo “Sunset”$/);
  expect(deletion(item.id, undefined)).toContain(`deleted: ${item.id}`);
});

test('what others wrote cannot steer the terminal', () => {
  const line = activity({ ...item, actorName: 'a\u001b[2Jb', objectTitle: `x\r\n\u202ey${'z'.repeat(200)}` });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there.
  expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
  expect(line).toContain('“x yz');
  expect(line.length).toBeLessThan(150);
});

test('colours are only where they are asked for', () => {
  expect(feedLines(true).activity(item)).toContain('\u001b[');
});
