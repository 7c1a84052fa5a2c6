import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { fanoutGroup } from '@tideline/shared/topics';
import type { PageBody } from '@tideline/testing/http-client';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readAudit } from '../src/audit/read-audit.js';
import { type EraseOptions, type EraseReport, eraseUser } from '../src/erase/erase-user.js';
import { createKey } from '../src/keys/api-keys.js';
import { rebuildProjections } from '../src/rebuild/rebuild-projections.js';
import { replayEvents } from '../src/replay/replay-events.js';
import {
  foundInDatabase,
  foundInRedis,
  giveEverything,
  idsOf,
  type Person,
  readers,
  writeEverything,
} from './erasable-person.js';

const run = promisify(execFile);
const door = fileURLToPath(new URL('../bin/tideline.mjs', import.meta.url));

let platform: Platform;
beforeAll(async () => {
  // The user is pulled; of others inboxes are cut.
  platform = await startPlatform({ followerThreshold: 4, inboxCap: 20, materializedIntervalMs: 600_000 });
  await waitUntil('the materialised home feeds are in use', async () => {
    const { rows } = await platform.database.query(
      'select from materialized_home_state where refreshed_at is not null',
    );
    return rows.length === 1;
  });
});
afterAll(() => platform.stop());

function erase(userId: string, options: Partial<EraseOptions> = {}): Promise<EraseReport> {
  return eraseUser({ config: platform.settings, userId, patienceMs: 60_000, memoryMs: 200, ...options });
}

/** Everything that others can ask for, as one text; and what there is to be asked for by an id. */
async function answersTo(reader: string, ids: readonly string[]): Promise<string> {
  const { feedApi } = platform;
  const paths = [
    ...['hybrid', 'pull', 'push', 'materialized'].map((strategy) => `/v1/feeds/home?limit=50&strategy=${strategy}`),
    '/v1/feeds/home?aggregate=true',
    '/v1/feeds/notifications',
    '/v1/feeds/notifications?aggregate=true',
    '/feed',
    '/feed/my',
    '/feed/friends',
    '/me',
    ...['', '/feed', '/followers', '/following'].map((what) => `/v1/users/ben${what}`),
    ...ids.flatMap((id) => [`/v1/activities/${id}`, `/v1/activities/${id}/fanout`]),
  ];
  const answers: unknown[] = [];
  for (const path of paths) {
    const { status, body } = await feedApi.request<unknown>('GET', path, { actAs: reader });
    // An error says what was asked for.
    answers.push(status === 200 ? body : status);
  }
  return JSON.stringify(answers);
}

async function homesOfAll(): Promise<Record<string, string[][]>> {
  const homes: Record<string, string[][]> = {};
  for (const reader of readers) {
    const walks = ['hybrid', 'pull', 'materialized'].map((strategy) =>
      platform.feedApi.walk('/v1/feeds/home', reader, 7, { strategy }),
    );
    homes[reader] = (await Promise.all(walks)).map((items) => items.map(({ id }) => id));
  }
  return homes;
}

async function expectNothingOf(person: Person, ids: readonly string[]): Promise<void> {
  const texts = [person.id, person.words];
  expect(await foundInDatabase(platform, [...texts, ...ids])).toEqual([]);
  for (const reader of readers) {
    const answers = await answersTo(reader, ids.slice(0, 5));
    for (const text of [...texts, ...ids]) {
      expect(answers).not.toContain(text);
    }
  }
  await platform.settleReads();
  // Reading brings it back if anything does.
  expect(await foundInRedis(platform, texts, ids)).toEqual([]);
  // Whoever asks for the user by name brings the name back, and nothing else: a list of nobody's, which is empty.
  for (const what of ['', '/feed', '/followers', '/following']) {
    const { status } = await platform.feedApi.request('GET', `/v1/users/${person.id}${what}`, { actAs: 'ben' });
    expect(status, what).toBe(404);
  }
  expect(await foundInRedis(platform, [person.words], ids)).toEqual([]);
  await platform.redis.unlink(await foundInRedis(platform, [person.id], []));
  for (const [reader, [hybrid, pull, materialized]] of Object.entries(await homesOfAll())) {
    expect(hybrid, reader).toEqual(pull);
    expect(materialized, reader).toEqual(pull);
  }
}

