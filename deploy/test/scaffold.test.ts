import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readSetUpConfig } from '../src/setup/config.js';
import { tearDown } from '../src/setup/tear-down.js';

const run = promisify(execFile);
const door = fileURLToPath(new URL('../bin/tideline.mjs', import.meta.url));

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform({ partitions: 1 });
});
afterAll(() => platform.stop());

interface Ended {
  status: number;
  stdout: string;
  stderr: string;
}

async function setup(args: string[] = [], changes: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const { databaseUrl, redisUrl, kafkaBrokers, namespace } = platform.settings;
  const env = {
    ...process.env,
    TIDELINE_DATABASE_URL: databaseUrl,
    TIDELINE_REDIS_URL: redisUrl,
    TIDELINE_KAFKA_BROKERS: kafkaBrokers.join(','),
    TIDELINE_NAMESPACE: namespace,
    TIDELINE_PARTITIONS: '1',
    TIDELINE_DEMO: '1',
    ...changes,
  };
  try {
    return { status: 0, ...(await run(process.execPath, [door, 'setup', ...args], { env })) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { status: code, stdout, stderr };
  }
}

test('from nothing it makes database, schema and topics, and doctor finds nothing wrong', async () => {
  const name = `scaffold-${randomBytes(6).toString('hex')}`;
  const databaseUrl = new URL(`/${name}`, platform.settings.databaseUrl).href;
  const environment = { TIDELINE_DATABASE_URL: databaseUrl, TIDELINE_NAMESPACE: name };
  try {
    const { status, stdout } = await setup([], environment);
    expect(stdout).toContain(`created the database ${name}`);
    expect(stdout).toContain('applied the migration 0001-schema');
    expect(stdout).toContain(`created the topic ${name}.activities: 1 partitions`);
    expect(stdout).toMatch(/\nset up: everything is there\n$/);
    expect(status).toBe(0);

    const env = { ...process.env, ...environment };
    const doctor = await run(process.execPath, [door, 'doctor', '--no-services'], { env });
    expect(doctor.stdout).toMatch(/^Nothing is wrong: \d+ checks\.\n$/);
  } finally {
    await tearDown({ ...readSetUpConfig(), databaseUrl, namespace: name });
  }
});

test('a sample source is made once, and can post', async () => {
  const first = await setup(['--sample-source', 'shop']);
  expect(first).toMatchObject({ status: 0, stdout: expect.stringContaining('made the sample source shop.') as string });
  const [, key = '', body = ''] = /X-App-Key: (tl_\S+)'.* -d '(\{.*\})'/.exec(first.stdout) ?? [];

  await platform.ingest.succeed('POST', '/v1/activities', { key, body: JSON.parse(body) as object });
  await platform.settle();
  const { rows } = await platform.database.query("select 1 from activities where actor_id = 'sample-user'");
  expect(rows).toHaveLength(1);

  const second = await setup(['--sample-source', 'shop']);
  expect(second.stdout).toContain('the sample source shop was there already');
  expect(second.stdout).not.toContain('tl_');
});

test.each<[string, string[], NodeJS.ProcessEnv, number, string]>([
  ['a name that names nobody', ['--sample-source', 'a b'], {}, 2, '"a b" names no service'],
  [
    'a database that is away',
    [],
    { TIDELINE_DATABASE_URL: 'postgres://a:b@127.0.0.1:1/c' },
    4,
    '127.0.0.1:1/c does not',
  ],
  ['Kafka that is away', [], { TIDELINE_KAFKA_BROKERS: '127.0.0.1:1' }, 4, 'Kafka at 127.0.0.1:1 does not answer'],
  [
    'Redis that is away',
    [],
    { TIDELINE_REDIS_URL: 'redis://127.0.0.1:1' },
    4,
    'FAULT    redis_unreachable\n  Redis at 127.0.0.1:1',
  ],
])('%s is named, and the status is not 0', async (_what, args, environment, expected, sentence) => {
  const { status, stderr } = await setup(args, environment);
  expect([status, stderr]).toEqual([expected, expect.stringContaining(sentence)]);
});

test('Redis that does not fit is named with what mends it, and the status is 1', async () => {
  const [, before = ''] = (await platform.redis.config('GET', 'maxmemory-policy')) as string[];
  await platform.redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
  try {
    const { status, stdout, stderr } = await setup();
    expect([status, stdout]).toEqual([1, 'set up, but for Redis:\n']);
    expect(stderr).toMatch(
      /^FAULT {4}redis_eviction_policy\n {2}maxmemory-policy is allkeys-lru: .*\n {2}Set maxmemory-policy/,
    );
  } finally {
    await platform.redis.config('SET', 'maxmemory-policy', before);
  }
});
