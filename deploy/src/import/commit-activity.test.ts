import { activityInputSchema, userIdSchema } from '@tideline/shared/activity';
import { describe, expect, test } from 'vitest';
import { authorId, commitActivity, userName } from './commit-activity.js';
import type { Commit } from './git-history.js';

const now = Date.UTC(2026, 0, 1);
const commit: Commit = {
  hash: 'a'.repeat(40),
  parents: ['b'.repeat(40)],
  authorName: 'Ada Lovelace',
  authorEmail: 'Ada@Example.org',
  committedAt: Date.UTC(2020, 5, 1),
  subject: 'Count the tides',
};

test('a commit is an activity of its author', () => {
  expect(commitActivity(commit, 'example.org/tides', now)).toEqual({
    actorId: 'ada:example.org',
    verb: 'committed',
    objectType: 'commit',
    objectId: commit.hash,
    objectTitle: 'Count the tides',
    targetType: 'repository',
    targetId: 'example.org/tides',
    metadata: { authorName: 'Ada Lovelace' },
    foreignId: commit.hash,
    timestamp: commit.committedAt,
  });
});

test('whatever a commit says, the activity is one that ingest takes', () => {
  const strange = {
    ...commit,
    parents: ['b', 'c', 'd'],
    authorName: '🌊'.repeat(500),
    authorEmail: '',
    subject: `${'x'.repeat(1_023)}🌊 too long`,
  };
  const activity = commitActivity(strange, 'tides', now);

  expect(activityInputSchema.safeParse(activity).error).toBeUndefined();
  expect(activity).toMatchObject({ objectTitle: 'x'.repeat(1_023), metadata: { merge: true, parents: 3 } });
  expect(JSON.stringify(activity).isWellFormed()).toBe(true);
  expect(commitActivity({ ...commit, subject: '' }, 'tides', now)).not.toHaveProperty('objectTitle');
});

test.each([
  ['dated before 2000', Date.UTC(1999, 11, 31)],
  ['dated in the future', now + 1],
  ['without a date that git can read', Number.NaN],
])('a commit %s is skipped', (skipped, committedAt) => {
  expect(commitActivity({ ...commit, committedAt }, 'tides', now)).toEqual({ skipped });
});

describe('the user of an author', () => {
  const idOf = (authorEmail: string, authorName = 'Ada') => authorId({ authorName, authorEmail });

  test('is the address where that can be read back from it', () => {
    expect(idOf('ada.l@example.org')).toBe('ada.l:example.org');
    expect(idOf('ADA.L@example.org ')).toBe('ada.l:example.org');
  });

  test.each([
    ['ada+git@example.org'],
    ['ada@example@org'],
    ['ada:example.org'],
    ['root'],
    ['1'],
    ['jörg@example.org'],
    [`${'a'.repeat(80)}@example.org`],
    [''],
    ['🌊'],
  ])('has a hash where "%s" had to be changed', (email) => {
    expect(idOf(email)).toMatch(/-[0-9a-f]{8}$/);
    expect(userIdSchema.safeParse(idOf(email)).success).toBe(true);
  });

  test('is another one for every author', () => {
    const emails = ['a+b@c.d', 'a-b@c.d', 'a_b@c.d', 'a b@c.d', 'a@b@c.d', 'a:b@c.d', 'a:c.d', 'a@c.d', 'a'];
    expect(new Set(emails.map((email) => idOf(email))).size).toBe(emails.length);
  });

  test('comes from the name where there is no address, and is never nothing', () => {
    expect(idOf('', 'Ada')).not.toBe(idOf('', 'Bob'));
    expect(idOf('', '')).toMatch(/^unknown-/);
    expect(userName(' ', 'ada')).toBe('ada');
  });
});
