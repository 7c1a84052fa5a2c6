import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { activityIdMinter, activityIdToBytes } from '@tideline/shared/activity-id';
import { type ActivityRecord, recordVersion } from '@tideline/shared/activity-record';
import { createKafka } from '@tideline/shared/kafka-client';
import { createLogger } from '@tideline/shared/logger';
import { deadLetterTopic, fanoutGroup } from '@tideline/shared/topics';
import type { PageBody } from '@tideline/testing/http-client';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { tidelineProgram } from '../src/cli/program.js';
import { discardLetters } from '../src/dead-letters/decide-letters.js';
import { withLetterTools } from '../src/dead-letters/letter-tools.js';
import { listJson } from '../src/dead-letters/letters-text.js';
import { type LetterChoice, listLetters } from '../src/dead-letters/list-letters.js';

/** What is put aside can be looked at, and put back to where it was. */

const run = promisify(execFile);
const door = fileURLToPath(new URL('../run.mjs', import.meta.url));
const mintId = activityIdMinter();
/** The database of this test refuses what came with this request id, while it is told to. */
const refused = 'refused';

let platform: Platform;
let producer: ReturnType<ReturnType<typeof createKafka>['producer']>;
let users = 0;
let anna: string;
let ben: string;

beforeAll(async () => {
  platform = await startPlatform({ partitions: 3, followerThreshold: 1 });
  producer = createKafka({
    brokers: platform.settings.kafkaBrokers,
    clientId: 'tideline-test',
    logger: createLogger('test', 'silent'),
  }).producer({ allowAutoTopicCreation: false });
  await producer.connect();
  await platform.database.query(
    `create function refuse_some() returns trigger language plpgsql as $$
     begin raise exception 'refused by the test'; end $$`,
  );
});
afterAll(async () => {
  await producer.disconnect();
  await platform.stop();
});
beforeEach(async () => {
  await accept();
  users += 1;
  anna = `anna-${users}`;
  ben = `ben-${users}`;
});

interface Ended {
  status: number;
  stdout: string;
  stderr: string;
}

