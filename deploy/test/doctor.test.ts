import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createKafka } from '@tideline/shared/kafka-client';
import { createLogger } from '@tideline/shared/logger';
import { activitiesTopic, deadLetterTopic, fanoutGroup } from '@tideline/shared/topics';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ExamineOptions, examine } from '../src/doctor/examine.js';
import { topicResource } from '../src/setup/kafka-admin.js';
import { setUp } from '../src/setup/set-up.js';

const run = promisify(execFile);
const door = fileURLToPath(new URL('../bin/tideline.mjs', import.meta.url));
/** Kafka's number for settings that were made on a topic itself. */
const setOnTopicSource = 1;
const minuteMs = 60_000;

let platform: Platform;
let topic: string;
let deadLetters: string;
let groupId: string;
let blocker: pg.PoolClient | undefined;

beforeAll(async () => {
  platform = await startPlatform({ partitions: 2 });
  const { namespace } = platform;
  [topic, deadLetters, groupId] = [activitiesTopic(namespace), deadLetterTopic(namespace), fanoutGroup(namespace)];
  // In its second life already, so that there is an epoch before this one.
  await platform.redis.flushall();
  await useRedis();
});
afterAll(() => platform.stop());

function config() {
  return { ...platform.settings, partitions: 2, replicationFactor: 1 };
}

type Options = Partial<ExamineOptions>;

/** Which kinds of things doctor finds, in the order of the alphabet. */
async function codesOf(options: Options = {}): Promise<string[]> {
  const { findings } = await examine({
    config: config(),
    services: true,
    operationsUrls: operationsUrls(),
    patienceMs: 2_000,
    ...options,
  });
  return [...new Set(findings.map(({ code }) => code))].sort();
}

function operationsUrls(): string[] {
  const { ingestOperations, feedApiOperations, fanoutOperations } = platform.ports;
  return [ingestOperations, feedApiOperations, fanoutOperations]
    .filter((port) => port !== undefined)
    .map((port) => `http://127.0.0.1:${port}`);
}

async function post(): Promise<void> {
  const body = { verb: 'post', objectType: 'note', objectId: 'n1' };
  await platform.ingest.succeed('POST', '/v1/activities', { key: 'abc123', body });
}

/** Records that nobody wrote through the front door, in every partition, as old as is said. */
async function produce(value: string, ageMs = 0): Promise<void> {
  const { kafkaBrokers: brokers } = platform.settings;
  const producer = createKafka({ brokers, clientId: 'doctor-test', logger: createLogger('test', 'silent') }).producer();
  await producer.connect();
  const timestamp = String(Date.now() - ageMs);
  await producer.send({ topic, messages: [0, 1].map((partition) => ({ partition, key: 'x', value, timestamp })) });
  await producer.disconnect();
}

async function sql(text: string): Promise<void> {
  await platform.database.query(text);
}

async function setRedis(name: string, value: string): Promise<void> {
  await platform.redis.config('SET', name, value);
}

interface Fault {
  /** All that doctor finds because of it. */
  codes: string[];
  options?: () => Options;
  plant: () => Promise<unknown>;
  remove: () => Promise<unknown>;
}

