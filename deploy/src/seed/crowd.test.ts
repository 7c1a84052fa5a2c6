import { activityInputSchema, userIdSchema } from '@tideline/shared/activity';
import { expect, test } from 'vitest';
import { Crowd } from './crowd.js';
import type { CrowdSettings } from './crowd-settings.js';

const until = Date.UTC(2026, 0, 31);
const settings: CrowdSettings = { seed: 1, users: 1_000, posts: 2_000, likes: 4_000, followsPerUser: 20 };
const crowd = new Crowd(settings, until);

function all<T>(count: number, one: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => one(index));
}

function everythingOf(some: Crowd) {
  return {
    users: all(some.settings.users, (i) => [some.userId(i), some.userName(i)]),
    follows: all(some.followCount, (i) => some.follow(i)),
    posts: all(some.settings.posts, (i) => some.post(i)),
    likedPosts: all(some.likedPostCount, (i) => some.likedPost(i)),
    likes: all(some.settings.likes, (i) => some.like(i)),
  };
}

test('the same seed makes the same crowd, in whatever order it is asked', () => {
  const other = new Crowd(settings, until);
  const [lastPost, firstName] = [other.post(1_999), other.userName(0)];

  expect(everythingOf(other)).toEqual(everythingOf(crowd));
  expect([crowd.post(1_999), crowd.userName(0)]).toEqual([lastPost, firstName]);
});

test('another seed makes another crowd, whose ids are others', () => {
  const other = new Crowd({ ...settings, seed: 2 }, until);

  const pairs = (some: Crowd) => everythingOf(some).follows.map((follow) => Object.values(follow).map(numberOf).join());
  expect(pairs(other)).not.toEqual(pairs(crowd));
  expect(crowd.userId(123)).toBe('seed-1-000123');
  expect(other.userId(123)).toBe('seed-2-000123');
  expect(other.post(5).foreignId).not.toBe(crowd.post(5).foreignId);
});

test('more posts leave the follow graph as it is', () => {
  const other = new Crowd({ ...settings, posts: 3_000 }, until);

  expect(everythingOf(other).follows).toEqual(everythingOf(crowd).follows);
});

test('nobody follows themselves, or anybody twice, and everybody follows somebody', () => {
  const { follows } = everythingOf(crowd);

  expect(follows.filter(({ followerId, followeeId }) => followerId === followeeId)).toEqual([]);
  expect(new Set(follows.map((follow) => Object.values(follow).join())).size).toBe(follows.length);
  expect(new Set(follows.map(({ followerId }) => followerId)).size).toBe(settings.users);
  expect(follows.length / settings.users).toBeGreaterThan(settings.followsPerUser * 0.9);
  expect(follows.length / settings.users).toBeLessThan(settings.followsPerUser * 1.1);
});

test('the graph is complete where everybody would follow more than there are', () => {
  const tiny = new Crowd({ seed: 1, users: 3, posts: 1, likes: 0, followsPerUser: 1_000 }, until);

  expect(tiny.followCount).toBe(6);
});

test('who is followed goes by a power law: few have most of it, and it falls as ranks rise', () => {
  const followers = crowd.mostFollowed(settings.users).map(({ followers }) => followers);
  const share = (top: number) => followers.slice(0, top).reduce((sum, count) => sum + count, 0) / crowd.followCount;

  // Without doubles the most popular cannot have more than everybody, so the head is a little flatter than 1 / rank.
  expect(share(settings.users / 100)).toBeGreaterThan(0.2);
  expect(share(settings.users / 100)).toBeLessThan(0.45);
  expect(share(settings.users / 10)).toBeGreaterThan(0.55);
  // Further down, ten times the rank is a tenth of the followers.
  const around = (rank: number) =>
    followers.slice(rank * 0.8, rank * 1.2).reduce((sum, n) => sum + n, 0) / (rank * 0.4);
  expect(around(50) / around(500)).toBeGreaterThan(6);
  expect(around(50) / around(500)).toBeLessThan(14);
});

test('who posts and what is liked go by power laws too', () => {
  const { posts, likes } = everythingOf(crowd);

  expect(topShare(posts.map(({ actorId }) => actorId ?? ''))).toBeGreaterThan(0.3);
  expect(topShare(likes.map(({ actorId }) => actorId ?? ''))).toBeGreaterThan(0.2);
  expect(topShare(likes.map(({ objectId }) => objectId))).toBeGreaterThan(0.2);
});

/** What the 10 most frequent values have of all. */
function topShare(values: string[]): number {
  const counts = new Map<string, number>();
  for (const value of values) {
    counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  const top = [...counts.values()].sort((a, b) => b - a).slice(0, 10);
  return top.reduce((sum, count) => sum + count, 0) / values.length;
}

test('everything is what ingest takes, once, and nothing is later than it may be', () => {
  const { users, posts, likes } = everythingOf(crowd);
  const activities = [...posts, ...likes];

  expect(activities.filter((activity) => !activityInputSchema.safeParse(activity).success)).toEqual([]);
  expect(users.filter(([id]) => !userIdSchema.safeParse(id).success)).toEqual([]);
  expect(new Set(activities.map(({ foreignId }) => foreignId)).size).toBe(activities.length);
  expect(Math.max(...activities.map(({ timestamp = 0 }) => timestamp))).toBeLessThanOrEqual(until);
  expect(posts.map(({ timestamp = 0 }) => timestamp)).toEqual(posts.map(({ timestamp = 0 }) => timestamp).sort());
});

test('what is liked is a post that was there, known as an object of its author', () => {
  const { posts, likes, likedPosts } = everythingOf(crowd);
  const postsById = new Map(posts.map((post) => [post.objectId, post]));

  expect(
    likes.filter(({ objectId, timestamp = 0 }) => timestamp < (postsById.get(objectId)?.timestamp ?? Infinity)),
  ).toEqual([]);
  expect(new Set(likedPosts.map(({ id }) => id))).toEqual(new Set(likes.map(({ objectId }) => objectId)));
  for (const { id, ownerId, title } of likedPosts) {
    expect(postsById.get(id)).toMatchObject({ actorId: ownerId, objectTitle: title });
  }
});

function numberOf(id: string): number {
  return Number(id.slice(-6));
}
