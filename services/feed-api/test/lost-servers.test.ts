import { type FaultServers, type ServerName, startFaultServers } from '@tideline/testing/fault-servers';
import { FollowGraph, type Post, postActivities, randomNumbers } from '@tideline/testing/history';
import type { HttpAnswer, PageBody } from '@tideline/testing/http-client';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

/**
 * Each server goes away and comes back while there are posts and reads. Nothing is restarted but that server, no
 * answer takes long, and in the end everything that was acknowledged is in the feeds, once.
 */

const home = '/v1/feeds/home';
const authors = Array.from({ length: 8 }, (_, i) => `author-${i}`);
const readers = Array.from({ length: 12 }, (_, i) => `reader-${i}`);
const celebrity = 'author-0';
const answerMaxMs = 10_000;
const ingestAnswerMaxMs = 6_000;
const readinessTurnsMaxMs = 15_000;
const recoveryMaxMs = 60_000;

const random = randomNumbers(11);
const graph = new FollowGraph();
const posts: Post[] = [];
let servers: FaultServers | string;
let platform: Platform;

beforeAll(async () => {
  servers = await startFaultServers();
  if (typeof servers === 'string') {
    return;
  }
  platform = await startPlatform({ servers: servers.urls, followerThreshold: 10, inboxCap: 60, partitions: 3 });
  for (const reader of readers) {
    graph.add(reader, celebrity);
    for (const author of authors.filter(() => random() < 0.4)) {
      graph.add(reader, author);
    }
  }
  await platform.ingest.succeed('POST', '/v1/follows', { body: graph.edges });
  await postMore('before', 150);
  await platform.settle();
  await warm();
});
afterAll(async () => {
  if (typeof servers !== 'string') {
    await platform.stop();
    await servers.erase();
  }
});
beforeEach(({ skip }) => {
  skip(typeof servers === 'string', String(servers));
});

async function postMore(name: string, count: number): Promise<void> {
  const options = { actors: authors, count, random, spreadMs: 500, until: Date.now(), name, concurrency: 4 };
  posts.push(...(await postActivities(platform, options)));
}

async function warm(): Promise<void> {
  for (const reader of readers) {
    await platform.feedApi.walk(home, reader, 50);
  }
  await platform.settleReads();
}

async function expectExactFeeds(): Promise<void> {
  for (const reader of readers) {
    for (const strategy of ['hybrid', 'pull']) {
      const items = await platform.feedApi.walk(home, reader, 50, { strategy });
      expect(
        items.map(({ id }) => id),
        `${reader} ${strategy}`,
      ).toEqual(graph.homeOf(reader, posts));
    }
  }
}

function control(): FaultServers {
  if (typeof servers === 'string') {
    throw new Error(servers);
  }
  return servers;
}

type ServiceName = 'ingest' | 'feedApi' | 'fanout';

async function statusOf(service: ServiceName, path: string): Promise<number> {
  const port = platform.ports[`${service}Operations`];
  return (await fetch(`http://127.0.0.1:${port}${path}`)).status;
}

async function expectReadiness(statuses: Record<ServiceName, number>, timeoutMs: number): Promise<void> {
  for (const [service, status] of Object.entries(statuses) as [ServiceName, number][]) {
    const readiness = `${service} answers /readyz with ${status}`;
    await waitUntil(readiness, async () => (await statusOf(service, '/readyz')) === status, timeoutMs);
    expect(await statusOf(service, '/healthz')).toBe(200);
    expect(await statusOf(service, '/metrics')).toBe(200);
  }
}

interface Timed<Body> extends HttpAnswer<Body> {
  ms: number;
}

async function timed<Body>(answer: Promise<HttpAnswer<Body>>): Promise<Timed<Body>> {
  const startedAt = performance.now();
  const { status, headers, body } = await answer;
  return { status, headers, body, ms: performance.now() - startedAt };
}

function readPage(reader: string, strategy = 'hybrid'): Promise<Timed<PageBody>> {
  return timed(platform.feedApi.request<PageBody>('GET', `${home}?strategy=${strategy}&limit=20`, { actAs: reader }));
}

interface ErrorBody {
  error: { code: string; details?: unknown };
}

