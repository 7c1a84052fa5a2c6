import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { bucketEpochKey } from '@tideline/shared/feed-keys';
import { createKafka } from '@tideline/shared/kafka-client';
import { createLogger } from '@tideline/shared/logger';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { firstPages, hashesOfFeeds, makeHistory, pollFeeds, users } from '@tideline/testing/whole-history';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { discardLetters, replayLetters } from '../src/dead-letters/decide-letters.js';
import { withLetterTools } from '../src/dead-letters/letter-tools.js';
import { publishProjections } from '../src/rebuild/publish-projections.js';
import { type ReplayOptions, replayEvents } from '../src/replay/replay-events.js';
import { connectToDatabase } from '../src/setup/database-client.js';
import { setUp } from '../src/setup/set-up.js';

/** E4: whatever the database loses, the log brings back, and nobody is shown what is left meanwhile. */

const run = promisify(execFile);
const door = fileURLToPath(new URL('../run.mjs', import.meta.url));
const partitions = 6;
/** The database refuses records of such requests while it is told to. */
const refused = 'refused';

let platform: Platform;
/** How many records the log has, and of them those that are no records, or of a version to come. */
let records: number;
const undecodable = { decode: 1, version: 1 };
let before: Record<string, string>;

beforeAll(async () => {
  platform = await startPlatform({ partitions, followerThreshold: 12, inboxCap: 40, refusals: 'expected' });
  await makeHistory(platform);
  await makeLetters();
  before = await hashesOfFeeds(platform);
  const ends = await platform.admin.fetchTopicOffsets(platform.topic);
  records = ends.reduce((sum, { high }) => sum + Number(high), 0);
});
afterAll(() => platform.stop());
beforeEach(() => platform.settle());

/** One that was replayed, one that was discarded and could be applied now, and two that cannot. */
async function makeLetters(): Promise<void> {
  const { database, ingest, settings } = platform;
  await database.query(`create function refuse_some() returns trigger language plpgsql as $$
     begin raise exception 'refused by the test'; end $$`);
  await database.query(`create trigger refuse_some before insert on activities for each row
     when (new.request_id = '${refused}') execute function refuse_some()`);
  const post = (actorId: string) => {
    const body = { actorId, verb: 'post', objectType: 'note', objectId: 'refused' };
    return ingest.succeed('POST', '/v1/activities', { body, headers: { 'x-request-id': refused } });
  };
  const options = { onProgress: () => undefined, patienceMs: 60_000 };
  await post('discarded');
  await platform.settle();
  await withLetterTools(settings, (tools) => discardLetters(tools, { stage: undefined }, 'a test', options));
  await post('u1');
  await platform.settle();
  await database.query('drop trigger refuse_some on activities');
  const replayed = await withLetterTools(settings, (tools) => replayLetters(tools, { stage: 'apply' }, options));
  expect(replayed).toMatchObject({ sent: 1, applied: 1 });
  const producer = createKafka({
    brokers: settings.kafkaBrokers,
    clientId: 'tideline-test',
    logger: createLogger('test', 'silent'),
  }).producer({ allowAutoTopicCreation: false });
  await producer.connect();
  await producer.send({
    topic: platform.topic,
    messages: [{ value: 'no record' }, { value: JSON.stringify({ v: 1_000 }) }],
  });
  await producer.disconnect();
  await platform.settle();
}

function replay(options: Partial<ReplayOptions> = {}) {
  return replayEvents(platform.settings, { again: false, signal: new AbortController().signal, ...options });
}

function environment(): NodeJS.ProcessEnv {
  const { databaseUrl, redisUrl, kafkaBrokers, namespace } = platform.settings;
  return {
    ...process.env,
    TIDELINE_DATABASE_URL: databaseUrl,
    TIDELINE_REDIS_URL: redisUrl,
    TIDELINE_KAFKA_BROKERS: kafkaBrokers.join(','),
    TIDELINE_NAMESPACE: namespace,
  };
}

