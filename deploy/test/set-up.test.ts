import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { openDatabase } from '@tideline/shared/database';
import { createLogger } from '@tideline/shared/logger';
import { redisConnection } from '@tideline/shared/redis-connection';
import { afterEach, expect, test } from 'vitest';
import { readSetUpConfig, type SetUpConfig } from '../src/setup/config.js';
import { deleteTopics } from '../src/setup/create-topics.js';
import { setUp } from '../src/setup/set-up.js';
import { tearDown } from '../src/setup/tear-down.js';

const migrations = readdirSync(new URL('../../shared/migrations/', import.meta.url))
  .map((file) => file.replace('.sql', ''))
  .sort();
const made: SetUpConfig[] = [];

afterEach(async () => {
  await Promise.all(made.splice(0).map(tearDown));
});

/** A configuration whose database and namespace do not exist yet. */
function freshConfig(): SetUpConfig {
  const name = `setup-${randomBytes(6).toString('hex')}`;
  const config = { ...readSetUpConfig(), namespace: name, partitions: 2 };
  const url = new URL(config.databaseUrl);
  url.pathname = `/${name}`;
  config.databaseUrl = url.href;
  made.push(config);
  return config;
}

async function linesOf(config: SetUpConfig): Promise<string[]> {
  const lines: string[] = [];
  await setUp(config, (line) => lines.push(line));
  return lines;
}

async function query<T>(config: SetUpConfig, sql: string): Promise<T[]> {
  const database = openDatabase({
    url: config.databaseUrl,
    applicationName: 'set-up-test',
    role: 'login',
    poolSize: 1,
    logger: createLogger('test', 'silent'),
  });
  try {
    return await database.any<T>(sql);
  } finally {
    await database.$pool.end();
  }
}

test('set-up makes what is missing, and a second one finds nothing to do', async () => {
  const config = freshConfig();

  expect(await linesOf(config)).toEqual([
    expect.stringContaining('created the database'),
    ...migrations.map((name) => `applied the migration ${name}`),
    expect.stringMatching(/^TimescaleDB is of the (Apache|community) edition/),
    expect.stringMatching(/created the topic \S+\.activities: 2 partitions, generation 1/),
    expect.stringMatching(/created the topic \S+\.activities\.dlq/),
  ]);
  expect(await linesOf(config)).toEqual([]);
  expect(await query(config, 'select generation, partitions from log_generations')).toEqual([
    { generation: 1, partitions: 2 },
  ]);
});

test('several set-ups at once do everything once', async () => {
  const config = freshConfig();

  const lines = (await Promise.all([linesOf(config), linesOf(config), linesOf(config)])).flat();

  expect(lines.filter((line) => line.startsWith('created the database'))).toHaveLength(1);
  expect(lines.filter((line) => line.startsWith('applied'))).toHaveLength(migrations.length);
  expect(lines.filter((line) => line.startsWith('created the topic'))).toHaveLength(2);
});

test('a topic that was made anew begins the next generation', async () => {
  const config = freshConfig();
  await setUp(config);
  await deleteTopics(config);

  await setUp(config);

  const rows = await query<{ generation: number }>(config, 'select generation from log_generations order by 1');
  expect(rows.map((row) => row.generation)).toEqual([1, 2]);
});

test('a topic whose partitions are not those of the record is refused', async () => {
  const config = freshConfig();
  await setUp(config);
  await query(config, 'update log_generations set partitions = 3');

  await expect(setUp(config)).rejects.toThrow(/has 2 partitions, but 3 when it was set up.*not supported yet/);
});

test('a migration that was changed after it was applied is refused', async () => {
  const config = freshConfig();
  await setUp(config);
  await query(config, "update migration_checksums set sha256 = 'another'");

  await expect(setUp(config)).rejects.toThrow(/migration 0001-schema was changed after this database got it/);
});

test('demo keys work in demo mode alone', async () => {
  const config = freshConfig();
  const valid = 'select name, user_id from api_keys where revoked_at is null order by name';

  await setUp({ ...config, demo: true });
  expect(await query(config, valid)).toEqual([
    { name: 'demo-producer', user_id: null },
    { name: 'eric', user_id: '3' },
    { name: 'ivan', user_id: '1' },
    { name: 'nico', user_id: '2' },
  ]);
  await setUp(config);
  expect(await query(config, valid)).toEqual([]);
  await setUp({ ...config, demo: true });
  expect(await query(config, valid)).toHaveLength(4);
});

test('a server that is away is named without the password', async () => {
  const config = { ...freshConfig(), databaseUrl: 'postgres://tideline:secret@127.0.0.1:1/gone' };
  made.pop();

  await expect(setUp(config)).rejects.toThrow(/^The database at 127\.0\.0\.1:1\/gone does not answer/);
});

test('Redis is made to tell of lost keys, and of what else it told before', async () => {
  const config = freshConfig();
  const redis = redisConnection(config.redisUrl, { connectTimeoutMs: 3_000, commandTimeoutMs: 3_000 });
  await redis.connect();
  const parameter = 'notify-keyspace-events';
  const before = (await redis.config('GET', parameter)) as string[];
  try {
    for (const [given, flags] of [
      ['', 'Exe'],
      ['Kg', 'KgExe'],
      ['KEA', 'KEA'],
    ] as const) {
      await redis.config('SET', parameter, given);
      await setUp(config);
      const [, found = ''] = (await redis.config('GET', parameter)) as string[];
      // Redis answers them in an order of its own.
      expect([...found].sort()).toEqual([...flags].sort());
    }
    expect(await linesOf(config)).toEqual([]);
  } finally {
    await redis.config('SET', parameter, before[1] ?? '');
    redis.disconnect();
  }
});

test('without Redis set-up says what is left to do, and does the rest', async () => {
  const config = { ...freshConfig(), redisUrl: 'redis://127.0.0.1:1' };
  expect((await linesOf(config)).at(-1)).toMatch(
    /^Redis does not tell of keys .* set notify-keyspace-events to Exe yourself$/,
  );
});

test('a setting about which services agree is changed for all by set-up, which says so', async () => {
  const config = freshConfig();
  await setUp(config);
  expect(await linesOf({ ...config, inboxCap: 400 })).toEqual([
    'TIDELINE_INBOX_CAP: 400 from now on, 500 before; restart the services with it',
  ]);
  expect(await linesOf({ ...config, inboxCap: 400 })).toEqual([]);
});
