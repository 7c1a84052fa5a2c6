import { fanoutGroup } from '@tideline/shared/topics';
import { type FaultServers, startFaultServers } from '@tideline/testing/fault-servers';
import type { HttpClient } from '@tideline/testing/http-client';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SmallWorld } from './small-world.js';
import { expectById, expectFirstPage, expectWholeFeed, homeViews, profileView, type View } from './views.js';

/**
 * I8: after the 202 of a correction the first read agrees with it, whichever way it reads and whichever feed-api answers,
 * while fanout does not run and also where Redis was lost in between. Each case has users of its own:
 *
 *   reader follows pushed, pulled (an author over the threshold) and kept; pushed follows reader
 *
 * The corrections are about pushed and pulled, who did all of what is newest, so that pages have to be refilled.
 */

const followerThreshold = 5;
const inboxCap = 60;
const pageLimit = 20;
const catchUpMaxMs = 90_000;
/** Long, so that nothing but a correction ends what was kept of a page. */
const pullCacheMs = 60_000;

let servers: FaultServers | string;
let platform: Platform;
let clients: HttpClient[];

beforeAll(async () => {
  servers = await startFaultServers();
  const ownServers = typeof servers === 'string' ? {} : { servers: servers.urls };
  platform = await startPlatform({ followerThreshold, inboxCap, pullCacheMs, partitions: 3, ...ownServers });
  clients = [platform.feedApi, await platform.startAnotherFeedApi(), await platform.startAnotherFeedApi()];
});
afterAll(async () => {
  await platform.stop();
  if (typeof servers !== 'string') {
    await servers.erase();
  }
});

class Case {
  readonly world = new SmallWorld();
  readonly reader: string;
  readonly pushed: string;
  readonly pulled: string;
  readonly kept: string;
  readonly crowd: string[];

  constructor(readonly name: string) {
    this.reader = `${name}-reader`;
    this.pushed = `${name}-pushed`;
    this.pulled = `${name}-pulled`;
    this.kept = `${name}-kept`;
    this.crowd = Array.from({ length: followerThreshold + 1 }, (_, i) => `${name}-crowd-${i}`);
  }

  get subjects(): string[] {
    return [this.pushed, this.pulled];
  }

  /** Who follows whom. */
  get edges(): { followerId: string; followeeId: string }[] {
    return [
      ...[this.pushed, this.pulled, this.kept].map((followeeId) => ({ followerId: this.reader, followeeId })),
      ...this.crowd.map((followerId) => ({ followerId, followeeId: this.pulled })),
      { followerId: this.pushed, followeeId: this.reader },
    ];
  }

  get views(): View[] {
    const pulled = new Set([this.pulled]);
    return [
      ...homeViews(this.reader, pulled),
      ...homeViews(this.pushed, pulled),
      ...[this.pushed, this.pulled, this.kept].map((author) => profileView(author, this.reader)),
      profileView(this.reader, this.pushed),
      // Whom it does not concern.
      ...homeViews(this.crowd[0] ?? '', pulled),
    ];
  }
}

async function tell(method: 'PUT' | 'DELETE', path: string, actAs: string): Promise<void> {
  // After a restart of Redis it takes ingest a moment to see it; what is not acknowledged holds nothing.
  await waitUntil(`${method} ${path} is acknowledged`, async () => {
    const { status } = await platform.ingest.request(method, path, { actAs });
    expect([202, 503]).toContain(status);
    return status === 202;
  });
}

interface Correction {
  /** What holds before. */
  prepare?(subject: Case): Promise<void>;
  correct(subject: Case): Promise<void>;
}

async function mute({ world, reader, subjects }: Case): Promise<void> {
  for (const subject of subjects) {
    await tell('PUT', `/v1/mutes/${subject}`, reader);
    world.mutes.add(reader, subject);
  }
}

async function unmute({ world, reader, subjects }: Case): Promise<void> {
  for (const subject of subjects) {
    await tell('DELETE', `/v1/mutes/${subject}`, reader);
    world.mutes.delete(reader, subject);
  }
}

async function block({ world, reader, subjects }: Case): Promise<void> {
  for (const subject of subjects) {
    await tell('PUT', `/v1/blocks/${subject}`, reader);
    world.blocks.add(reader, subject);
  }
}

async function unblock({ world, reader, subjects }: Case): Promise<void> {
  for (const subject of subjects) {
    await tell('DELETE', `/v1/blocks/${subject}`, reader);
    world.blocks.delete(reader, subject);
  }
}

async function unfollow({ world, reader, subjects }: Case): Promise<void> {
  for (const subject of subjects) {
    await tell('DELETE', `/v1/follows/${subject}`, reader);
    world.follows.delete(reader, subject);
  }
}

/** Most of what is newest, and some of what only the database has. */
async function deleteMost({ world, subjects }: Case): Promise<void> {
  const theirs = world.written.filter(({ actorId }) => subjects.includes(actorId));
  for (const { id, actorId } of theirs.filter((_, i) => i < 4 || i % 5 > 0)) {
    await tell('DELETE', `/v1/activities/${id}`, actorId);
    world.deleted.add(id);
  }
}

const corrections: Record<string, Correction> = {
  unfollow: { correct: unfollow },
  delete: { correct: deleteMost },
  mute: { correct: mute },
  unmute: { prepare: mute, correct: unmute },
  block: { correct: block },
  unblock: { prepare: block, correct: unblock },
};

