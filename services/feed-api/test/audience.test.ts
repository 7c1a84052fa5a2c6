import { FeedKeys } from '@tideline/shared/feed-keys';
import type { ListKind } from '@tideline/shared/feed-lists';
import { randomNumbers } from '@tideline/testing/history';
import type { HttpClient } from '@tideline/testing/http-client';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SmallWorld, type Written } from './small-world.js';
import { expectById, expectWholeFeed, homeViews, profileView } from './views.js';

/**
 * I9, clause by clause, on every route and by every strategy: home = (followed authors and me), of what is public or mine
 * or has me in `to`, without whom I muted, without blocks either way, without what was deleted. Held against a model.
 */

const followerThreshold = 6;
const inboxCap = 40;
const dayMs = 86_400_000;

const pushed = 'author-pushed';
const pulled = 'author-pulled';
const muted = 'author-muted';
const blocked = 'author-blocked';
const blocking = 'author-blocking';
const left = 'author-left';
const authors = [pushed, pulled, muted, blocked, blocking, left];
/** Follows all of them, and is what their names say. */
const reader = 'reader-0';
const readers = Array.from({ length: 4 }, (_, i) => `reader-${i}`);
/** Makes one author cross the threshold. */
const crowd = Array.from({ length: followerThreshold }, (_, i) => `crowd-${i}`);
const stranger = 'stranger';
const everybody = [...readers, ...authors, stranger];

const random = randomNumbers(9);
const world = new SmallWorld();
let platform: Platform;
let posts = 0;

beforeAll(async () => {
  platform = await startPlatform({ inboxCap, followerThreshold });
});
afterAll(() => platform.stop());

async function follow(followerIds: readonly string[], followeeIds: readonly string[]): Promise<void> {
  const body = followerIds.flatMap((followerId) => followeeIds.map((followeeId) => ({ followerId, followeeId })));
  await platform.ingest.succeed('POST', '/v1/follows', { body });
  for (const { followerId, followeeId } of body) {
    world.follows.add(followerId, followeeId);
  }
  await platform.settle();
}

function one<T>(of: readonly T[]): T {
  return of[Math.floor(random() * of.length)] as T;
}

/** Posts of all authors and some readers, at random times down to `ageMaxMs`, about half of them for some only. */
async function write(count: number, ageMaxMs: number): Promise<void> {
  const now = Date.now();
  const body = Array.from({ length: count }, () => {
    posts += 1;
    const to = Array.from({ length: 1 + Math.floor(random() * 3) }, () => one(everybody));
    return {
      actorId: random() < 0.9 ? one(authors) : one(readers),
      verb: 'post',
      objectType: 'note',
      objectId: `n${posts}`,
      timestamp: now - Math.floor(random() * ageMaxMs),
      ...(random() < 0.5 ? { to } : {}),
    };
  });
  const { items } = await platform.ingest.succeed<{ items: { id: string }[] }>('POST', '/v1/activities', { body });
  world.written.push(...body.map((each, i) => ({ ...each, id: items[i]?.id ?? '' })));
  await platform.settle();
}

async function remove(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    const { id, actorId } = one(world.written);
    await platform.ingest.succeed('DELETE', `/v1/activities/${id}`, { actAs: actorId });
    world.deleted.add(id);
  }
}

async function warm(): Promise<void> {
  for (const actAs of everybody) {
    await waitUntil('Redis is used', async () => {
      const { headers } = await platform.feedApi.request('GET', '/v1/feeds/home', { actAs });
      return headers.get('x-tideline-degraded') === null;
    });
    for (const author of authors) {
      await platform.feedApi.request('GET', `/v1/users/${author}/feed`, { actAs });
    }
  }
  await platform.settleReads();
}

async function expectWorld(when: string): Promise<void> {
  const client: HttpClient = platform.feedApi;
  const mayLack = new Set([pulled]);
  for (const viewer of everybody) {
    const views = [...homeViews(viewer, mayLack), ...authors.map((author) => profileView(author, viewer))];
    for (const view of views) {
      await expectWholeFeed(client, view, world, one([7, 20, 50])).catch((error: Error) => {
        error.message = `${when}: ${error.message}`;
        throw error;
      });
    }
    const some = world.written.filter(() => random() < 0.1);
    await Promise.all(some.map((written) => expectById(client, viewer, written, world)));
  }
}