/** All that the log has comes again. */
async function replayLog(): Promise<void> {
  await platform.stopFanout();
  const groupId = fanoutGroup(platform.namespace);
  await platform.admin.resetOffsets({ groupId, topic: platform.topic, earliest: true });
  await platform.startFanout();
  await platform.settle();
}

/** Asks for first pages of all readers until told to stop. Returns those that were asked for after `since()`. */
function pollHomes() {
  const pages: { askedAt: number; reader: string; status: number; text: string }[] = [];
  let stopping = false;
  const polling = (async () => {
    while (!stopping) {
      for (const reader of readers) {
        const askedAt = performance.now();
        const { status, body } = await platform.feedApi.request<PageBody>('GET', '/v1/feeds/home', { actAs: reader });
        pages.push({ askedAt, reader, status, text: JSON.stringify(body) });
      }
      await delay(5);
    }
  })();
  // Of a test that failed meanwhile.
  polling.catch(() => undefined);
  return async () => {
    stopping = true;
    await polling;
    return pages;
  };
}

const anna: Person = { id: 'anna-x7', words: 'saltmarsh' };
let idsOfAnna: string[] = [];

test('a user with everything that there can be is gone from the database, Redis and all answers, while all run', async () => {
  const told = await giveEverything(platform, anna);
  const client = await platform.database.connect();
  await createKey(client, { userId: anna.id });
  client.release();
  await homesOfAll();
  await platform.settleReads();
  idsOfAnna = await idsOf(platform, anna);
  const texts = [anna.id, anna.words];
  const before = await foundInDatabase(platform, [...texts, ...idsOfAnna]);
  expect(new Set(before.map((line) => /^\S+?(?=:)/.exec(line)?.[0].replace(/_\d.*/, '')))).toContain('public.users');
  expect((await foundInRedis(platform, texts, idsOfAnna)).length).toBeGreaterThan(30);
  const stopPolling = pollHomes();

  const waits: string[] = [];
  const report = await eraseUser({
    config: platform.settings,
    userId: anna.id,
    reason: 'request 4711',
    patienceMs: 60_000,
    onWait: (sentence) => waits.push(sentence),
  });

  const doneAt = performance.now();
  expect(report).toMatchObject({
    isDone: true,
    isResumed: false,
    digest: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
  });
  expect(report.counts).toMatchObject({ api_keys: 1, users: 1, notification_marks: 1 });
  for (const table of ['activities', 'activities of others', 'control_activities', 'follows', 'audit_log', 'objects']) {
    expect(report.counts[table], table).toBeGreaterThan(1);
  }
  await expectNothingOf(anna, idsOfAnna);
  const pages = await stopPolling();
  expect(pages.filter(({ status }) => status !== 200)).toEqual([]);
  expect(pages.some(({ askedAt, text }) => askedAt < doneAt && text.includes(anna.id))).toBe(true);
  expect(pages.filter(({ askedAt, text }) => askedAt > doneAt && text.includes(anna.id))).toEqual([]);

  // What others did stays: for those who are left, or for nobody; and what it was about has no name.
  const kept = await platform.database.query(
    'select id, audience, object_owner_id, object_title from activities where id = any($1) or verb = $2 order by verb, id',
    [[told.shared, told.alone], 'view'],
  );
  expect(kept.rows).toEqual([
    { id: told.shared, audience: ['dora'], object_owner_id: null, object_title: null },
    { id: told.alone, audience: [], object_owner_id: null, object_title: null },
    { id: expect.any(String) as string, audience: null, object_owner_id: null, object_title: null },
  ]);
  expect(await answersTo('ben', [told.alone])).not.toContain(told.alone);
  const { rows: objects } = await platform.database.query(
    'select type, title, owner_id from objects where id in ($1, $2) order by type',
    ['o-1', 'p-1'],
  );
  expect(objects).toEqual([
    { type: 'given', title: 'Of Ben now', owner_id: 'ben' },
    { type: 'page', title: 'By Carl', owner_id: 'carl' },
  ]);
});

