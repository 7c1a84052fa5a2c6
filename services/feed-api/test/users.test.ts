import type { PageBody } from '@tideline/testing/http-client';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** Profiles, and who follows whom: pages of users in the same protocol as feeds. */

interface User {
  id: string;
  name: string;
  avatar: string | null;
}

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({ followerThreshold: 10 });
});
afterAll(() => platform.stop());

async function follow(followerIds: readonly string[], followeeIds: readonly string[]): Promise<void> {
  const body = followerIds.flatMap((followerId) => followeeIds.map((followeeId) => ({ followerId, followeeId })));
  await platform.ingest.succeed('POST', '/v1/follows', { body });
  await platform.settle();
}

async function unfollow(follower: string, followee: string): Promise<void> {
  await platform.ingest.succeed('DELETE', `/v1/follows/${followee}`, { actAs: follower });
}

async function hide(userId: string, by: 'mutes' | 'blocks', otherId: string): Promise<void> {
  await platform.ingest.succeed('PUT', `/v1/${by}/${otherId}`, { actAs: userId });
}

function read(path: string, reader: string): Promise<PageBody<User>> {
  return platform.feedApi.succeed<PageBody<User>>('GET', path, { actAs: reader });
}

async function walk(path: string, reader: string, way: 'next' | 'previous'): Promise<PageBody<User>[]> {
  const pages = [await read(path, reader)];
  for (let to = pages[0]?.paging[way]; to != null; to = pages.at(-1)?.paging[way]) {
    const { pathname, search } = new URL(to);
    pages.push(await read(pathname + search, reader));
  }
  return pages;
}

function idsOf(pages: readonly PageBody<User>[]): string[] {
  return pages.flatMap(({ items }) => items.map(({ id }) => id));
}