async function modeOf(authorId: string): Promise<unknown> {
  const { rows } = await platform.database.query<{ mode: string }>('select mode from authors where author_id = $1', [
    authorId,
  ]);
  return rows[0]?.mode;
}

test('every clause holds on every route, for late deliveries, over the threshold, in lists as they came and rebuilt', async () => {
  await follow(readers, authors);
  await warm();
  await write(100, 60_000);
  await expectWorld('delivered');

  await follow(crowd, [pulled]);
  expect(await modeOf(pulled)).toBe('pull');
  await write(60, 1_000);
  await expectWorld('over the threshold');

  // Some of it below the floors, some between what is there.
  await write(80, 40 * dayMs);
  await write(30, 90_000);
  await expectWorld('late');

  for (const [by, from, to] of [
    ['mutes', reader, muted],
    ['blocks', reader, blocked],
    ['blocks', blocking, reader],
  ] as const) {
    await platform.ingest.succeed('PUT', `/v1/${by}/${to}`, { actAs: from });
    world[by].add(from, to);
  }
  await platform.ingest.succeed('DELETE', `/v1/follows/${left}`, { actAs: reader });
  world.follows.delete(reader, left);
  await remove(40);
  await expectWorld('corrected');
  await platform.settle();
  await write(40, 30_000);
  await expectWorld('corrected, at rest');

  await platform.redis.flushall();
  await expectWorld('flushed');
  await warm();
  await expectWorld('rebuilt');

  for (const [by, from, to] of [
    ['mutes', reader, muted],
    ['blocks', reader, blocked],
    ['blocks', blocking, reader],
  ] as const) {
    await platform.ingest.succeed('DELETE', `/v1/${by}/${to}`, { actAs: from });
    world[by].delete(from, to);
  }
  await follow([reader], [left]);
  await expectWorld('taken back');
});

/** Ids of a list in Redis. */
async function listOf(kind: ListKind, userId: string): Promise<string[]> {
  const { rows } = await platform.database.query<{ epoch: string }>('select epoch::text from cache_epoch');
  const keys = new FeedKeys(platform.namespace, rows[0]?.epoch ?? '');
  const entries = await platform.redis.lrangeBuffer(keys.list(kind, userId), 0, -1);
  return entries.map((entry) => entry.toString('hex'));
}

function hexOf({ id }: Written): string {
  return id.replaceAll('-', '');
}

test('no outbox has what is for some only; inboxes have what is for their reader, over the threshold too', async () => {
  await warm();
  await write(30, 1_000);
  const fresh = world.written.slice(-30);
  for (const author of authors) {
    const outbox = await listOf('outbox', author);
    const theirs = fresh.filter(({ actorId }) => actorId === author);
    expect(theirs.filter((written) => outbox.includes(hexOf(written)))).toEqual(
      theirs.filter(({ to }) => to === undefined),
    );
  }
  for (const viewer of readers) {
    const inbox = await listOf('inbox', viewer);
    const targeted = fresh.filter(({ to }) => to !== undefined);
    expect(targeted.filter((written) => inbox.includes(hexOf(written)))).toEqual(
      targeted.filter(({ actorId, to }) => {
        return actorId === viewer || (to?.includes(viewer) === true && world.follows.has(viewer, actorId));
      }),
    );
  }
});

test('who follows later gets what was for them before, and loses it with the follow, in both modes', async () => {
  for (const author of [pushed, pulled]) {
    await follow([stranger], [author]);
    await expectWorld(`followed ${author}`);
    await platform.ingest.succeed('DELETE', `/v1/follows/${author}`, { actAs: stranger });
    world.follows.delete(stranger, author);
    await expectWorld(`unfollowed ${author}`);
    await platform.settle();
    await expectWorld(`unfollowed ${author}, at rest`);
  }
});

test('on the way back under the threshold nothing targeted is lost or shown to others', async () => {
  for (const follower of crowd) {
    await platform.ingest.succeed('DELETE', `/v1/follows/${pulled}`, { actAs: follower });
    world.follows.delete(follower, pulled);
  }
  await platform.settle();
  expect(await modeOf(pulled)).toBe('push');
  await write(60, 60_000);
  await expectWorld('pushed again');
  await follow(crowd, [pulled]);
  expect(await modeOf(pulled)).toBe('pull');
  await write(60, 60_000);
  await expectWorld('pulled again');
});
