import type { PageBody } from '@tideline/testing/http-client';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** Pages lead on and back by whole links (D3), and say whether anything changed (ETag). */

const home = '/v1/feeds/home';
const followerThreshold = 3;

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({ inboxCap: 40, followerThreshold });
});
afterAll(() => platform.stop());

async function follow(followerIds: readonly string[], followeeIds: readonly string[]): Promise<void> {
  const body = followerIds.flatMap((followerId) => followeeIds.map((followeeId) => ({ followerId, followeeId })));
  await platform.ingest.succeed('POST', '/v1/follows', { body });
  await platform.settle();
}

/** Posts of these authors in turn, four a millisecond, the last one at `until`; ids newest first. */
async function post(authors: readonly string[], count: number, until = Date.now()): Promise<string[]> {
  const body = Array.from({ length: count }, (_, i) => ({
    actorId: authors[i % authors.length],
    verb: 'post',
    objectType: 'note',
    objectId: String(i),
    timestamp: until - (i >> 2),
  }));
  const { items } = await platform.ingest.succeed<{ items: { id: string }[] }>('POST', '/v1/activities', { body });
  await platform.settle();
  return newestFirst(items.map(({ id }) => id));
}

function newestFirst(ids: readonly string[]): string[] {
  return [...ids].sort((a, b) => (a < b ? 1 : -1));
}

function read(reader: string, link: string): Promise<PageBody> {
  const { pathname, search } = new URL(link, 'http://any');
  return platform.feedApi.succeed<PageBody>('GET', pathname + search, { actAs: reader });
}

/** From this page on, that way, to where there is nothing more. */
async function walk(reader: string, way: 'next' | 'previous', link: string): Promise<PageBody[]> {
  const pages = [await read(reader, link)];
  for (let to = pages[0]?.paging[way]; to != null; to = pages.at(-1)?.paging[way]) {
    pages.push(await read(reader, to));
  }
  return pages;
}

function idsOf(pages: readonly PageBody[]): string[] {
  return pages.flatMap(({ items }) => items.map(({ id }) => id));
}

/** Walks down to the end and back up, and expects the same of both. */
async function expectBothWays(reader: string, path: string, expected: readonly string[]): Promise<void> {
  const down = await walk(reader, 'next', path);
  expect(idsOf(down), `${path} down`).toEqual(expected);
  expect(down[0]?.paging.previous).toBeNull();
  const last = down.at(-1);
  if (last?.paging.previous != null) {
    const up = (await walk(reader, 'previous', last.paging.previous)).reverse();
    expect(idsOf([...up, last]), `${path} up`).toEqual(expected);
    expect(up.every(({ hasMore, nextCursor }) => hasMore && nextCursor !== null)).toBe(true);
  }
}

test.each([
  'hybrid',
  'push',
  'pull',
])('%s: to the end and back is the same, with equal timestamps', async (strategy) => {
  const reader = `both-${strategy}`;
  const authors = [`${reader}-a`, `${reader}-b`];
  await follow([reader], authors);
  const ids = await post(authors, 110);
  for (const limit of [1, 7, 50]) {
    await expectBothWays(reader, `${home}?limit=${limit}&strategy=${strategy}`, ids);
  }
});

test.each(['hybrid', 'pull'])('%s: the way back has authors over the threshold too', async (strategy) => {
  const readers = Array.from({ length: followerThreshold + 1 }, (_, i) => `star-${strategy}-${i}`);
  const [reader = ''] = readers;
  const celebrity = `star-${strategy}`;
  await follow(readers, [celebrity]);
  await follow([reader], [`${celebrity}-small`]);
  const ids = await post([celebrity, `${celebrity}-small`], 90);
  const { rows } = await platform.database.query('select mode from authors where author_id = $1', [celebrity]);
  expect(rows).toEqual([{ mode: 'pull' }]);
  await expectBothWays(reader, `${home}?limit=7&strategy=${strategy}`, ids);
});

test('years apart, there and back', async () => {
  await follow(['years'], ['years-a']);
  const dayMs = 86_400_000;
  const ids: string[] = [];
  for (const days of [0, 1, 7, 8, 31, 441, 900, 1_801, 3_653]) {
    ids.push(...(await post(['years-a'], 3, Date.now() - days * dayMs)));
  }
  await expectBothWays('years', `${home}?limit=2`, newestFirst(ids));
});