const faults: Record<string, Fault> = {
  'an index that is gone': statements(
    'index_missing',
    'drop index follows_by_followee',
    'create index follows_by_followee on follows (followee_id, follower_id) where active',
  ),
  'an index of other columns': statements(
    'index_differs',
    'drop index follows_by_followee; create index follows_by_followee on follows (followee_id)',
    'drop index follows_by_followee; create index follows_by_followee on follows (followee_id, follower_id) where active',
  ),
  'an index that was not built to the end': statements(
    'index_invalid',
    "update pg_index set indisvalid = false where indexrelid = 'users_by_name'::regclass",
    "update pg_index set indisvalid = true where indexrelid = 'users_by_name'::regclass",
  ),
  'a table that is gone': statements(
    'table_missing',
    'create schema elsewhere; alter table marked_notifications set schema elsewhere',
    'alter table elsewhere.marked_notifications set schema public; drop schema elsewhere',
  ),
  'a column that is gone': statements(
    'column_missing',
    'alter table objects rename url to link',
    'alter table objects rename link to url',
  ),
  'a column of another type': statements(
    'column_differs',
    'alter table users alter name drop not null',
    'alter table users alter name set not null',
  ),
  'a constraint that is gone': statements(
    'constraint_missing',
    'alter table follows drop constraint follows_check',
    'alter table follows add check (follower_id <> followee_id)',
  ),
  'a trigger that is gone': statements(
    'trigger_missing',
    'alter trigger follows_are_counted_on_insert on follows rename to another',
    'alter trigger another on follows rename to follows_are_counted_on_insert',
  ),
  'events that can be changed': statements(
    'trigger_disabled',
    'alter table control_activities disable trigger control_activities_are_immutable',
    'alter table control_activities enable trigger control_activities_are_immutable',
  ),
  'a function that was rewritten': statements(
    'function_differs',
    functionReturning('null::uuid'),
    functionReturning(
      "(lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid",
    ),
  ),
  'chunks of another interval': statements(
    'hypertable_differs',
    "select set_chunk_time_interval('activities', interval '1 day')",
    "select set_chunk_time_interval('activities', interval '7 days')",
  ),
  'a migration that was edited': statements(
    'migration_changed',
    "update migration_checksums set sha256 = 'x' || sha256 where name = '0001-schema'",
    "update migration_checksums set sha256 = substr(sha256, 2) where name = '0001-schema'",
  ),
  'a migration that was not applied': statements(
    'migration_missing',
    "update migrations set name = 'migration ' || name where name = '0003-agreed-settings'",
    "update migrations set name = '0003-agreed-settings' where name like 'migration %'",
    'migration_unknown',
  ),
  'a grant that is gone': statements(
    'grants_missing',
    'revoke select on api_keys from tideline_ingest',
    'grant select on api_keys to tideline_ingest',
  ),
  'a grant too much': statements(
    'grants_extra',
    'grant delete on follows to tideline_fanout',
    'revoke delete on follows from tideline_fanout',
  ),
  'a role that may do more': statements(
    'role_powerful',
    'grant tideline_eraser to tideline_feed_api',
    'revoke tideline_eraser from tideline_feed_api',
  ),
  'events that are missing': statements('events_missing', "select close_feeds('a test')", 'select open_feeds()'),
  'closed projections': statements('projections_closed', 'select close_projections()', 'select open_projections()'),
  'a database that does not wait for the disk': system('fsync'),
  'a database that can be half written': system('full_page_writes'),
  'a database without autovacuum': system('autovacuum'),
  'commits that are not waited for': ofDatabase(
    'database_synchronous_commit',
    'set synchronous_commit = off',
    'reset synchronous_commit',
  ),
  'too few connections': ofDatabase('database_connections_few', 'connection limit 39', 'connection limit -1'),
  'a database that takes no writes': {
    codes: ['database_read_only'],
    options: () => {
      const databaseUrl = new URL(platform.settings.databaseUrl);
      databaseUrl.searchParams.set('options', '-c default_transaction_read_only=on');
      return { config: { ...config(), databaseUrl: databaseUrl.href } };
    },
    plant: nothing,
    remove: nothing,
  },
  'a setting that others do not have': {
    codes: ['agreed_setting'],
    options: () => ({ config: { ...config(), inboxCap: 400 } }),
    plant: nothing,
    remove: nothing,
  },
  'content that was to go': {
    codes: ['agreed_setting', 'retention_behind'],
    options: () => ({ config: { ...config(), retentionDays: 30 } }),
    plant: nothing,
    remove: nothing,
  },
  'chunks that were to go': {
    codes: ['agreed_setting', 'chunks_expired'],
    options: () => ({ config: { ...config(), retentionDays: 3_650 } }),
    plant: async () => {
      await sql(`insert into activities select * from jsonb_populate_record(null::activities, $activity$
        {"id": "00e3c7a7-3400-7000-8000-000000000001", "time": "2001-01-01Z", "actor_id": "a", "verb": "post", "object_type": "note",
         "object_id": "n", "caller_id": "c", "request_id": "r", "accepted_at": "2001-01-01", "log_generation": 0, "log_partition": 0, "log_offset": 0}
        $activity$)`);
      await sql("update retention set horizon = '2020-01-02', moved_at = now() - interval '3 hours'");
    },
    remove: async () => {
      await sql('select drop_expired_chunks()');
      await sql("update retention set horizon = 'epoch', moved_at = now()");
    },
  },
  'Redis on disk': redis('redis_persistence', 'save', '3600 1'),
  'Redis that evicts anything': redis('redis_eviction_policy', 'maxmemory-policy', 'allkeys-lru'),
  'Redis that evicts nothing': redis('redis_eviction_policy', 'maxmemory-policy', 'noeviction'),
  'Redis without a bound': redis('redis_maxmemory', 'maxmemory', '0'),
  'Redis that tells of no lost keys': redis('redis_keyspace_events', 'notify-keyspace-events', ''),
  'Redis that tells of every write': redis('redis_keyspace_events_costly', 'notify-keyspace-events', 'KEA'),
  'a cache of another life': {
    codes: ['cache_epoch_missing', 'cache_epoch_other'],
    plant: () => platform.redis.flushall(),
    // Whoever uses Redis next notices, here both that write to it.
    remove: useRedis,
  },
  'a database older than the cache': {
    codes: ['cache_epoch_ahead'],
    plant: () => platform.redis.set(`${platform.namespace}:{b017}:epoch`, '1000'),
    remove: async () => platform.redis.set(`${platform.namespace}:{b017}:epoch`, await cacheEpoch()),
  },
  'a later owner than the database knows': {
    codes: ['fence_ahead'],
    plant: async () => platform.redis.hset(`${platform.namespace}:{b017}:${await cacheEpoch()}:fence`, '0', '1000'),
    remove: async () => platform.redis.del(`${platform.namespace}:{b017}:${await cacheEpoch()}:fence`),
  },
  'a sequence that gives out again': statements(
    'sequence_behind',
    "select setval('cache_epochs', 1)",
    "select setval('cache_epochs', (select epoch from cache_epoch))",
  ),
  'a topic of other partitions than was recorded': statements(
    'topic_partitions',
    'update log_generations set partitions = partitions + 1',
    'update log_generations set partitions = partitions - 1',
  ),
  'a topic that is gone': {
    codes: ['topic_missing'],
    plant: () => platform.admin.deleteTopics({ topics: [deadLetters] }),
    remove: () => setUp(config()),
  },
  'a topic that takes nothing': ofTopic('topic_min_insync', 'min.insync.replicas', '2'),
  'a topic that any broker may lead': ofTopic('topic_unclean_election', 'unclean.leader.election.enable', 'true'),
  'a topic that is compacted': ofTopic('topic_cleanup_policy', 'cleanup.policy', 'compact'),
  'a topic of small batches': ofTopic('topic_message_bytes', 'max.message.bytes', '65536'),
  'a topic that is bounded in bytes': ofTopic('topic_retention_bytes', 'retention.bytes', '1000000'),
  'a topic that keeps as long as others': ofTopic('topic_retention_implicit', 'retention.ms', undefined),
  'records that were set aside': {
    codes: ['dead_letters'],
    plant: async () => {
      await produce('{}');
      await platform.settle();
    },
    remove: () => dropRecords(deadLetters),
  },
  'a fanout that does not run': {
    codes: ['group_empty'],
    plant: () => platform.stopFanout(),
    remove: () => platform.startFanout(),
  },
  'a fanout that does not move': {
    codes: ['group_stuck'],
    plant: async () => {
      blocker = await platform.database.connect();
      await blocker.query('begin');
      await blocker.query('lock table activities in share mode');
      await post();
    },
    remove: async () => {
      await blocker?.query('rollback');
      blocker?.release();
      await platform.settle();
    },
  },
  'a fanout that is far behind': {
    codes: ['group_behind', 'group_empty'],
    plant: async () => {
      await platform.stopFanout();
      // Kafka looks for the first record of a time from where the log begins.
      await dropRecords(topic);
      await produce('{}', 10 * minuteMs);
    },
    remove: async () => {
      await platform.startFanout();
      await platform.settle();
      await dropRecords(deadLetters);
    },
  },
  'records that Kafka is about to drop': {
    codes: ['group_behind', 'lag_near_retention'],
    options: withoutServices,
    plant: async () => {
      await platform.stopFanout();
      // Kafka looks for the first record of a time from where the log begins.
      await dropRecords(topic);
      await produce('{}', 10 * minuteMs);
      await setOnTopic('retention.ms', String(15 * minuteMs));
    },
    remove: async () => {
      await platform.startFanout();
      await platform.settle();
      await setOnTopic('retention.ms', String(7 * 24 * 60 * minuteMs));
      await dropRecords(deadLetters);
    },
  },
  'records that Kafka dropped': {
    codes: ['records_dropped'],
    options: withoutServices,
    plant: async () => {
      await platform.stopFanout();
      await post();
      await dropRecords(topic);
    },
    remove: restartAtTheEnd,
  },
  'a topic that was made anew': {
    codes: ['topic_recreated'],
    options: withoutServices,
    plant: async () => {
      await platform.stopFanout();
      await platform.admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '5000' }] });
    },
    remove: restartAtTheEnd,
  },
  'clocks that differ': {
    codes: ['clock_skew'],
    options: () => ({ now: () => Date.now() - 10_000 }),
    plant: nothing,
    remove: nothing,
  },
  'a service that does not answer': {
    codes: ['service_not_ready'],
    options: () => ({ operationsUrls: ['http://127.0.0.1:1'] }),
    plant: nothing,
    remove: nothing,
  },
  'a database that does not answer': {
    codes: ['database_unreachable'],
    options: () => ({ config: { ...config(), databaseUrl: 'postgres://a:b@127.0.0.1:1/c' } }),
    plant: nothing,
    remove: nothing,
  },
  'a database that was never set up': {
    codes: ['not_set_up'],
    options: () => ({ config: { ...config(), databaseUrl: new URL('/never', platform.settings.databaseUrl).href } }),
    plant: nothing,
    remove: nothing,
  },
  'Redis that does not answer': {
    codes: ['redis_unreachable'],
    options: () => ({ config: { ...config(), redisUrl: 'redis://127.0.0.1:1' } }),
    plant: nothing,
    remove: nothing,
  },
  'Kafka that does not answer': {
    codes: ['kafka_unreachable'],
    options: () => ({ config: { ...config(), kafkaBrokers: ['127.0.0.1:1'] } }),
    plant: nothing,
    remove: nothing,
  },
};