test('the audit says that somebody was erased, why and how much, and not who', async () => {
  const client = await platform.database.connect();
  const entries = await readAudit(client, { table: 'erasures', limit: 10 });
  client.release();
  const [finished, begun, asked] = entries;
  expect(asked).toMatchObject({ role: 'tideline_eraser', application: 'tideline-erase', operation: 'insert' });
  expect(begun?.after).toMatchObject({ reason: 'request 4711', finished_at: null });
  expect(finished?.after).toMatchObject({ counts: { users: 1, api_keys: 1 }, reason: 'request 4711' });
  expect(JSON.stringify(entries)).not.toContain(anna.id);
});

test('a replay of the whole log does not bring the user back, and leaves all else as it is', async () => {
  const before = await homesOfAll();
  await replayLog();
  await expectNothingOf(anna, idsOfAnna);
  expect(await homesOfAll()).toEqual(before);

  const { signal } = new AbortController();
  expect(await replayEvents(platform.settings, { again: true, signal })).toMatchObject({ stored: 0, dropped: 0 });
});

test('projections are what the events say, which know nothing of the user', async () => {
  const report = await rebuildProjections({ databaseUrl: platform.settings.databaseUrl, again: true });
  expect(report).toMatchObject({ written: 0, removed: 0 });
});

test('who comes with the same id later is somebody new, whom a replay leaves alone', async () => {
  const { ingest, feedApi } = platform;
  const body = { actorId: anna.id, verb: 'post', objectType: 'note', objectId: 'again' };
  await ingest.succeed('PUT', `/v1/follows/${anna.id}`, { actAs: 'ben' });
  await ingest.succeed('PUT', `/v1/users/${anna.id}`, { actAs: anna.id, body: { name: 'Somebody new' } });
  const { id } = await ingest.succeed<{ id: string }>('POST', '/v1/activities', { body });
  await platform.settle();
  const look = async () => ({
    home: (await feedApi.walk('/v1/feeds/home', 'ben', 50)).filter(({ actorId }) => actorId === anna.id),
    profile: await feedApi.succeed('GET', `/v1/users/${anna.id}`, { actAs: 'ben' }),
  });
  const before = await look();
  expect(before).toMatchObject({ home: [{ id, actorName: 'Somebody new' }], profile: { followers: 1 } });
  await replayLog();
  expect(await look()).toEqual(before);

  // And can be erased as well.
  const ids = await idsOf(platform, anna);
  expect(await erase(anna.id)).toMatchObject({ isDone: true, counts: { activities: 1 } });
  await expectNothingOf(anna, [...ids, ...idsOfAnna]);
});

test('one that is interrupted goes on', async () => {
  const bert: Person = { id: 'bert-x7', words: 'kittiwake' };
  await giveEverything(platform, bert);
  const ids = await idsOf(platform, bert);
  const stop = new AbortController();
  const interrupted = erase(bert.id, { signal: stop.signal, onStep: (_step, done) => done === 2 && stop.abort() });
  await expect(interrupted).rejects.toMatchObject({ name: 'AbortError' });
  expect(await foundInDatabase(platform, [bert.words])).not.toEqual([]);

  expect(await erase(bert.id)).toMatchObject({ isDone: true, isResumed: true, counts: { users: 1 } });
  await expectNothingOf(bert, ids);
  expect(await erase(bert.id)).toMatchObject({
    isDone: true,
    isResumed: false,
    counts: { activities: 0, follows: 0, users: 0 },
  });
});

test('what fanout has not come to yet is left out when it does', async () => {
  const cora: Person = { id: 'cora-x7', words: 'sandpiper' };
  await platform.stopFanout();
  await writeEverything(platform, cora);
  const report = await erase(cora.id, { patienceMs: 0 });
  expect(report.isDone).toBe(false);
  await platform.startFanout();
  await platform.settle();
  expect(await foundInDatabase(platform, [cora.id])).toEqual([]);
  expect(await erase(cora.id)).toMatchObject({ isDone: true, isResumed: true });
  await expectNothingOf(cora, []);
});

