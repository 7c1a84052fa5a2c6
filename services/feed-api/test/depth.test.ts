import { randomNumbers } from '@tideline/testing/history';
import type { PageBody } from '@tideline/testing/http-client';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** A feed of 10,000 items is read to its end, at several page sizes at once, while it changes between any two pages. */

const home = '/v1/feeds/home';
const pageSizes = [3, 7, 20, 50];
const itemsTotal = 10_000;
const batchLength = 500;
const authors = Array.from({ length: 20 }, (_, i) => `author-${i}`);
/** Over the threshold, so that its outbox is merged. */
const [celebrity = ''] = authors;
const followerThreshold = 40;
const spreadMs = 300 * 86_400_000;
/** After each page, with such a chance, something happens. */
const changeChance = 0.1;
const testTimeoutMs = 300_000;

const random = randomNumbers(53);
/** Who posted what was there when the walks began. */
const base = new Map<string, string>();
/** `performance.now()` when the 202 of a delete had arrived. */
const deletedAt = new Map<string, number>();
let ids: string[];
let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({ followerThreshold });
  const readers = [...pageSizes.map(readerOf), ...Array.from({ length: followerThreshold }, (_, i) => `fan-${i}`)];
  const edges = readers.flatMap((followerId) =>
    (followerId.startsWith('fan') ? [celebrity] : authors).map((followeeId) => ({ followerId, followeeId })),
  );
  await platform.ingest.succeed('POST', '/v1/follows', { body: edges });
  const until = Date.now() - 60_000;
  for (let first = 0; first < itemsTotal; first += batchLength) {
    const body = Array.from({ length: batchLength }, () =>
      post(authorAtRandom(), until - Math.floor(random() * spreadMs)),
    );
    const { items } = await platform.ingest.succeed<{ items: { id: string }[] }>('POST', '/v1/activities', { body });
    for (const [i, { id }] of items.entries()) {
      base.set(id, body[i]?.actorId ?? '');
    }
  }
  ids = [...base.keys()].sort().reverse();
  await platform.settle();
  const { rows } = await platform.database.query('select mode from authors where author_id = $1', [celebrity]);
  expect(rows).toEqual([{ mode: 'pull' }]);
}, 120_000);
afterAll(() => platform.stop());

function readerOf(pageSize: number): string {
  return `reader-${pageSize}`;
}

function authorAtRandom(): string {
  return authors[Math.floor(random() * authors.length)] ?? celebrity;
}

function post(actorId: string, timestamp: number) {
  return { actorId, verb: 'post', objectType: 'note', objectId: 'n', timestamp };
}

test(
  'each item is shown once, in order, and only those that were deleted before are left out',
  async () => {
    const walks = await Promise.all(pageSizes.map(walkToTheEnd));
    expect(deletedAt.size).toBeGreaterThan(20);
    for (const [i, shown] of walks.entries()) {
      const name = `page size ${pageSizes[i]}`;
      expect(shown, name).toEqual([...new Set(shown)].sort().reverse());
      const known = new Set(shown);
      expect(
        ids.filter((id) => !known.has(id) && !deletedAt.has(id)),
        name,
      ).toEqual([]);
    }
    await platform.settle();
    const remaining = ids.filter((id) => !deletedAt.has(id));
    for (const pageSize of pageSizes) {
      const items = await platform.feedApi.walk(home, readerOf(pageSize), 50);
      expect(items.map(({ id }) => id).filter((id) => base.has(id))).toEqual(remaining);
    }
  },
  testTimeoutMs,
);

/** The ids of `base` that a walk shows. */
async function walkToTheEnd(pageSize: number): Promise<string[]> {
  const shown: string[] = [];
  let cursor: string | null = null;
  do {
    const begunAt = performance.now();
    const query: string = cursor === null ? '' : `&cursor=${cursor}`;
    const page: PageBody = await platform.feedApi.succeed('GET', `${home}?limit=${pageSize}${query}`, {
      actAs: readerOf(pageSize),
    });
    for (const { id } of page.items.filter((item) => base.has(item.id))) {
      shown.push(id);
      expect(deletedAt.get(id) ?? Number.POSITIVE_INFINITY, `${id} was deleted before`).toBeGreaterThan(begunAt);
    }
    expect(page.nextCursor === null || page.items.length === pageSize, 'a page is full').toBe(true);
    cursor = page.nextCursor;
    if (random() < changeChance) {
      await changeSomething(readerOf(pageSize));
    }
  } while (cursor !== null);
  return shown;
}

let latecomers = 0;

async function changeSomething(reader: string): Promise<void> {
  const chance = random();
  if (chance < 0.5) {
    const id = ids[Math.floor(random() * ids.length)] ?? '';
    await platform.ingest.succeed('DELETE', `/v1/activities/${id}`, { actAs: base.get(id) ?? '' });
    deletedAt.set(id, Math.min(performance.now(), deletedAt.get(id) ?? Number.POSITIVE_INFINITY));
  } else if (chance < 0.7) {
    await platform.ingest.succeed('POST', '/v1/activities', { body: post(authorAtRandom(), Date.now()) });
  } else if (chance < 0.85) {
    // Among the items that are there, above and below where the walk is.
    await platform.ingest.succeed('POST', '/v1/activities', {
      body: post(authorAtRandom(), Date.now() - Math.floor(random() * spreadMs)),
    });
  } else if (chance < 0.97) {
    latecomers += 1;
    const author = `latecomer-${latecomers}`;
    const body = Array.from({ length: 20 }, () => post(author, Date.now() - Math.floor(random() * spreadMs)));
    await platform.ingest.succeed('POST', '/v1/activities', { body });
    await platform.ingest.succeed('PUT', `/v1/follows/${author}`, { actAs: reader });
  } else {
    await platform.redis.flushall();
  }
}