test('on a healthy system nothing is found', async () => {
  expect(await codesOf()).toEqual([]);
});

test.each(Object.entries(faults))('%s is found, alone, until it is mended', async (_what, fault) => {
  const { codes, options = () => ({}), plant, remove } = fault;
  try {
    await plant();
    expect(await codesOf(options())).toEqual(codes);
  } finally {
    await remove();
  }
  await waitUntil('nothing is found any more', async () => (await codesOf()).length === 0);
});

test('ids that scripts do not compare by their bytes are found', async (context) => {
  try {
    await setRedis('locale-collate', 'en_US.UTF-8');
  } catch {
    return context.skip('the server has no locale that orders otherwise');
  }
  try {
    expect(await codesOf()).toEqual(['redis_locale']);
  } finally {
    await setRedis('locale-collate', 'C');
  }
});

async function doctor(args: string[], changes: NodeJS.ProcessEnv = {}): Promise<{ status: number; stdout: string }> {
  const { databaseUrl, redisUrl, kafkaBrokers, namespace } = platform.settings;
  const env = {
    ...process.env,
    TIDELINE_DATABASE_URL: databaseUrl,
    TIDELINE_REDIS_URL: redisUrl,
    TIDELINE_KAFKA_BROKERS: kafkaBrokers.join(','),
    TIDELINE_NAMESPACE: namespace,
    ...changes,
  };
  try {
    return { status: 0, stdout: (await run(process.execPath, [door, 'doctor', ...args], { env })).stdout };
  } catch (error) {
    const { code, stdout } = error as { code: number; stdout: string };
    return { status: code, stdout };
  }
}