/** Follows, then posts: below those of whom the corrections are about, what the pages are refilled with. */
async function populate(subject: Case): Promise<void> {
  const { world, reader, pushed, pulled, kept } = subject;
  await platform.ingest.succeed('POST', '/v1/follows', { body: subject.edges });
  for (const { followerId, followeeId } of subject.edges) {
    world.follows.add(followerId, followeeId);
  }
  await platform.settle();
  const actors = [
    ...Array.from({ length: 50 }, (_, i) => [kept, pushed, pulled, reader][i % 7] ?? kept),
    ...Array.from({ length: 50 }, (_, i) => [pushed, pulled][i % 2] ?? pushed),
  ];
  const until = Date.now();
  const body = actors.map((actorId, i) => ({
    actorId,
    verb: 'post',
    objectType: 'note',
    objectId: `${actorId}:${i}`,
    timestamp: until - (actors.length - i),
  }));
  const { items } = await platform.ingest.succeed<{ items: { id: string }[] }>('POST', '/v1/activities', { body });
  for (const [i, { actorId, objectId }] of body.entries()) {
    world.written.push({ id: items[i]?.id ?? '', actorId, objectId });
  }
}

/** Has every process keep all that it would keep of these pages. */
async function warm(cases: readonly Case[]): Promise<void> {
  for (let time = 0; time < 2; time += 1) {
    for (const client of clients) {
      await waitUntil('Redis is used', async () => {
        const { headers } = await client.request('GET', '/v1/feeds/home', { actAs: cases[0]?.reader ?? '' });
        return headers.get('x-tideline-degraded') === null;
      });
      for (const { views, world } of cases) {
        await Promise.all(views.map((view) => expectFirstPage(client, view, world, pageLimit)));
      }
    }
    await platform.settleReads();
  }
}

/** Every view at once, of every process. */
async function expectFirstReads({ world, views, reader, pushed }: Case): Promise<void> {
  const some = world.written.filter((_, i) => i % 9 === 0);
  await Promise.all(
    clients.flatMap((client) => [
      ...views.map((view) => expectFirstPage(client, view, world, pageLimit)),
      ...[reader, pushed].flatMap((viewer) => some.map((written) => expectById(client, viewer, written, world))),
    ]),
  );
}

async function expectEverything(subject: Case): Promise<void> {
  await expectFirstReads(subject);
  for (const view of subject.views) {
    await Promise.all(clients.map((client, i) => expectWholeFeed(client, view, subject.world, [7, 20, 50][i] ?? 20)));
  }
}

async function restartRedis(): Promise<void> {
  if (typeof servers !== 'string') {
    await servers.stopServer('redis', 'KILL');
    await servers.startServer('redis');
  }
}

/** What the database holds of all that can be taken back. */
async function projections(): Promise<unknown> {
  const tables = ['follows', 'relations', 'tombstones'].map((table) =>
    platform.database.query<object>(`select to_jsonb(t) - 'purged_at' as row from ${table} t order by 1`),
  );
  return (await Promise.all(tables)).map(({ rows }) => rows);
}

/** Reads without a break while fanout works through what is on the log. */
async function expectAllTheWhile({ reader, pulled, world }: Case, work: () => Promise<void>): Promise<void> {
  let isDone = false;
  const working = work().finally(() => {
    isDone = true;
  });
  const reading = async () => {
    for (let i = 0; !isDone; i += 1) {
      const client = clients[i % clients.length] ?? platform.feedApi;
      for (const view of homeViews(reader, new Set([pulled]))) {
        await expectFirstPage(client, view, world, pageLimit);
      }
    }
  };
  await Promise.all([working, reading()]);
}

// First, while the log is short: it is read from its beginning.
test('older changes that come late, and all of the log once more, change nothing', async () => {
  const subject = new Case('late');
  await populate(subject);
  await platform.settle();
  await warm([subject]);
  await platform.stopFanout();
  // All of these wait on the log; what they end in is acknowledged.
  for (const change of [mute, unmute, mute, block, unblock, block, unfollow, deleteMost]) {
    await change(subject);
  }
  await expectEverything(subject);
  const acknowledged = await projections();

  for (const replay of ['late', 'again']) {
    if (replay === 'again') {
      await platform.stopFanout();
      const groupId = fanoutGroup(platform.namespace);
      await platform.admin.resetOffsets({ groupId, topic: platform.topic, earliest: true });
    }
    await expectAllTheWhile(subject, () => platform.startFanout().then(() => platform.settle(catchUpMaxMs)));
    await expectEverything(subject);
    expect(await projections(), replay).toEqual(acknowledged);
  }
  for (const change of [unmute, unblock]) {
    await change(subject);
  }
  await expectEverything(subject);
});

test.each([
  ['as it is', () => Promise.resolve()],
  ['flushed', () => platform.redis.flushall()],
  ['killed and started again', restartRedis],
])('the first reads after each correction agree with it, everywhere, Redis %s', async (state, loseRedis) => {
  const cases = Object.keys(corrections).map((name) => new Case(`${name}-${state.replaceAll(' ', '-')}`));
  const correctionOf = ({ name }: Case) => corrections[name.split('-')[0] ?? ''];
  for (const subject of cases) {
    await populate(subject);
    await correctionOf(subject)?.prepare?.(subject);
  }
  await platform.settle();
  // Lists are built anew, under the mutes and blocks that hold.
  await platform.redis.flushall();
  await warm(cases);
  for (const subject of cases) {
    await expectEverything(subject);
  }

  await platform.stopFanout();
  for (const subject of cases) {
    await correctionOf(subject)?.correct(subject);
    await loseRedis();
    await expectFirstReads(subject);
    await expectEverything(subject);
  }
  await warm(cases);
  await platform.startFanout();
  await platform.settle();
  for (const subject of cases) {
    await expectEverything(subject);
  }
});