test('what is done for the user all the time is gone up to one moment, and is there from then on', async () => {
  const dave: Person = { id: 'dave-x7', words: 'turnstone' };
  const { ingest, database } = platform;
  const accepted: { id: string; askedAt: number; acceptedAt: number }[] = [];
  let stopping = false;
  const post = async (n: number) => {
    const askedAt = performance.now();
    const body = { actorId: dave.id, verb: 'post', objectType: 'note', objectId: `n-${n}`, to: ['ben', dave.id] };
    const { id } = await ingest.succeed<{ id: string }>('POST', '/v1/activities', { body });
    accepted.push({ id, askedAt, acceptedAt: performance.now() });
  };
  const others = async (n: number) => {
    await ingest.succeed('PUT', `/v1/users/${dave.id}`, { actAs: dave.id, body: { name: `${dave.words} ${n}` } });
    await ingest.succeed('PUT', `/v1/objects/photo/d-${n}`, { actAs: dave.id, body: { title: `${dave.words} ${n}` } });
    await ingest.succeed('PUT', `/v1/follows/${dave.id}`, { actAs: 'carl' });
    await ingest.succeed('DELETE', `/v1/follows/${dave.id}`, { actAs: 'carl' });
    await ingest.succeed('PUT', `/v1/blocks/dora`, { actAs: dave.id });
  };
  const poster = (async () => {
    for (let n = 0; !stopping; n += 1) {
      await Promise.all([post(n), post(n + 1_000_000), others(n)]);
    }
  })();
  await waitUntil('much is done', () => accepted.length > 40);

  const startedAt = performance.now();
  let pointSetBefore = 0;
  const report = await erase(dave.id, {
    onStep: () => {
      pointSetBefore ||= performance.now();
    },
  });
  const { length } = accepted;
  await waitUntil('more is done', () => accepted.length > length + 20);
  stopping = true;
  await poster;
  await platform.settle();

  expect(report).toMatchObject({ isDone: true });
  const stored = async () => {
    const { rows } = await database.query<{ id: string }>('select id from activities where actor_id = $1', [dave.id]);
    return new Set(rows.map(({ id }) => id));
  };
  const { rows } = await database.query<{ generation: number; ends: string[] }>(
    'select generation, ends from erasures order by id desc limit 1',
  );
  const isFromBefore = `(log_generation, log_offset) < ($2::integer, ($3::bigint[])[log_partition + 1])`;
  const place = [dave.id, rows[0]?.generation, rows[0]?.ends];
  const check = async () => {
    const found = await stored();
    expect(accepted.filter(({ id, acceptedAt }) => acceptedAt < startedAt && found.has(id))).toEqual([]);
    expect(accepted.filter(({ id, askedAt }) => askedAt > pointSetBefore && !found.has(id))).toEqual([]);
    for (const [table, column] of [
      ['activities', 'actor_id'],
      ['control_activities', 'actor_id'],
      ['users', 'id'],
      ['objects', 'owner_id'],
      ['follows', 'followee_id'],
      ['relations', 'user_id'],
    ]) {
      const left = await database.query(
        `select from ${table} where ${column} = $1 and log_generation > 0 and ${isFromBefore}`,
        place,
      );
      expect(left.rowCount, table).toBe(0);
    }
  };
  await check();
  await replayLog();
  await check();
  for (const [reader, [hybrid, pull]] of Object.entries(await homesOfAll())) {
    expect(hybrid, reader).toEqual(pull);
  }
  const rebuilt = await rebuildProjections({ databaseUrl: platform.settings.databaseUrl, again: true });
  expect(rebuilt).toMatchObject({ written: 0, removed: 0 });
});

/** A transaction of its own, which the test ends. */
async function inTransactionAs(role: string) {
  const client = await platform.database.connect();
  await client.query(`begin; set local role ${role}`);
  return {
    query: (sql: string, values: unknown[] = []) => client.query(sql, values),
    async commit() {
      await client.query('commit');
      client.release();
    },
  };
}