test('the command says what is wrong and what mends it; faults fail, warnings do not', async () => {
  expect(await doctor([])).toEqual({ status: 0, stdout: expect.stringMatching(/^Nothing is wrong: \d+ checks\.\n$/) });

  const wrong = await doctor(['--service', 'http://127.0.0.1:1/'], { TIDELINE_INBOX_CAP: '400' });
  expect(wrong.status).toBe(1);
  expect(wrong.stdout).toMatch(
    /^FAULT {4}agreed_setting\n {2}TIDELINE_INBOX_CAP is 400 here, .*\n {2}Set TIDELINE_INBOX_CAP/,
  );
  expect(wrong.stdout).toMatch(/\nFAULT {4}service_not_ready\n[\s\S]*\n2 faults and 0 warnings in \d+ checks\.\n$/);

  await setRedis('save', '3600 1');
  try {
    const { status, stdout } = await doctor(['--json']);
    expect([status, JSON.parse(stdout)]).toMatchObject([
      0,
      { faults: 0, warnings: 1, findings: [{ severity: 'warning', code: 'redis_persistence' }] },
    ]);
  } finally {
    await setRedis('save', '');
  }
});

function statements(code: string, plant: string, remove: string, ...moreCodes: string[]): Fault {
  return { codes: [code, ...moreCodes], plant: () => sql(plant), remove: () => sql(remove) };
}