async function deadLetters(...args: string[]): Promise<Ended> {
  const { databaseUrl, redisUrl, kafkaBrokers, namespace } = platform.settings;
  const env = {
    ...process.env,
    TIDELINE_DATABASE_URL: databaseUrl,
    TIDELINE_REDIS_URL: redisUrl,
    TIDELINE_KAFKA_BROKERS: kafkaBrokers.join(','),
    TIDELINE_NAMESPACE: namespace,
  };
  try {
    return { status: 0, ...(await run(process.execPath, [door, 'tideline', 'dead-letters', ...args], { env })) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { status: code, stdout, stderr };
  }
}

interface ListedLetter {
  letter: string;
  state: string;
  stage: string;
  attempts: number;
  partition: number;
  offset: number;
  generation: number;
  key: string;
  errorClass: string;
  headers: Record<string, string>;
}

/** As `list --json` has them, without a process of its own. */
async function listed(choice: Partial<LetterChoice> = {}): Promise<ListedLetter[]> {
  const list = await withLetterTools(platform.settings, (tools) =>
    listLetters(tools, { stage: undefined, decided: false, ...choice }, 1_000),
  );
  return listJson(list)['letters'] as ListedLetter[];
}

async function discardAll(reason: string): Promise<void> {
  await withLetterTools(platform.settings, (tools) =>
    discardLetters(tools, { stage: undefined }, reason, { onProgress: () => undefined }),
  );
}

/** Until `accept` the database refuses records of requests that are called `refused`. */
async function refuse(): Promise<void> {
  for (const table of ['activities', 'control_activities']) {
    await platform.database.query(
      `create trigger refuse_some before insert on ${table} for each row
       when (new.request_id = '${refused}') execute function refuse_some()`,
    );
  }
}

async function accept(): Promise<void> {
  for (const table of ['activities', 'control_activities']) {
    await platform.database.query(`drop trigger if exists refuse_some on ${table}`);
  }
}

const refusedRequest = { headers: { 'x-request-id': refused } };

async function post(objectId: string, request = {}): Promise<string> {
  const body = { actorId: anna, verb: 'post', objectType: 'note', objectId };
  return (await platform.ingest.succeed<{ id: string }>('POST', '/v1/activities', { body, ...request })).id;
}

async function follow(method: 'PUT' | 'DELETE', request = {}): Promise<void> {
  await platform.ingest.succeed(method, `/v1/follows/${anna}`, { actAs: ben, ...request });
}

async function home(strategy: string): Promise<string[]> {
  const path = `/v1/feeds/home?strategy=${strategy}`;
  return (await platform.feedApi.succeed<PageBody>('GET', path, { actAs: ben })).items.map(({ id }) => id);
}

async function notificationIds(): Promise<string[]> {
  const page = await platform.feedApi.succeed<PageBody>('GET', '/v1/feeds/notifications', { actAs: anna });
  return page.items.map(({ id }) => id);
}

test('a post that was given up is put back between those before and after it, with its version', async () => {
  await post('zero');
  await platform.settle();
  await follow('PUT');
  await platform.settle();
  await home('hybrid');
  await platform.settle();
  await refuse();
  const ids = [await post('first'), await post('second', refusedRequest), await post('third')];
  await platform.settle();
  expect(await home('hybrid')).toEqual([ids[2], ids[0], expect.any(String)]);

  const [letter] = await listed();
  expect(letter).toMatchObject({ state: 'open', stage: 'apply', attempts: 1, generation: 1, key: anna });
  expect(letter?.headers).toMatchObject({ v: '1', 'request-id': refused });
  expect((await deadLetters('list')).stdout).toMatch(/^1 open dead letter, of 1 on the topic: 1 apply\.\n\nLETTER/);
  const shown = JSON.parse((await deadLetters('show', letter?.letter ?? '', '--json')).stdout) as { value: string };
  expect(JSON.parse(shown.value)).toMatchObject({ id: ids[1], actorId: anna });
  expect((await deadLetters('show', letter?.letter ?? '')).stdout).toContain('refused by the test');

  expect(await deadLetters('replay', letter?.letter ?? '')).toMatchObject({
    status: 1,
    stdout: expect.stringContaining('1 given up again') as string,
  });
  const [again] = await listed();
  expect(again).toMatchObject({ stage: 'apply', attempts: 2, offset: letter?.offset, partition: letter?.partition });

  await accept();
  expect(await deadLetters('replay', '--all')).toMatchObject({
    status: 0,
    stdout: 'Replayed 1 letter: 1 applied.\n',
  });
  const expected = [ids[2], ids[1], ids[0], expect.any(String)];
  for (const strategy of ['hybrid', 'push', 'pull']) {
    expect(await home(strategy), strategy).toEqual(expected);
  }
  const { rows } = await platform.database.query(
    'select log_generation, log_partition, log_offset::integer from activities where id = $1',
    [ids[1]],
  );
  expect(rows).toEqual([{ log_generation: 1, log_partition: letter?.partition, log_offset: letter?.offset }]);
  expect(await listed()).toEqual([]);
  expect((await listed({ decided: true })).map(({ state }) => state)).toEqual(['applied', 'applied']);
  expect(await deadLetters('discard', letter?.letter ?? '', '--reason', 'too late')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('was replayed') as string,
  });
});

test('a follow that is replayed does not win against the unfollow after it, and says so nowhere', async () => {
  await post('one');
  await platform.settle();
  await refuse();
  await follow('PUT', refusedRequest);
  await platform.settle();
  await accept();
  await follow('PUT');
  await follow('DELETE');
  await platform.settle();
  expect(await deadLetters('replay', '--all')).toMatchObject({ status: 0 });
  await platform.settle();
  expect(await home('hybrid')).toEqual([]);
  expect(await home('pull')).toEqual([]);
  expect(await notificationIds()).toEqual([]);
  await expectTrueNotifications();
});

test('a follow that is replayed before another one is the one that notifies, and the other one no more', async () => {
  await post('one');
  await platform.settle();
  await notificationIds();
  await refuse();
  await follow('PUT', refusedRequest);
  await platform.settle();
  await accept();
  await follow('PUT');
  await platform.settle();
  const before = await notificationIds();
  expect(before).toHaveLength(1);
  const [letter] = await listed();
  expect(await deadLetters('replay', '--all')).toMatchObject({ status: 0 });
  await platform.settle();
  const after = await notificationIds();
  expect(after).toHaveLength(1);
  expect(after).not.toEqual(before);
  const shown = JSON.parse((await deadLetters('show', letter?.letter ?? '', '--json')).stdout) as { value: string };
  expect(after).toEqual([(JSON.parse(shown.value) as { id: string }).id]);
  await expectTrueNotifications();
});