async function tideline(...args: string[]): Promise<{ status: number; stdout: string }> {
  try {
    return { status: 0, ...(await run(process.execPath, [door, 'tideline', ...args], { env: environment() })) };
  } catch (error) {
    const { code, stdout } = error as { code: number; stdout: string };
    return { status: code, stdout };
  }
}

/** Returns how many events are gone. */
async function loseRows(): Promise<number> {
  const [contents = 0, controls = 0] = await lose(
    'delete from activities where log_offset % 3 = 0',
    'delete from control_activities where log_offset % 4 < 2',
    ...['follows', 'relations', 'tombstones', 'users', 'objects'].map(
      (table) => `delete from ${table} where log_offset % 4 < 2`,
    ),
    `delete from notifications where user_id < 'u2'`,
    'delete from author_weeks where week % 2 = 0',
    'update authors set follower_count = 1',
  );
  return contents + controls;
}

/** As a crash of the disk would: no trigger hears of it. Returns how many rows each statement took. */
async function lose(...statements: string[]): Promise<number[]> {
  const client = await connectToDatabase(platform.settings.databaseUrl);
  try {
    await client.query('set session_replication_role = replica');
    const lost: number[] = [];
    for (const statement of statements) {
      lost.push((await client.query(statement)).rowCount ?? 0);
    }
    return lost;
  } finally {
    await client.end();
  }
}

async function epoch(): Promise<string> {
  const { rows } = await platform.database.query<{ epoch: string }>('select epoch::text from cache_epoch');
  return rows[0]?.epoch ?? '';
}

test('where nothing is missing nothing is written, nobody notices, and what was given up stays so', async () => {
  const polling = pollFeeds(platform, await firstPages(platform));
  const epochBefore = await epoch();
  expect(await replay()).toEqual({
    ...{ read: records, stored: 0, dropped: 0, leftOut: { ...undecodable, replay: 0, apply: 0 } },
    examples: [expect.any(String), expect.any(String)],
  });
  const { right } = polling.counts;
  await waitUntil('pages are read', () => polling.counts.right >= right + users.length);
  await polling.stop();
  expect([polling.wrong, polling.counts.refused, await epoch()]).toEqual([[], 0, epochBefore]);
  expect(await hashesOfFeeds(platform)).toEqual(before);
});

test('what fanout has not taken in yet is no loss', async () => {
  await platform.stopFanout();
  const body = { actorId: 'somebody', verb: 'post', objectType: 'note', objectId: 'waiting' };
  await platform.ingest.succeed('POST', '/v1/activities', { body });
  expect(await replay()).toMatchObject({ read: records, stored: 0 });
  await platform.startFanout();
  await platform.settle();
  records += 1;
});

test('the command reads what came since a time, and says what it did', async () => {
  await platform.ingest.succeed('POST', '/v1/activities', {
    body: { actorId: 'somebody', verb: 'post', objectType: 'note', objectId: 'newest' },
  });
  await platform.settle();
  const { rows } = await platform.database.query<{ at: Date }>('select max(accepted_at) as at from activities');
  const newest = await tideline('replay', '--json', '--since', rows[0]?.at.toISOString() ?? '');
  expect([newest.status, JSON.parse(newest.stdout)]).toEqual([0, expect.objectContaining({ read: 1, stored: 0 })]);
  records += 1;

  const all = await tideline('replay', '--since', '1h');
  expect([all.status, all.stdout]).toEqual([
    0,
    expect.stringMatching(
      new RegExp(`^Read ${records} records in .*: 0 were missing.*\\nLeft out: 1 version, 1 decode\\.`),
    ),
  ]);
});