async function waitsForLock(application: string): Promise<boolean> {
  const { rows } = await platform.database.query(
    `select from pg_stat_activity where application_name = $1 and wait_event_type = 'Lock' and datname = current_database()`,
    [application],
  );
  return rows.length > 0;
}

test('a batch that fanout has in hand when the moment comes is given up, and read again without the user', async () => {
  const erna: Person = { id: 'erna-x7', words: 'phalarope' };
  const { ingest } = platform;
  const first = { actorId: erna.id, verb: 'post', objectType: 'note', objectId: '0' };
  await ingest.succeed('POST', '/v1/activities', { body: first });
  await platform.settle();
  const held = await inTransactionAs('tideline_eraser');
  await held.query('select from partition_fences order by log_partition for update');
  const erased = erase(erna.id, { memoryMs: 10 });
  await waitUntil('the erasure waits', () => waitsForLock('tideline-erase'));
  // Behind it fanout, with a batch that knows nothing of it.
  await ingest.succeed('PUT', `/v1/follows/${erna.id}`, { actAs: 'ben' });
  const body = { actorId: erna.id, verb: 'post', objectType: 'note', objectId: '1', objectTitle: erna.words };
  const { id } = await ingest.succeed<{ id: string }>('POST', '/v1/activities', { body });
  await waitUntil('fanout waits', () => waitsForLock('tideline-fanout'));
  await held.commit();
  expect(await erased).toMatchObject({ isDone: true });
  await expectNothingOf(erna, [id]);

  // What the owner of the partition knew is forgotten: somebody new is a user again.
  const again = { actorId: erna.id, verb: 'post', objectType: 'note', objectId: '2' };
  await ingest.succeed('POST', '/v1/activities', { body: again });
  await platform.settle();
  await platform.feedApi.succeed('GET', `/v1/users/${erna.id}`, { actAs: 'ben' });
});

test('a correction that ingest is about to write waits for the moment, and then writes nothing', async () => {
  const fritz: Person = { id: 'fritz-x7', words: 'dunlin' };
  const name = `insert into users (id, name, log_generation, log_partition, log_offset) values ($1, $2, 1, $3, $4)`;
  const late = await inTransactionAs('tideline_ingest');
  await late.query(name, [fritz.id, fritz.words, 0, 0]);
  const erased = erase(fritz.id, { memoryMs: 10 });
  await waitUntil('the erasure waits', () => waitsForLock('tideline-erase'));
  await late.commit();
  expect(await erased).toMatchObject({ isDone: true, counts: { users: 1 } });
  await expectNothingOf(fritz, []);

  const later = await inTransactionAs('tideline_ingest');
  const version = `1, 0, 0`;
  for (const sql of [
    `insert into users (id, name, log_generation, log_partition, log_offset) values ('${fritz.id}', 'x', ${version})`,
    `insert into follows values ('ben', '${fritz.id}', true, now(), ${version})`,
    `insert into follows values ('${fritz.id}', 'ben', true, now(), ${version})`,
    `insert into relations values ('ben', '${fritz.id}', 'block', true, now(), ${version})`,
    `insert into tombstones (activity_id, author_id, deleted_at, log_generation, log_partition, log_offset)
     values (gen_random_uuid(), '${fritz.id}', now(), ${version})`,
    `insert into objects (type, id, owner_id, log_generation, log_partition, log_offset) values ('photo', 'f', '${fritz.id}', ${version})`,
  ]) {
    expect((await later.query(sql)).rowCount, sql).toBe(0);
  }
  await later.commit();
  await expectNothingOf(fritz, []);
});