async function expectTrueNotifications(): Promise<void> {
  const of = (source: string) =>
    platform.database.query(`select id, actor_id from ${source} where user_id = $1 order by id`, [anna]);
  expect((await of('notifications')).rows).toEqual((await of('happened_notifications')).rows);
}

test('a replay that ended between commit and delivery is delivered, also after its author was pulled', async () => {
  await post('zero');
  await platform.settle();
  await follow('PUT');
  await refuse();
  const id = await post('late', refusedRequest);
  await platform.settle();
  await accept();
  // A second follower takes the author over the threshold.
  await platform.ingest.succeed('PUT', `/v1/follows/${anna}`, { actAs: `carol-${users}` });
  await platform.settle();
  const { rows } = await platform.database.query('select mode from authors where author_id = $1', [anna]);
  expect(rows).toEqual([{ mode: 'pull' }]);
  // The outbox is built, so that it is written to.
  await platform.feedApi.succeed('GET', `/v1/users/${anna}/feed`, { actAs: ben });
  await platform.settle();
  const [letter] = await listed();
  const offsetsBefore = await platform.admin.fetchTopicOffsets(platform.topic);
  expect(await deadLetters('replay', '--all')).toMatchObject({ status: 0 });
  await platform.stopFanout();

  // As if the process had been killed before it told Redis.
  const key = (await platform.redis.keys(`${platform.namespace}:*:out:${anna}`))[0] ?? '';
  expect(await platform.redis.lrem(key, 1, activityIdToBytes(id))).toBe(1);
  const offset = offsetsBefore.find(({ partition }) => partition === letter?.partition)?.high ?? '';
  await platform.admin.setOffsets({
    groupId: fanoutGroup(platform.namespace),
    topic: platform.topic,
    partitions: [{ partition: letter?.partition ?? -1, offset }],
  });
  await platform.startFanout();
  await platform.settle();
  expect(await platform.redis.lpos(key, activityIdToBytes(id))).toBe(0);
  expect(await home('hybrid')).toContain(id);
  expect(await home('pull')).toContain(id);
});

function followRecord(changes: Partial<ActivityRecord> = {}): ActivityRecord {
  const acceptedAt = Date.now();
  return {
    v: recordVersion,
    kind: 'follow',
    verb: 'follow',
    id: mintId(acceptedAt),
    actorId: ben,
    objectType: 'user',
    objectId: anna,
    callerId: 'test',
    requestId: 'test',
    acceptedAt,
    ...changes,
  } as ActivityRecord;
}

async function send(record: unknown, headers: Record<string, string> = {}): Promise<void> {
  await producer.send({
    topic: platform.topic,
    acks: -1,
    messages: [{ partition: 0, key: anna, value: JSON.stringify(record), headers }],
  });
  await platform.settle();
}

test.each<[string, Record<string, string>]>([
  ['a place that no operator gave it', { generation: '1', partition: '0', offset: '0' }],
  ['a place that is still to come', { generation: '1', partition: '0', offset: '9007199254740991' }],
  ['a generation that is still to come', { generation: '2', partition: '0', offset: '0' }],
  ['another partition', { generation: '1', partition: '1', offset: '0' }],
  ['half a place', { generation: '1' }],
  ['no place', { generation: '1', partition: '0', offset: '-1' }],
])('a record that names %s is not believed, and goes aside', async (what, place) => {
  const record = followRecord();
  if (what.includes('still to come') || what.includes('another partition')) {
    // Not even where a forged letter made an operator agree.
    await platform.database.query(
      `insert into dead_letter_decisions (letter_partition, letter_offset, letter_time, decision, log_generation,
         log_partition, log_offset, value_sha256)
       values (0, 1000000 + $4, now(), 'replayed', $1, $2, $3, sha256($5))`,
      [place['generation'], place['partition'], place['offset'], users, Buffer.from(JSON.stringify(record))],
    );
  }
  const headers = Object.fromEntries(Object.entries(place).map(([name, value]) => [`tideline-${name}`, value]));
  await send(record, headers);
  const [letter] = await listed();
  expect(letter).toMatchObject({ stage: 'replay', errorClass: 'ReplayRefusedError', attempts: 1, partition: 0 });
  const { rows } = await platform.database.query('select 1 from follows where follower_id = $1', [ben]);
  expect(rows).toEqual([]);
  await discardAll('forged');
});