test('the feed of a user leads both ways, and shows nothing that was not public', async () => {
  await follow(['profile-reader'], ['profile']);
  const ids = await post(['profile'], 60);
  const body = { actorId: 'profile', verb: 'post', objectType: 'note', objectId: 'n', to: ['profile-reader'] };
  await platform.ingest.succeed('POST', '/v1/activities', { body });
  await platform.settle();
  for (const limit of [1, 7, 50]) {
    await expectBothWays('profile-reader', `/v1/users/profile/feed?limit=${limit}`, ids);
  }
});

test.each([
  'hybrid',
  'push',
  'pull',
])('%s: what is deleted, unfollowed or arrives on the way moves no other item', async (strategy) => {
  const reader = `moving-${strategy}`;
  const [steady, leaving] = [`${reader}-steady`, `${reader}-leaving`];
  await follow([reader], [steady, leaving]);
  const ids = await post([steady], 60, Date.now() - 60_000);
  const left = await post([leaving], 20, Date.now() - 60_000);
  const down = await walk(reader, 'next', `${home}?limit=7&strategy=${strategy}`);
  expect(idsOf(down)).toEqual(newestFirst([...ids, ...left]));

  // The items at which the last page and some page above begin, and one in the middle of a page.
  const last = down.at(-1);
  const deleted = [last?.items[0]?.id, down[5]?.items[0]?.id, ids[30]];
  for (const id of deleted) {
    const author = left.includes(id ?? '') ? leaving : steady;
    await platform.ingest.succeed('DELETE', `/v1/activities/${id}`, { actAs: author });
  }
  await platform.ingest.succeed('DELETE', `/v1/follows/${leaving}`, { actAs: reader });
  const arrived = await post([steady], 9);
  const up = (await walk(reader, 'previous', last?.paging.previous ?? '')).reverse();
  const lowest = down.at(-2)?.items.at(-1)?.id ?? '';
  const expected = newestFirst([...arrived, ...ids]).filter((id) => id >= lowest && !deleted.includes(id));
  expect(idsOf(up)).toEqual(expected);
  expect(up[0]?.paging.previous).toBeNull();
});

test('links are whole, keep the other parameters, and lead to where the cursors say', async () => {
  await follow(['linked'], ['linked-a']);
  const ids = await post(['linked-a'], 6);
  const first = await read('linked', `${home}?strategy=pull&limit=2`);
  const { cursors, next, previous } = first.paging;
  const origin = `http://127.0.0.1:${platform.ports.feedApi}`;
  expect(previous).toBeNull();
  expect(next).toBe(`${origin}${home}?strategy=pull&limit=2&cursor=${first.nextCursor}`);
  expect(cursors.after).toBe(first.nextCursor);
  const second = await read('linked', next ?? '');
  expect(second.paging.previous).toBe(`${origin}${home}?strategy=pull&limit=2&cursor=${second.paging.cursors.before}`);
  expect(idsOf([await read('linked', second.paging.previous ?? '')])).toEqual(ids.slice(0, 2));

  const end = await read('linked', `${home}?limit=6`);
  expect(end).toMatchObject({ nextCursor: null, hasMore: false, paging: { next: null } });
  // Nothing is below yet, but the cursor of the end is one all the same; and above it is all that comes.
  expect((await read('linked', `${home}?cursor=${end.paging.cursors.after}`)).items).toEqual([]);
  const [arrived] = await post(['linked-a'], 1, Date.now() + 1);
  expect(idsOf([await read('linked', `${home}?cursor=${end.paging.cursors.before}`)])).toEqual([arrived]);
});

test('a poller gets 304 until something changes, and the whole page where it asks for that', async () => {
  await follow(['poller'], ['polled']);
  await post(['polled'], 3);
  const poll = async (path: string, etag: string, cacheControl = 'max-age=0') => {
    const headers = { 'if-none-match': etag, 'cache-control': cacheControl };
    const answer = await platform.feedApi.request<PageBody | undefined>('GET', path, { actAs: 'poller', headers });
    return { status: answer.status, etag: answer.headers.get('etag') ?? '', items: answer.body?.items.length };
  };
  for (const path of [home, `${home}?strategy=pull`, '/v1/users/polled/feed']) {
    const { etag, items = 0 } = await poll(path, '"none"');
    expect(await poll(path, etag), path).toEqual({ status: 304, etag, items: undefined });
    expect(await poll(path, `"other", W/${etag}`)).toMatchObject({ status: 304 });
    expect(await poll(path, etag, 'no-cache')).toEqual({ status: 200, etag, items });
    await post(['polled'], 1);
    const changed = await poll(path, etag);
    expect(changed).toMatchObject({ status: 200, items: items + 1 });
    expect(changed.etag).not.toBe(etag);
  }
});