test('what somebody had in hand while Redis began anew is found there, and goes', async () => {
  const gerd: Person = { id: 'gerd-x7', words: 'whimbrel' };
  const { redis, namespace, database } = platform;
  const writeLate = async () => {
    const { rows } = await database.query<{ epoch: string }>('select epoch::text from cache_epoch');
    const prefix = `${namespace}:${rows[0]?.epoch}`;
    const object = JSON.stringify({ title: gerd.words, ownerId: gerd.id, url: null });
    await redis.set(`${prefix}:object:photo:g`, `1:1:${object}`);
    await redis.set(`${prefix}:body:g`, JSON.stringify({ id: 'g', actorId: gerd.id }));
    await redis.set(`${prefix}:user:${gerd.id}`, `1:1:${JSON.stringify({ name: gerd.words, avatar: null })}`);
    await redis.set(`${namespace}:0:body:h`, gerd.words);
    const reply = JSON.stringify({ status: 202, body: { id: gerd.id, name: gerd.words } });
    await redis.hset(`${namespace}:idem:${'0'.repeat(64)}`, 'reply', reply);
  };
  let written: Promise<void> | undefined;
  await erase(gerd.id, {
    memoryMs: 1_000,
    onWait(sentence) {
      if (sentence.includes('in memory')) {
        written ??= writeLate();
      }
    },
  });
  expect(written).toBeDefined();
  await written;
  expect(await foundInRedis(platform, [gerd.id, gerd.words], [])).toEqual([]);
});