test('a record that is replayed to the place of another one is refused', async () => {
  const record = followRecord();
  await send(record);
  const { rows } = await platform.database.query<{ log_offset: string }>(
    'select log_offset from control_activities where id = $1',
    [record.id],
  );
  const place = { partition: '0', generation: '1', offset: rows[0]?.log_offset ?? '' };
  await producer.send({
    topic: deadLetterTopic(platform.namespace),
    acks: -1,
    messages: [
      {
        key: anna,
        value: JSON.stringify(followRecord({ actorId: `mallory-${users}` })),
        headers: Object.fromEntries([
          ['tideline-topic', platform.topic],
          ...Object.entries(place).map(([name, value]) => [`tideline-${name}`, value]),
        ]) as Record<string, string>,
      },
    ],
  });
  expect(await deadLetters('replay', '--all')).toMatchObject({ status: 1 });
  expect(await listed()).toMatchObject([{ stage: 'replay', attempts: 2 }]);
  const { rows: follows } = await platform.database.query('select 1 from follows where follower_id = $1', [
    `mallory-${users}`,
  ]);
  expect(follows).toEqual([]);
  await discardAll('forged');
});

test('what a newer release wrote is replayed by its stage, given up again, and discarded with a reason', async () => {
  await send({ ...followRecord(), v: recordVersion + 1, follows: anna });
  await send('no record');
  expect((await listed({ stage: 'version' })).map(({ stage }) => stage)).toEqual(['version']);
  expect(await deadLetters('replay', '--all', '--stage', 'version')).toMatchObject({ status: 1 });
  expect((await listed()).map(({ stage, attempts }) => [stage, attempts])).toEqual([
    ['version', 2],
    ['decode', 1],
  ]);
  expect(await deadLetters('discard', '--all', '--reason', 'a test')).toMatchObject({
    status: 0,
    stdout: 'Discarded 2 letters.\n',
  });
  expect(await listed()).toEqual([]);
  const decided = await deadLetters('list', '--decided', '--limit', '1', '--json');
  const [newest] = (JSON.parse(decided.stdout) as { letters: ListedLetter[] }).letters;
  expect(newest).toMatchObject({ state: 'discarded', reason: 'a test', attempts: 2 });
});

test('a letter that something else wrote can be looked at and discarded, and is not replayed', async () => {
  await producer.send({
    topic: deadLetterTopic(platform.namespace),
    acks: -1,
    messages: [{ key: null, value: Buffer.from([0xff, 0x1b, 0x5b]), headers: { 'tideline-offset': 'x\u001b[2J' } }],
  });
  const [letter] = await listed();
  expect(letter).toMatchObject({ state: 'open', key: null });
  const { stdout } = await deadLetters('show', letter?.letter ?? '');
  expect(stdout).not.toContain('\u001b');
  expect(stdout).toContain('in base64:\n/xtb');
  expect(await deadLetters('replay', '--all')).toMatchObject({
    status: 1,
    stdout: expect.stringContaining(`or have not all of it: ${letter?.letter}`) as string,
  });
  await discardAll('whose?');
});

test('when the log is read again, what was decided about is not put aside again', async () => {
  await send('bad before');
  await discardAll('bad');
  const count = async () => (await listed({ decided: true })).length;
  const before = await count();
  await platform.stopFanout();
  await platform.admin.setOffsets({
    groupId: fanoutGroup(platform.namespace),
    topic: platform.topic,
    partitions: [0, 1, 2].map((partition) => ({ partition, offset: '0' })),
  });
  await platform.startFanout();
  await platform.settle();
  expect(await listed()).toEqual([]);
  expect(await count()).toBe(before);
});

test('a letter that is not there is said not to be there', async () => {
  const { status, stderr } = await deadLetters('show', '0:99999999');
  expect([status, stderr]).toEqual([2, expect.stringContaining('There is no dead letter 0:99999999')]);
});

test.each([
  ['nothing', ['replay'], 'Name letters, or say --all'],
  ['both', ['replay', '0:1', '--all'], 'Name letters, or say --all'],
  ['a stage of named ones', ['replay', '0:1', '--stage', 'apply'], '--stage goes with --all'],
  ['no name', ['show', 'x'], 'names no letter'],
  ['no reason', ['discard', '0:1', '--reason', ' '], '--reason'],
])('%s is wrong usage, in a sentence', async (_what, args, sentence) => {
  const parsed = tidelineProgram().parseAsync(['dead-letters', ...args], { from: 'user' });
  await expect(parsed).rejects.toMatchObject({
    code: 'configuration',
    message: expect.stringContaining(sentence) as string,
  });
});