function names(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${String(i).padStart(3, '0')}`);
}

async function profile(id: string, reader = 'anybody'): Promise<Record<string, unknown>> {
  return platform.feedApi.succeed<Record<string, unknown>>('GET', `/v1/users/${id}`, { actAs: reader });
}

test('a profile has the current name, and how many follow and are followed', async () => {
  const startedAt = Date.now();
  await follow(['pf-1', 'pf-2', 'pf-3'], ['pf']);
  await follow(['pf'], ['pf-1']);
  const times = { createdAt: expect.any(Number) as number, updatedAt: expect.any(Number) as number };
  expect(await profile('pf')).toEqual({ id: 'pf', name: 'pf', avatar: null, followers: 3, following: 1, ...times });
  await unfollow('pf-2', 'pf');
  await unfollow('pf', 'pf-1');
  const named = { name: 'Per Fil', avatar: 'https://example.org/p.png' };
  await platform.ingest.succeed('PUT', '/v1/users/pf', { body: named });
  const found = await profile('pf');
  expect(found).toEqual({ id: 'pf', ...named, followers: 2, following: 0, ...times });
  expect(Number(found['createdAt'])).toBeGreaterThan(startedAt - 60_000);
  expect(Number(found['updatedAt'])).toBeGreaterThanOrEqual(Number(found['createdAt']));
});

test('followers and following are listed in order of their ids, there and back', async () => {
  // Ids of all kinds, some the beginning of others.
  const many = [...names('f', 22), 'f', 'F0', 'f00', 'f000.', 'f-1', 'f:1', '_f', 'x'.repeat(64)];
  await follow(many, ['listed']);
  await follow(['listed'], many);
  const expected = [...many].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (const side of ['followers', 'following']) {
    for (const limit of [1, 7, 50]) {
      const down = await walk(`/v1/users/listed/${side}?limit=${limit}`, 'anybody', 'next');
      expect(idsOf(down), `${side} ${limit}`).toEqual(expected);
      const last = down.at(-1);
      if (last?.paging.previous != null) {
        const { pathname, search } = new URL(last.paging.previous);
        const up = (await walk(pathname + search, 'anybody', 'previous')).reverse();
        expect(idsOf([...up, last]), `${side} ${limit} up`).toEqual(expected);
      }
    }
  }
  await platform.ingest.succeed('PUT', '/v1/users/f000', { body: { name: 'Zero' } });
  const [first] = (await read('/v1/users/listed/followers?limit=1', 'anybody')).items;
  expect(first).toEqual({ id: expected[0], name: expected[0], avatar: null });
});

test('while follows come and go between the pages, who stays is listed once', async () => {
  const stay = names('stay-', 20);
  const leave = names('stay-005-', 10);
  await follow([...stay, ...leave], ['moving']);
  const down = [await read('/v1/users/moving/followers?limit=7', 'anybody')];
  await Promise.all(leave.map((id) => unfollow(id, 'moving')));
  await follow(['a-comes', 'stay-000-comes', 'stay-018-comes'], ['moving']);
  const { pathname, search } = new URL(down[0]?.paging.next ?? '');
  const rest = await walk(pathname + search, 'anybody', 'next');
  expect(down[0]?.items.map(({ id }) => id)).toEqual([...stay.slice(0, 6), leave[0]]);
  expect(idsOf(rest)).toEqual([...stay.slice(6, 19), 'stay-018-comes', 'stay-019']);
  const back = new URL(rest.at(-1)?.paging.previous ?? '');
  const up = (await walk(back.pathname + back.search, 'anybody', 'previous')).reverse();
  expect(idsOf([...up, ...rest.slice(-1)])).toEqual(
    ['a-comes', ...stay, 'stay-000-comes', 'stay-018-comes'].sort((a, b) => (a < b ? -1 : 1)),
  );
});

test('who is muted by the reader, or blocked either way, is neither listed nor counted', async () => {
  const followers = ['hid-blocked', 'hid-blocking', 'hid-muted', 'hid-muting', 'hid-other'];
  await follow(followers, ['hid']);
  await follow(['hid'], followers);
  await hide('hid-reader', 'mutes', 'hid-muted');
  await hide('hid-muting', 'mutes', 'hid-reader');
  await hide('hid-reader', 'blocks', 'hid-blocked');
  await hide('hid-reader', 'mutes', 'hid-blocked');
  await hide('hid-blocking', 'blocks', 'hid-reader');
  for (const side of ['followers', 'following'] as const) {
    for (const limit of [1, 50]) {
      const path = `/v1/users/hid/${side}?limit=${limit}`;
      expect(idsOf(await walk(path, 'hid-reader', 'next'))).toEqual(['hid-muting', 'hid-other']);
      expect(idsOf(await walk(path, 'somebody-else', 'next'))).toEqual(followers);
    }
  }
  expect(await profile('hid', 'hid-reader')).toMatchObject({ followers: 2, following: 2 });
  expect(await profile('hid', 'somebody-else')).toMatchObject({ followers: 5, following: 5 });
});

test('of a user that nobody named there is neither a profile nor a page', async () => {
  for (const path of ['', '/followers', '/following', '/feed']) {
    const answer = await platform.feedApi.request('GET', `/v1/users/nobody-at-all${path}`, { actAs: 'anybody' });
    expect(answer).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } });
  }
  expect(await profile('1')).toMatchObject({ name: 'ivan', followers: 0, following: 0 });
  expect(await read('/v1/users/1/followers', '1')).toMatchObject({ items: [], nextCursor: null, hasMore: false });
});

test('a cursor of one list is no cursor of another', async () => {
  await follow(['cur-1', 'cur-2'], ['cur', 'cur-other']);
  const { nextCursor } = await read('/v1/users/cur/followers?limit=1', 'anybody');
  for (const [path, reader] of [
    ['/v1/users/cur/following', 'anybody'],
    ['/v1/users/cur-other/followers', 'anybody'],
    ['/v1/users/cur/followers', 'somebody-else'],
    ['/v1/users/cur/feed', 'anybody'],
  ]) {
    const answer = await platform.feedApi.request('GET', `${path}?cursor=${nextCursor}`, { actAs: reader ?? '' });
    expect(answer, path).toMatchObject({ status: 400, body: { error: { code: 'invalid_cursor' } } });
  }
});