async function tideline(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const { databaseUrl, redisUrl, kafkaBrokers, namespace } = platform.settings;
  const env = {
    ...process.env,
    TIDELINE_DATABASE_URL: databaseUrl,
    TIDELINE_REDIS_URL: redisUrl,
    TIDELINE_KAFKA_BROKERS: kafkaBrokers.join(','),
    TIDELINE_NAMESPACE: namespace,
  };
  try {
    return { status: 0, ...(await run(process.execPath, [door, ...args], { env })) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { status: code, stdout, stderr };
  }
}

test('the command asks, does nothing where nobody can answer, and says what is left in Kafka and until when', async () => {
  await platform.ingest.succeed('PUT', '/v1/users/hans-x7', { actAs: 'hans-x7', body: { name: 'Hans' } });
  await platform.settle();
  expect(await tideline('erase', 'hans-x7')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('--yes') as string,
  });
  expect(await tideline('erase', 'hans-x7', '--yes', '--reason', 'of hans-x7')).toMatchObject({ status: 2 });
  expect(await tideline('erase', 'hans x7', '--yes')).toMatchObject({ status: 2 });
  expect(await foundInDatabase(platform, ['hans-x7'])).not.toEqual([]);

  const { status, stdout } = await tideline('erase', 'hans-x7', '--yes', '--reason', 'request 4712');
  expect([status, stdout]).toEqual([0, expect.stringMatching(/^ *1 {2}control_activities$/m) as string]);
  expect(stdout).toMatch(/activities until \d{4}-\d\d-\d\d \d\d:\d\d UTC at the latest \(retention\.ms 7 d/);
  expect(stdout).toMatch(/activities\.dlq until .* \(retention\.ms 30 d/);
  expect(stdout).not.toContain('hans-x7');
  await expectNothingOf({ id: 'hans-x7', words: 'Hans' }, []);

  const again = await tideline('erase', 'hans-x7', '--yes', '--json');
  const report = JSON.parse(again.stdout) as EraseReport;
  expect(Object.values(report.counts).every((rows) => rows === 0)).toBe(true);
});

test('what was done before fanout was there does not count once it is', async () => {
  const ida: Person = { id: 'ida-x7', words: 'greenshank' };
  await giveEverything(platform, ida);
  const ids = await idsOf(platform, ida);
  await platform.stopFanout();
  const note = { actorId: 'dora', verb: 'post', objectType: 'note', objectId: 'on-its-way' };
  const target = { targetType: 'photo', targetId: 'o-1', targetTitle: `A photo of ${ida.words}` };
  await platform.ingest.succeed('POST', '/v1/activities', { body: { ...note, ...target } });
  const interrupted = erase(ida.id, {
    patienceMs: 0,
    onWait(sentence) {
      if (sentence.includes('in memory')) {
        throw new RangeError('interrupted');
      }
    },
  });
  await expect(interrupted).rejects.toThrow('interrupted');
  const titlesSql = 'select target_title as title from activities where target_title is not null';
  expect((await platform.database.query(titlesSql)).rows).toEqual([]);
  await platform.startFanout();
  await platform.settle();
  expect((await platform.database.query(titlesSql)).rows).toEqual([{ title: target.targetTitle }]);

  expect(await erase(ida.id)).toMatchObject({ isDone: true, isResumed: true });
  await expectNothingOf(ida, ids);
});

test('a lock is waited for 10 s at most, and nobody is told then whose an object was, by whatever run it was taken', async () => {
  const { redis, namespace, database, ingest } = platform;
  const jan: Person = { id: 'jan-x7', words: 'redshank' };
  await ingest.succeed('PUT', '/v1/objects/photo/j-1', { actAs: jan.id, body: { title: jan.words } });
  await platform.settle();
  const { rows } = await database.query<{ epoch: string }>('select epoch::text from cache_epoch');
  const ownerIsKnown = (id: string) => `${namespace}:${rows[0]?.epoch}:object:photo:${id}`;
  const object = `1:1:${JSON.stringify({ title: jan.words, ownerId: jan.id, url: null })}`;
  const held = await inTransactionAs('tideline_eraser');
  await held.query('select from partition_fences order by log_partition for update');
  await expect(erase(jan.id, { memoryMs: 10 })).rejects.toMatchObject({ code: 'unavailable', retryable: true });
  await held.commit();
  const { rows: begun } = await database.query('select steps, objects from erasure_progress');
  expect(begun).toEqual([{ steps: ['keys'], objects: [['photo', 'j-1']] }]);

  // Somebody had it in hand; and somebody makes another one until the moment.
  await redis.set(ownerIsKnown('j-1'), object);
  let written: Promise<unknown> | undefined;
  const interrupted = erase(jan.id, {
    memoryMs: 1_000,
    onWait() {
      written ??= (async () => {
        await ingest.succeed('PUT', '/v1/objects/photo/j-2', { actAs: jan.id, body: { title: jan.words } });
        await redis.set(ownerIsKnown('j-2'), object);
      })();
    },
    onStep() {
      throw new RangeError('interrupted');
    },
  });
  await expect(interrupted).rejects.toThrow('interrupted');
  await written;
  expect(await redis.exists(ownerIsKnown('j-1'), ownerIsKnown('j-2'))).toBe(0);
  expect(await erase(jan.id)).toMatchObject({ isDone: true, isResumed: true, counts: { objects: 2 } });
  await expectNothingOf(jan, []);
});

test('the moment does not wait for a refresh of the materialised home feeds, which has all notes in hand', async () => {
  const kate: Person = { id: 'kate-x7', words: 'godwit' };
  await giveEverything(platform, kate);
  const ids = await idsOf(platform, kate);
  const refresh = await inTransactionAs('tideline_eraser');
  for (const table of ['contents_since_refresh', 'follows_since_refresh']) {
    expect((await refresh.query(`delete from ${table}`)).rowCount, table).toBeGreaterThan(0);
  }
  const steps: string[] = [];
  const erased = erase(kate.id, { onStep: (step) => steps.push(step) });
  await waitUntil(
    'a step after the moment waits',
    async () => steps.length > 1 && (await waitsForLock('tideline-erase')),
  );
  // Nobody waits with it: what is written is applied.
  await platform.ingest.succeed('PUT', '/v1/mutes/gina', { actAs: 'dora' });
  await platform.settle();
  await platform.ingest.succeed('DELETE', '/v1/mutes/gina', { actAs: 'dora' });
  await refresh.query('rollback');
  await refresh.commit();
  expect(await erased).toMatchObject({ isDone: true });
  await expectNothingOf(kate, ids);
});

test('while events are missing nothing is erased, because a replay could bring more', async () => {
  const { database } = platform;
  await database.query(`insert into missing_events (reason) values ('a test')`);
  try {
    expect(await tideline('erase', 'lena-x7', '--yes')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('npx tideline replay') as string,
    });
  } finally {
    await database.query('delete from missing_events');
  }
  const { rows } = await database.query('select from erasures where finished_at is null');
  expect(rows).toEqual([]);
});