function functionReturning(body: string): string {
  return `create or replace function first_activity_id(at timestamptz) returns uuid
    language sql immutable strict parallel safe return ${body}`;
}

/** A setting of the whole server; it is read again, not restarted. */
function system(name: string): Fault {
  const set = async (value: string) => {
    await sql(`alter system set ${name} = ${value}`);
    await sql('select pg_reload_conf()');
    await waitUntil(`${name} is ${value}`, async () => {
      const { rows } = await platform.database.query<{ setting: string }>(
        `select current_setting('${name}') as setting`,
      );
      return rows[0]?.setting === value;
    });
  };
  return { codes: [`database_${name}`], plant: () => set('off'), remove: () => set('on') };
}

function ofDatabase(code: string, plant: string, remove: string): Fault {
  const alter = (how: string) => sql(`alter database "${databaseName()}" ${how}`);
  return { codes: [code], plant: () => alter(plant), remove: () => alter(remove) };
}

function databaseName(): string {
  return new URL(platform.settings.databaseUrl).pathname.slice(1);
}

function redis(code: string, name: string, value: string): Fault {
  let before = '';
  return {
    codes: [code],
    async plant() {
      [, before = ''] = (await platform.redis.config('GET', name)) as string[];
      await setRedis(name, value);
    },
    remove: () => setRedis(name, before),
  };
}

function ofTopic(code: string, name: string, value: string | undefined): Fault {
  let before: string | undefined;
  return {
    codes: [code],
    async plant() {
      before = (await settingsOnTopic()).get(name);
      await setOnTopic(name, value);
    },
    remove: () => setOnTopic(name, before),
  };
}

async function settingsOnTopic(): Promise<Map<string, string>> {
  const { resources } = await platform.admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: topicResource, name: topic }],
  });
  const entries = resources[0]?.configEntries ?? [];
  return new Map(
    entries
      .filter(({ configSource }) => Number(configSource) === setOnTopicSource)
      .map(({ configName, configValue }) => [configName, configValue]),
  );
}

/** Kafka replaces all settings of a topic at once. */
async function setOnTopic(name: string, value: string | undefined): Promise<void> {
  const settings = await settingsOnTopic();
  settings.delete(name);
  if (value !== undefined) {
    settings.set(name, value);
  }
  const configEntries = [...settings].map(([each, text]) => ({ name: each, value: text }));
  await platform.admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: topicResource, name: topic, configEntries }],
  });
}

async function cacheEpoch(): Promise<string> {
  const { rows } = await platform.database.query<{ epoch: string }>('select epoch::text from cache_epoch');
  return rows[0]?.epoch ?? '';
}

/** Has every service that writes to Redis notice what became of it. */
async function useRedis(): Promise<void> {
  await post();
  await platform.settle();
  await platform.feedApi.walk('/v1/feeds/home', '1', 10);
}

async function dropRecords(of: string): Promise<void> {
  const ends = await platform.admin.fetchTopicOffsets(of);
  const partitions = ends.map(({ partition, high }) => ({ partition, offset: high }));
  await platform.admin.deleteTopicRecords({ topic: of, partitions });
}

async function restartAtTheEnd(): Promise<void> {
  const ends = await platform.admin.fetchTopicOffsets(topic);
  await platform.admin.setOffsets({
    groupId,
    topic,
    partitions: ends.map(({ partition, high }) => ({ partition, offset: high })),
  });
  await platform.startFanout();
}

function withoutServices(): Options {
  return { services: false };
}

async function nothing(): Promise<void> {}