/** Reads without a break until told to end; returns every answer. */
function readingRepeatedly(): { end(): Promise<Timed<PageBody>[]> } {
  const ending = new AbortController();
  const answers: Timed<PageBody>[] = [];
  const reading = Promise.all(
    readers.slice(0, 3).map(async (reader) => {
      while (!ending.signal.aborted) {
        answers.push(await readPage(reader));
      }
    }),
  );
  return {
    async end() {
      ending.abort();
      await reading;
      return answers;
    },
  };
}

/** Takes a server away and gives it back, with posts and reads all the while. */
async function whileAway(
  server: ServerName,
  signal: 'INT' | 'KILL',
  work: () => Promise<void>,
): Promise<Timed<PageBody>[]> {
  const reading = readingRepeatedly();
  const posting = postMore(`${server}-${signal}`, 60);
  let answers: Timed<PageBody>[] = [];
  try {
    await control().stopServer(server, signal);
    await work();
  } finally {
    await control().startServer(server);
    await posting;
    answers = await reading.end();
  }
  expect(Math.max(...answers.map(({ ms }) => ms))).toBeLessThan(answerMaxMs);
  return answers;
}

/** A fast shutdown, which tells its clients, and none at all. */
const postgresSignals = ['INT', 'KILL'] as const;
const allReady = { ingest: 200, feedApi: 200, fanout: 200 };

async function expectRecovery(): Promise<void> {
  await expectReadiness(allReady, recoveryMaxMs);
  await platform.settle();
  await expectExactFeeds();
  // And lists are used again.
  await warm();
  await waitUntil('Redis serves pages again', async () => {
    const { headers } = await readPage('reader-0');
    return headers.get('x-tideline-degraded') === null;
  });
  await expectExactFeeds();
}

test.each(
  postgresSignals,
)('without Postgres (SIG%s) hot pages go on, others are 503, and afterwards nothing is missing', async (signal) => {
  await warm();
  const answers = await whileAway('postgres', signal, async () => {
    await expectReadiness({ fanout: 503, feedApi: 503, ingest: 200 }, readinessTurnsMaxMs);
    for (const reader of readers) {
      const [hot, cold] = [await readPage(reader), await readPage(reader, 'pull')];
      expect(hot.status).toBe(200);
      expect(hot.headers.get('x-tideline-degraded')).toBeNull();
      expect(cold).toMatchObject({ status: 503, body: { error: { code: 'unavailable' } } });
      expect(cold.headers.get('retry-after')).toBe('1');
      expect(Math.max(hot.ms, cold.ms)).toBeLessThan(answerMaxMs);
    }
    expect(await readPage('reader-without-inbox')).toMatchObject({ status: 503 });
    const posted = { actorId: 'author-1', verb: 'post', objectType: 'note', objectId: 'without-postgres' };
    const { status, body } = await platform.ingest.request<{ id: string }>('POST', '/v1/activities', { body: posted });
    expect(status).toBe(202);
    posts.push({ id: body.id, actorId: 'author-1' });
    const unknownKey = await timed(platform.feedApi.request<ErrorBody>('GET', home, { key: 'never-seen-before' }));
    expect(unknownKey).toMatchObject({ status: 503, body: { error: { code: 'unavailable' } } });
  });
  // Pages that are hot need nothing of it.
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  await expectRecovery();
});

