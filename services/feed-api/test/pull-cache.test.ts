import type { HttpClient } from '@tideline/testing/http-client';
import { readMetrics } from '@tideline/testing/metrics-page';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

/**
 * Pages of plain queries that are kept (B8), here for so long that nothing in a test ends them but what has to: a write
 * of the reader, or a correction. Every test has users of its own.
 */

let platform: Platform;
let another: HttpClient;

beforeAll(async () => {
  platform = await startPlatform({ pullCacheMs: 30_000 });
  another = await platform.startAnotherFeedApi();
});
afterAll(() => platform.stop());

let reader: string;
let author: string;
let names = 0;

beforeEach(async () => {
  names += 1;
  reader = `reader-${names}`;
  author = `author-${names}`;
  await platform.ingest.succeed('PUT', `/v1/follows/${author}`, { actAs: reader });
  await post(author, 'first');
});

/** Posts, and comes back as soon as it is delivered. */
async function post(actorId: string, objectId: string): Promise<string> {
  const body = { actorId, verb: 'post', objectType: 'note', objectId };
  const { id } = await platform.ingest.succeed<{ id: string }>('POST', '/v1/activities', { body });
  await waitUntil('it is delivered', async () => {
    const { status } = await platform.feedApi.request('GET', `/v1/activities/${id}/fanout`, { actAs: actorId });
    return status === 200;
  });
  return id;
}

interface Item {
  verb: string;
  objectId?: string;
  object_id?: string;
}

const pull = '/v1/feeds/home?strategy=pull';
const kept = [pull, '/api/feeds/pull/', '/feed/friends', '/feed/my'];

/** What a feed shows, by objects. */
async function read(path: string, client = platform.feedApi, headers: Record<string, string> = {}): Promise<string[]> {
  const body = await client.succeed<Record<string, Item[]>>('GET', path, { actAs: reader, headers });
  const items = body['items'] ?? body['my_feed'] ?? body['friends_feed'] ?? [];
  return items.map(({ objectId, object_id }) => objectId ?? object_id ?? '');
}

/** What every process shows of a feed. */
async function readAll(path: string): Promise<string[]> {
  const [one, other] = [await read(path), await read(path, another)];
  expect(other, path).toEqual(one);
  return one;
}

/** Reads until it comes from what was kept, and returns that. */
async function keep(): Promise<void> {
  for (const path of kept) {
    await readAll(path);
    await readAll(path);
  }
}

async function hits(outcome = 'hit'): Promise<number> {
  const metrics = await readMetrics(platform.ports.feedApiOperations);
  return metrics.sum('tideline_pull_cache_reads_total', { outcome });
}

test('a page is kept, and no-cache goes around it', async () => {
  await keep();
  const before = await hits();
  for (const path of kept) {
    await read(path);
  }
  expect(await hits()).toBe(before + kept.length);

  await post(author, 'second');
  for (const path of [pull, '/api/feeds/pull/', '/feed/friends']) {
    expect(await read(path), path).toEqual(['first']);
    for (const directive of ['no-cache', 'max-age=0, No-Store']) {
      expect(await read(path, platform.feedApi, { 'cache-control': directive }), path).toEqual(['second', 'first']);
    }
  }
});

test('what the reader does is on the next page of every process', async () => {
  await keep();
  for (const objectId of ['mine-1', 'mine-2', 'mine-3']) {
    await post(reader, objectId);
    for (const path of [pull, '/api/feeds/pull/', '/feed/my']) {
      expect((await readAll(path))[0], path).toBe(objectId);
    }
  }
});

test('whom the reader follows from now on, and does not any more, holds on the next page of every process', async () => {
  const followed = `followed-${names}`;
  await post(followed, 'theirs');
  await keep();
  await platform.ingest.succeed('PUT', `/v1/follows/${followed}`, { actAs: reader, headers: { prefer: 'wait=10' } });
  await platform.settle();
  for (const path of [pull, '/api/feeds/pull/', '/feed/friends']) {
    expect(await readAll(path), path).toEqual(['theirs', 'first']);
  }
  expect((await readAll('/feed/my'))[0]).toBe(followed);
  await keep();
  await platform.ingest.succeed('DELETE', `/v1/follows/${author}`, { actAs: reader });
  for (const path of [pull, '/api/feeds/pull/', '/feed/friends']) {
    expect(await readAll(path), path).toEqual(['theirs']);
  }
});

test("an author's delete holds on the next page of followers, in every process", async () => {
  const deleted = await post(author, 'regretted');
  await keep();
  await platform.ingest.succeed('DELETE', `/v1/activities/${deleted}`, { actAs: author });
  for (const path of [pull, '/api/feeds/pull/', '/feed/friends']) {
    expect(await readAll(path), path).toEqual(['first']);
  }
});

test('corrections hold while fanout is away', async () => {
  const [own, other] = [await post(reader, 'mine'), await post(author, 'theirs')];
  await platform.settle();
  await keep();
  await platform.stopFanout();
  await platform.ingest.succeed('DELETE', `/v1/activities/${own}`, { actAs: reader });
  await platform.ingest.succeed('DELETE', `/v1/activities/${other}`, { actAs: author });
  for (const path of [pull, '/feed/friends']) {
    expect(await readAll(path), path).toEqual(['first']);
  }
  expect(await readAll('/feed/my')).not.toContain('mine');
  await platform.ingest.succeed('DELETE', `/v1/follows/${author}`, { actAs: reader });
  for (const path of [pull, '/feed/friends']) {
    expect(await readAll(path), path).toEqual([]);
  }
  await platform.startFanout();
});

test('deletes and unfollows while pages are read never show again what was taken away', async () => {
  const ids = [];
  for (let i = 0; i < 10; i += 1) {
    ids.push({ id: await post(author, `o${i}`), objectId: `o${i}` });
  }
  const gone = new Set<string>();
  let reading = true;
  const readers = [platform.feedApi, another].flatMap((client) =>
    [pull, '/feed/friends'].map(async (path) => {
      while (reading) {
        const before = new Set(gone);
        const shown = await read(path, client);
        expect(shown.filter((objectId) => before.has(objectId))).toEqual([]);
      }
    }),
  );
  for (const { id, objectId } of ids) {
    await platform.ingest.succeed('DELETE', `/v1/activities/${id}`, { actAs: author });
    gone.add(objectId);
  }
  await platform.ingest.succeed('DELETE', `/v1/follows/${author}`, { actAs: reader });
  gone.add('first');
  await Promise.all([readAll(pull), readAll('/feed/friends')]);
  reading = false;
  await Promise.all(readers);
});

test('a flushed Redis ends all that was kept', async () => {
  await keep();
  await post(author, 'second');
  expect(await read(pull)).toEqual(['first']);
  const keys = await platform.redis.keys(`${platform.namespace}:*`);
  await platform.redis.del(keys);
  await waitUntil('the cache is open again', async () => (await read(pull)).length === 2);
  expect(await readAll(pull)).toEqual(['second', 'first']);
  expect(await readAll('/feed/friends')).toEqual(['second', 'first']);
});
