import { setTimeout as delay } from 'node:timers/promises';
import { type FaultServers, startFaultServers } from '@tideline/testing/fault-servers';
import { FollowGraph, type Post, randomNumbers } from '@tideline/testing/history';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import type { ServiceProcess } from '@tideline/testing/service-process';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

/** Three brokers and several fanout processes, which come and go while there are posts: nothing is lost, repeated or reordered. */

const authors = Array.from({ length: 24 }, (_, i) => `author-${i}`);
const readers = Array.from({ length: 30 }, (_, i) => `reader-${i}`);
const celebrity = 'author-0';
const recoveryMaxMs = 60_000;
const sessionTimeoutMs = 10_000;
/** Between two posts of one author: all of them together make some 50 a second. */
const postIntervalMs = 500;
const testTimeoutMs = 240_000;

const random = randomNumbers(31);
const graph = new FollowGraph();
/** All that was acknowledged. */
const posts: Post[] = [];
/** Requests that were sent, repetitions too: none may be on the log more often than that. */
let sent = 0;
let servers: FaultServers | string;
let platform: Platform;

beforeAll(async () => {
  servers = await startFaultServers({ brokers: 3 });
  if (typeof servers === 'string') {
    return;
  }
  platform = await startPlatform({
    servers: servers.urls,
    replicationFactor: 3,
    partitions: 6,
    followerThreshold: 25,
    inboxCap: 40,
    fanout: false,
  });
  for (const reader of readers) {
    graph.add(reader, celebrity);
    for (const author of authors.filter(() => random() < 0.3)) {
      graph.add(reader, author);
    }
  }
  await platform.ingest.succeed('POST', '/v1/follows', { body: graph.edges });
}, 120_000);
afterAll(async () => {
  if (typeof servers !== 'string') {
    await platform.stop();
    await servers.erase();
  }
});
beforeEach(({ skip }) => {
  skip(typeof servers === 'string', String(servers));
});

function control(): FaultServers {
  if (typeof servers === 'string') {
    throw new Error(servers);
  }
  return servers;
}

/** Each author posts one after the other, until told to end. What is not acknowledged is repeated before the next. */
function postingRepeatedly(name: string): { acknowledged(): number; end(): Promise<void> } {
  const ending = new AbortController();
  let acknowledged = 0;
  const working = Promise.all(
    authors.map(async (actorId) => {
      for (let sequence = 0; !ending.signal.aborted; sequence += 1) {
        const foreignId = `${name}-${sequence}`;
        const body = {
          actorId,
          verb: 'post',
          objectType: 'note',
          objectId: foreignId,
          foreignId,
          timestamp: Date.now() - Math.floor(random() * 500),
          metadata: { sequence },
        };
        posts.push({ id: await postUntilAcknowledged(body), actorId });
        acknowledged += 1;
        await delay(postIntervalMs);
      }
    }),
  );
  return {
    acknowledged: () => acknowledged,
    async end() {
      ending.abort();
      await working;
    },
  };
}

async function postUntilAcknowledged(body: object): Promise<string> {
  for (;;) {
    sent += 1;
    const answer = await platform.ingest.request<{ id: string }>('POST', '/v1/activities', { body });
    if (answer.status === 202) {
      return answer.body.id;
    }
    expect(answer.status).toBe(503);
    await delay(Number(answer.headers.get('retry-after')) * 1000);
  }
}

async function moreAreAcknowledged(posting: { acknowledged(): number }, count: number): Promise<void> {
  const before = posting.acknowledged();
  await waitUntil(`${count} more are acknowledged`, () => posting.acknowledged() >= before + count, recoveryMaxMs);
}

async function expectNothingLostRepeatedOrReordered(): Promise<void> {
  await platform.settle(recoveryMaxMs);
  for (const reader of readers) {
    for (const strategy of ['hybrid', 'hybrid', 'pull']) {
      const items = await platform.feedApi.walk('/v1/feeds/home', reader, 50, { strategy });
      expect(
        items.map(({ id }) => id),
        `${reader} ${strategy}`,
      ).toEqual(graph.homeOf(reader, posts));
    }
    await platform.settleReads();
  }
  const { rows: reordered } = await platform.database.query(`
    select * from (
      select actor_id, foreign_id, (metadata->>'sequence')::int as sequence,
        lag((metadata->>'sequence')::int) over in_log_order as before
      from activities
      window in_log_order as (partition by actor_id, split_part(foreign_id, '-', 1) order by log_offset)
    ) as posted
    where sequence <> coalesce(before, -1) + 1`);
  expect(reordered).toEqual([]);
  const offsets = await platform.admin.fetchTopicOffsets(platform.topic);
  const records = offsets.reduce((sum, { high }) => sum + Number(high), 0);
  expect(records).toBeGreaterThanOrEqual(posts.length + graph.edges.length);
  expect(records).toBeLessThanOrEqual(sent + graph.edges.length);
}

test(
  'each broker is killed once under load',
  async () => {
    const fanouts = [await platform.spawnFanout(), await platform.spawnFanout()];
    const posting = postingRepeatedly('brokers');
    await moreAreAcknowledged(posting, 50);
    for (const broker of ['kafka', 'kafka2', 'kafka3'] as const) {
      await control().stopServer(broker, 'KILL');
      await moreAreAcknowledged(posting, 50);
      await control().startServer(broker);
      await moreAreAcknowledged(posting, 50);
    }
    await posting.end();
    await expectNothingLostRepeatedOrReordered();
    await Promise.all(fanouts.map((fanout) => fanout.signal('SIGTERM')));
  },
  testTimeoutMs,
);

test(
  'fanout processes come, are killed, and are frozen for longer than their session, under load',
  async () => {
    const [killed, frozen] = [await platform.spawnFanout(), await platform.spawnFanout()];
    const posting = postingRepeatedly('processes');
    await moreAreAcknowledged(posting, 100);

    const third = await platform.spawnFanout();
    await moreAreAcknowledged(posting, 50);
    await killed.signal('SIGKILL');
    await moreAreAcknowledged(posting, 50);
    await frozen.signal('SIGSTOP');
    const frozenAt = performance.now();
    await waitUntil('the third has all partitions', () => assignedLast(third).length === 6, recoveryMaxMs);
    await waitUntil('its session is over', () => performance.now() - frozenAt > sessionTimeoutMs, recoveryMaxMs);
    await moreAreAcknowledged(posting, 50);
    await frozen.signal('SIGCONT');
    await waitUntil(
      'both have partitions',
      () => assignedLast(third).length === 3 && assignedLast(frozen).length === 3,
      recoveryMaxMs,
    );
    await moreAreAcknowledged(posting, 50);
    await posting.end();
    await expectNothingLostRepeatedOrReordered();
    await Promise.all([frozen, third].map((fanout) => fanout.signal('SIGTERM')));
  },
  testTimeoutMs,
);

/** The partitions that it was given last. */
function assignedLast({ output }: ServiceProcess): number[] {
  const line = output.split('\n').findLast((each) => each.includes('"msg":"partitions assigned"'));
  return line === undefined ? [] : (JSON.parse(line) as { partitions: number[] }).partitions;
}