test('rows that were lost are back, and from the moment that this is known no page is wrong', async () => {
  const right = await firstPages(platform);
  const lost = await loseRows();
  let polling: ReturnType<typeof pollFeeds> | undefined;
  const report = await replay({
    onClosed: () => {
      polling = pollFeeds(platform, right);
    },
  });
  expect(report).toMatchObject({ read: records, stored: lost, leftOut: { ...undecodable, replay: 0, apply: 0 } });
  await waitUntil('pages are right again', () => (polling?.counts.right ?? 0) >= 2 * users.length);
  await polling?.stop();
  expect(polling?.wrong).toEqual([]);
  expect(polling?.counts.refused).toBeGreaterThan(0);
  await platform.settle();
  expect(await hashesOfFeeds(platform)).toEqual(before);
  expect(await replay()).toMatchObject({ stored: 0 });
});

test('of a record with two letters, one replayed and one discarded, nothing stays away', async () => {
  const { rowCount } = await platform.database.query(`
    insert into dead_letter_decisions
    select (jsonb_populate_record(d, '{"letter_offset": 1000000, "decision": "discarded", "reason": "a copy"}')).*
    from dead_letter_decisions d where decision <> 'discarded'`);
  expect(rowCount).toBe(1);
  const lost = await lose(`delete from activities where request_id = '${refused}'`);
  expect(lost).toEqual([1]);
  expect(await replay()).toMatchObject({ stored: 1 });
  expect(await hashesOfFeeds(platform)).toEqual(before);
  await platform.database.query('delete from dead_letter_decisions where letter_offset = 1000000');
});

test('what is posted, followed and deleted meanwhile is neither lost nor undone', async () => {
  await loseRows();
  const posting = (async () => {
    const ids: string[] = [];
    for (let i = 0; i < 40; i += 1) {
      const body = { actorId: 'busy', verb: 'post', objectType: 'note', objectId: `meanwhile-${i}` };
      ids.push((await platform.ingest.succeed<{ id: string }>('POST', '/v1/activities', { body })).id);
      await platform.ingest.succeed('POST', '/v1/follows', { body: [{ followerId: `m${i}`, followeeId: 'busy' }] });
    }
    return ids;
  })();
  expect(await replay()).toMatchObject({ rebuilt: { epoch: expect.any(String) as string } });
  const ids = await posting;
  await platform.ingest.succeed('DELETE', `/v1/activities/${ids[0]}`, { actAs: 'busy' });
  await platform.settle();
  const feed = await platform.feedApi.walk('/v1/feeds/home', 'm7', 50);
  expect(feed.map(({ id }) => id).toSorted()).toEqual(ids.slice(1).toSorted());
  expect(await hashesOfFeeds(platform)).toEqual(before);
});

test('whom fanout knew of what was left, it does not go by afterwards', async () => {
  const post = (objectId: string) =>
    platform.ingest.succeed('POST', '/v1/activities', {
      body: { actorId: 'solo', verb: 'post', objectType: 'note', objectId },
    });
  await platform.ingest.succeed('POST', '/v1/follows', { body: [{ followerId: 'fan', followeeId: 'solo' }] });
  await platform.settle();
  await lose(
    `delete from control_activities where author_id = 'solo'`,
    `delete from follows where followee_id = 'solo'`,
  );
  // Owners that are new know nobody yet; from this post on, that nobody follows its author.
  await platform.stopFanout();
  await platform.startFanout();
  await post('first');
  await platform.settle();
  expect(await replay()).toMatchObject({ stored: 1 });
  const home = async () => (await platform.feedApi.walk('/v1/feeds/home', 'fan', 50)).map(({ objectId }) => objectId);
  await waitUntil('the inbox is built', async () => {
    expect(await home()).toEqual(['first']);
    await platform.settle();
    return (await platform.redis.keys(`${platform.namespace}:*:in:fan`)).length > 0;
  });
  await post('second');
  await platform.settle();
  expect(await home()).toEqual(['second', 'first']);
});

