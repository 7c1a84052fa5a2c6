import { expect, test } from 'vitest';
import { crowdSettings } from './crowd-settings.js';

const request = { seed: 1, users: 10_000, posts: 50_000, likes: undefined, followsPerUser: 20, scale: 1 };

test('there are two likes for each post unless told otherwise, as far as there are users for them', () => {
  expect(crowdSettings(request)).toEqual({
    seed: 1,
    users: 10_000,
    posts: 50_000,
    likes: 100_000,
    followsPerUser: 20,
  });
  expect(crowdSettings({ ...request, users: 4 }).likes).toBe(50_000);
  expect(crowdSettings({ ...request, likes: 7 }).likes).toBe(7);
});

test('a scale multiplies users, posts and likes', () => {
  expect(crowdSettings({ ...request, likes: 10, scale: 2.5 })).toMatchObject({
    users: 25_000,
    posts: 125_000,
    likes: 25,
    followsPerUser: 20,
  });
});

test.each([
  ['users', { scale: 1_000 }],
  ['posts', { posts: 6_000_000 }],
  ['likes', { users: 10, posts: 10, likes: 26 }],
  ['follows', { followsPerUser: 5_000 }],
])('too many %s are refused', (what, change) => {
  expect(() => crowdSettings({ ...request, ...change })).toThrow(new RegExp(`${what} are too many: at most \\d+`));
});

test('one user is no crowd', () => {
  expect(() => crowdSettings({ ...request, users: 1 })).toThrow('at least 2 users');
});
