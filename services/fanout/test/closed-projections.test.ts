import { setImmediate as nextTurn } from 'node:timers/promises';
import { deadLetterTopic } from '@tideline/shared/topics';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

/** A projection that was emptied is not one that has nothing: until it is whole again, nobody reads it. */

const projections = ['users', 'objects', 'follows', 'relations', 'tombstones', 'notifications', 'authors'];
const pollersCount = 3;
/** So often each page is asked for in each state. */
const roundsMin = 5;

const pages = [
  { path: '/v1/feeds/home?limit=5', reader: 'reader' },
  { path: '/v1/feeds/home?limit=5&strategy=pull', reader: 'reader' },
  { path: '/v1/feeds/home?limit=50', reader: 'author-1' },
  { path: '/v1/feeds/notifications', reader: 'author-0' },
  { path: '/v1/users/author-0', reader: 'reader' },
  { path: '/v1/users/author-1/feed', reader: 'reader' },
  { path: '/v1/users/author-0/followers', reader: 'author-1' },
];

let platform: Platform;
let readers: Readers;

beforeAll(async () => {
  platform = await startPlatform({ refusals: 'expected', followerThreshold: 2 });
  const { ingest } = platform;
  const follow = (followerId: string, followeeId: string) => ({ followerId, followeeId });
  await ingest.succeed('POST', '/v1/follows', {
    body: [
      ...[0, 1, 2].map((i) => follow('reader', `author-${i}`)),
      ...['a', 'b', 'c'].map((name) => follow(name, 'author-0')), // over the threshold
      follow('author-1', 'reader'),
      follow('author-1', 'author-0'),
    ],
  });
  for (let i = 0; i < 12; i += 1) {
    const body = { verb: 'post', objectType: 'note', objectId: `n${i}`, foreignId: `f${i}`, timestamp: minutesAgo(i) };
    const { id } = await ingest.succeed<{ id: string }>('POST', '/v1/activities', { actAs: `author-${i % 3}`, body });
    if (i === 4) {
      await ingest.succeed('DELETE', `/v1/activities/${id}`, { actAs: `author-${i % 3}` });
    }
  }
  const like = { verb: 'like', objectType: 'note', objectId: 'mine', objectTitle: 'Mine' };
  await ingest.succeed('PUT', '/v1/objects/note/mine', { actAs: 'author-0', body: { title: 'Mine' } });
  await ingest.succeed('POST', '/v1/activities', { actAs: 'reader', body: like });
  await ingest.succeed('PUT', '/v1/mutes/author-2', { actAs: 'reader' });
  await platform.settle();
});
afterEach(() => readers.stop());
afterAll(() => platform.stop());

function minutesAgo(minutes: number): string {
  return new Date(Date.now() - minutes * 60_000).toISOString();
}

test('while projections are truncated and Redis is flushed, every page is right or unavailable', async () => {
  const right = await rightPages();
  readers = new Readers(right);
  await readers.seeMore('right');

  await owner('create schema saved');
  for (const table of projections) {
    await owner(`create table saved.${table} as table ${table}`);
  }
  await owner(`truncate ${projections.join(', ')}`);
  await platform.redis.flushall();
  await readers.seeMore('unavailable');

  const unfollow = await platform.ingest.request('DELETE', '/v1/follows/author-1', { actAs: 'reader' });
  expect(unfollow.status).toBe(503);
  expect(Number(unfollow.headers.get('retry-after'))).toBeGreaterThan(0);
  const body = { verb: 'post', objectType: 'note', objectId: 'meanwhile' };
  const { id } = await platform.ingest.succeed<{ id: string }>('POST', '/v1/activities', { actAs: 'author-1', body });
  await readers.seeMore('unavailable');

  expect(await readers.stop()).toEqual([]);
  await restore();
  await platform.settle();
  await expectDelivered(id, right);
});