test('one that is killed goes on behind what it committed, and feeds stay closed until then', async () => {
  const right = await firstPages(platform);
  await loseRows();
  await platform.database.query(`create function take_long() returns trigger language plpgsql as $$
    begin perform pg_sleep(0.5); return null; end $$`);
  await platform.database.query(`create trigger take_long after insert on control_activities
    for each statement execute function take_long()`);
  const child = spawn(process.execPath, [door, 'tideline', 'replay'], {
    env: environment(),
    detached: true,
    stdio: 'ignore',
  });
  await waitUntil('some of it is committed', async () => (await committed()) > 0, 60_000);
  // With the process that it stands before.
  process.kill(-(child.pid ?? 0), 'SIGKILL');
  await once(child, 'exit');
  await platform.database.query('drop trigger take_long on control_activities');
  const polling = pollFeeds(platform, right);
  await waitUntil('pages are refused', () => polling.counts.refused >= users.length);
  // Nor does a rebuild open them.
  expect((await tideline('rebuild')).status).toBe(2);

  let extent = { records: 0, done: 0 };
  const report = await replay({
    onStart: (all) => {
      extent = all;
    },
  });
  expect(extent.done).toBeGreaterThan(0);
  expect(report.read).toBe(extent.records - extent.done);
  await waitUntil('pages are right again', () => polling.counts.right >= users.length);
  await polling.stop();
  expect(polling.wrong).toEqual([]);
  await platform.settle();
  expect(await hashesOfFeeds(platform)).toEqual(before);
  expect(await committed()).toBe(0);
});

async function committed(): Promise<number> {
  const { rows } = await platform.database.query<{ done: number }>(
    'select coalesce(sum(next_offset), 0)::integer as done from replay_progress',
  );
  return rows[0]?.done ?? 0;
}

test('a database that is lost under the services and set up anew is filled from the log', async () => {
  // Redis has seen more epochs than the new database will have given out.
  await platform.database.query(`select setval('cache_epochs', nextval('cache_epochs') + 1000)`);
  await publishProjections(platform.settings);
  // Without a key that the new database knows a caller is refused, too.
  const polling = pollFeeds(platform, await firstPages(platform), [401]);
  await waitUntil('pages are read', () => polling.counts.right >= users.length);
  // How far one came that was stopped is about the database that it was for.
  const stop = new AbortController();
  const stopped = replay({ signal: stop.signal, onProgress: () => stop.abort(new Error('stopped')) });
  await expect(stopped).rejects.toThrow('stopped');
  expect(await committed()).toBeGreaterThan(0);
  await dropDatabase();
  const said: string[] = [];
  await setUp({ ...platform.settings, partitions, replicationFactor: 1 }, (line) => said.push(line));
  expect(said.join('\n')).toContain('feeds are closed until `tideline replay`');
  await waitUntil('pages are refused', () => polling.counts.refused >= users.length);

  // What was decided about letters is lost as well: the copy that was replayed is not believed, and what it was a copy of is
  // applied where it stands, as is what was discarded.
  const report = await replay();
  expect(report.leftOut).toEqual({ ...undecodable, replay: 1, apply: 0 });
  const { right } = polling.counts;
  await waitUntil('pages are right again', () => polling.counts.right >= right + 2 * users.length);
  await polling.stop();
  expect(polling.wrong).toEqual([]);
  await platform.settle();
  expect(await hashesOfFeeds(platform)).toEqual(before);

  expect(await platform.redis.get(bucketEpochKey(platform.namespace, 0))).toBe(await epoch());

  const body = { actorId: 'u1', verb: 'post', objectType: 'note', objectId: 'afterwards' };
  const { id } = await platform.ingest.succeed<{ id: string }>('POST', '/v1/activities', { body });
  await platform.settle();
  const follower = await platform.feedApi.walk('/v1/feeds/home', 'u1', 50);
  expect(follower[0]?.id).toBe(id);
});

async function dropDatabase(): Promise<void> {
  const url = new URL(platform.settings.databaseUrl);
  const name = url.pathname.slice(1);
  url.pathname = '/postgres';
  const client = await connectToDatabase(url.href);
  try {
    await client.query(`drop database "${name}" with (force)`);
  } finally {
    await client.end();
  }
}