test('without Redis pages are right and say that they are degraded; afterwards nothing is missing', async () => {
  const postedBefore = [...posts];
  const answers = await whileAway('redis', 'KILL', async () => {
    await expectReadiness({ fanout: 503, feedApi: 200, ingest: 200 }, readinessTurnsMaxMs);
    for (const reader of readers) {
      const hybrid = await readPage(reader);
      expect(hybrid.status).toBe(200);
      expect(hybrid.headers.get('x-tideline-degraded')).toBe('redis');
      const pull = await readPage(reader, 'pull');
      for (const { body } of [hybrid, pull]) {
        // Some of what is being posted is stored already; below it stands what was there before.
        const known = body.items.map(({ id }) => id).filter((id) => postedBefore.some((post) => post.id === id));
        expect(known).toEqual(graph.homeOf(reader, postedBefore).slice(0, known.length));
        expect(new Set(body.items.map(({ id }) => id)).size).toBe(20);
      }
    }
    const result = await platform.feedApi.request('GET', `/v1/activities/${postedBefore[0]?.id}/fanout`);
    expect(result.status).toBe(503);
    const posted = { actorId: 'author-1', verb: 'post', objectType: 'note', objectId: 'without-redis' };
    const { status, body, ms } = await timed(
      platform.ingest.request<{ id: string }>('POST', '/v1/activities', { body: posted }),
    );
    expect(status).toBe(202);
    expect(ms).toBeLessThan(ingestAnswerMaxMs);
    posts.push({ id: body.id, actorId: 'author-1' });
    const unfollowing = await timed(
      platform.ingest.request<ErrorBody>('DELETE', '/v1/follows/author-1', { actAs: 'nobody-in-particular' }),
    );
    expect(unfollowing).toMatchObject({ status: 503, body: { error: { code: 'outcome_unknown' } } });
    expect(unfollowing.headers.get('retry-after')).toBe('1');
  });
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  await expectRecovery();
});

test('without Redis no stream opens; those that are open wait, say so when it is back, and go on', async () => {
  const stream = platform.feedApi.stream(`${home}/stream`, { actAs: 'reader-0' });
  await stream.whenOpened();
  await whileAway('redis', 'KILL', async () => {
    await waitUntil('none opens', async () => (await statusOfNewStream()) === 503);
  });
  await stream.when('it is told', () => stream.resyncs > 0);
  await platform.settle();
  const body = { actorId: 'reader-0', verb: 'post', objectType: 'note', objectId: 'after-redis' };
  const { id } = await platform.ingest.succeed<{ id: string }>('POST', '/v1/activities', { body });
  await stream.when('it goes on', () => stream.activityIds.includes(id));
  expect(stream.opened).toBe(1);
  await stream.close();
  posts.push({ id, actorId: 'reader-0' });
  await expectRecovery();
});

test('without Kafka writes are refused within 6 s, pages go on, and nothing is lost', async () => {
  // A foreign id, so that it may be repeated as its producer is told to.
  const [actorId, timestamp] = ['author-2', Date.now()];
  const body = { actorId, verb: 'post', objectType: 'note', objectId: 'x', foreignId: 'during-the-outage', timestamp };
  const postIt = () => timed(platform.ingest.request<ErrorBody>('POST', '/v1/activities', { body }));
  const answers = await whileAway('kafka', 'KILL', async () => {
    for (const { status, body: refusal, headers, ms } of await Promise.all([postIt(), postIt(), postIt()])) {
      expect(status).toBe(503);
      expect(['outcome_unknown', 'unavailable']).toContain(refusal.error.code);
      expect(headers.get('retry-after')).toBe('1');
      expect(ms).toBeLessThan(ingestAnswerMaxMs);
    }
    await expectReadiness({ ingest: 503, fanout: 503, feedApi: 200 }, readinessTurnsMaxMs);
    await expectAgreement();
  });
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  await expectReadiness(allReady, recoveryMaxMs);
  const { id } = await platform.ingest.succeed<{ id: string }>('POST', '/v1/activities', { body });
  posts.push({ id, actorId });
  await expectRecovery();
});

async function statusOfNewStream(): Promise<number> {
  const leaving = new AbortController();
  const { status } = await fetch(`${platform.feedApi.origin}${home}/stream`, {
    headers: { 'x-app-key': 'demo-producer', 'x-act-as': 'reader-1' },
    signal: leaving.signal,
  });
  leaving.abort();
  return status;
}

/** Of first pages, once what was on its way when Kafka went is in the lists. */
async function expectAgreement(): Promise<void> {
  await waitUntil('hybrid and pull agree', async () => {
    for (const reader of readers) {
      const [hybrid, pull] = [await readPage(reader), await readPage(reader, 'pull')];
      expect([hybrid.status, pull.status]).toEqual([200, 200]);
      if (hybrid.body.items.map(({ id }) => id).join() !== pull.body.items.map(({ id }) => id).join()) {
        return false;
      }
    }
    return true;
  });
}