test('one emptied projection closes all of them, and opening them without a need changes nothing', async () => {
  await owner('select open_projections()');
  readers = new Readers(await rightPages());
  await owner('truncate notifications');
  await platform.redis.flushall();
  await readers.seeMore('unavailable');
  expect(await readers.stop()).toEqual([]);
});

/** As rebuilding does: all of it in one transaction. */
async function restore(): Promise<void> {
  const inserts = projections.map((table) => `insert into ${table} select * from saved.${table}`);
  // Counted by trigger when the follows came back, but in what mode it was only its own row knows.
  inserts.splice(-1, 0, 'delete from authors');
  await owner(['begin', ...inserts, 'select open_projections()', 'commit'].join(';\n'));
}

/** What was posted meanwhile is in the feed, the unfollow holds, and nothing went to the dead letters. */
async function expectDelivered(id: string, right: Map<string, unknown>): Promise<void> {
  const { items } = await platform.feedApi.succeed<{ items: { id: string }[] }>('GET', '/v1/users/author-1/feed', {
    actAs: 'reader',
  });
  expect(items[0]?.id).toBe(id);
  const page = '/v1/users/author-0';
  const { body } = await platform.feedApi.request('GET', page, { actAs: 'reader' });
  expect(body).toEqual(right.get(nameOf({ path: page, reader: 'reader' })));
  const [deadLetters] = await platform.admin.fetchTopicOffsets(deadLetterTopic(platform.namespace));
  expect(deadLetters?.high).toBe('0');
  const home = await platform.feedApi.walk('/v1/feeds/home', 'reader', 5);
  const pull = await platform.feedApi.walk('/v1/feeds/home', 'reader', 5, { strategy: 'pull' });
  expect(home.length).toBeGreaterThan(0);
  expect(home).toEqual(pull);
}

/** Ask for all pages all the time, and hold what they get against what is right. */
class Readers {
  readonly #right: Map<string, unknown>;
  readonly #seen = { right: 0, unavailable: 0 };
  readonly #wrong: unknown[] = [];
  readonly #polling: Promise<void>[];
  #stopped = false;

  constructor(right: Map<string, unknown>) {
    this.#right = right;
    this.#polling = Array.from({ length: pollersCount }, () => this.#poll());
  }

  /** Waits for answers of this kind. */
  async seeMore(kind: 'right' | 'unavailable'): Promise<void> {
    const before = this.#seen[kind];
    await waitUntil(
      `readers see more that is ${kind}`,
      () => this.#wrong.length > 0 || this.#seen[kind] >= before + roundsMin * pages.length,
    );
    expect(this.#wrong).toEqual([]);
  }

  /** Returns every answer that was wrong. */
  async stop(): Promise<unknown[]> {
    this.#stopped = true;
    await Promise.all(this.#polling);
    return this.#wrong;
  }

  async #poll(): Promise<void> {
    while (!this.#stopped) {
      for (const page of pages) {
        const { status, headers, body } = await read(page);
        if (status === 503 && Number(headers.get('retry-after')) > 0) {
          this.#seen.unavailable += 1;
        } else if (status === 200 && JSON.stringify(body) === JSON.stringify(this.#right.get(nameOf(page)))) {
          this.#seen.right += 1;
        } else {
          this.#wrong.push({ page, status, body });
        }
      }
      await nextTurn();
    }
  }
}

type Page = (typeof pages)[number];

function nameOf({ path, reader }: Page): string {
  return `${reader} ${path}`;
}

async function read({ path, reader }: Page) {
  return platform.feedApi.request<unknown>('GET', path, { actAs: reader, headers: { 'cache-control': 'no-cache' } });
}

async function rightPages(): Promise<Map<string, unknown>> {
  const right = new Map<string, unknown>();
  for (const page of pages) {
    const { status, body } = await read(page);
    expect({ page, status }).toEqual({ page, status: 200 });
    right.set(nameOf(page), body);
  }
  return right;
}

async function owner(sql: string): Promise<void> {
  await platform.database.query(sql);
}
