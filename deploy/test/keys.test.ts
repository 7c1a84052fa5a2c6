import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { digestOfKey } from '@tideline/shared/api-key';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readSetUpConfig, type SetUpConfig } from '../src/setup/config.js';
import { setUp } from '../src/setup/set-up.js';
import { tearDown } from '../src/setup/tear-down.js';

const run = promisify(execFile);
const door = fileURLToPath(new URL('../run.mjs', import.meta.url));

let config: SetUpConfig;
let database: pg.Pool;

beforeAll(async () => {
  const name = `keys-${randomBytes(6).toString('hex')}`;
  const url = new URL(readSetUpConfig().databaseUrl);
  url.pathname = `/${name}`;
  config = { ...readSetUpConfig(), databaseUrl: url.href, namespace: name, partitions: 1 };
  await setUp(config);
  database = new pg.Pool({ connectionString: config.databaseUrl, max: 1 });
});
afterAll(async () => {
  await database.end();
  await tearDown(config);
});

/** `npm run tideline -- keys …` without npm. */
async function keys(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const env = { ...process.env, TIDELINE_DATABASE_URL: config.databaseUrl };
  try {
    return { status: 0, ...(await run(process.execPath, [door, 'tideline', 'keys', ...args], { env })) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { status: code, stdout, stderr };
  }
}

async function listed(): Promise<Record<string, unknown>[]> {
  return JSON.parse((await keys('list', '--json')).stdout) as Record<string, unknown>[];
}

test('a key is made, shown once, listed by its fingerprint and revoked', async () => {
  const made = await keys('create', '--user', 'new-user');
  const key = made.stdout.trim();
  const fingerprint = digestOfKey(key).toString('hex').slice(0, 12);
  expect(key).toMatch(/^tl_[A-Za-z0-9_-]{43}$/);
  expect(made.stderr).toContain(fingerprint);
  const { rows } = await database.query("select name from users where id = 'new-user'");
  expect(rows).toEqual([{ name: 'new-user' }]);

  await keys('create', '--service', 'shop', '--scopes', 'read,write');
  expect(await listed()).toMatchObject([
    { fingerprint, kind: 'user', owner: 'new-user', scopes: [], revokedAt: null },
    { kind: 'service', owner: 'shop', scopes: ['write', 'read'], revokedAt: null },
  ]);
  const table = await keys('list');
  expect(table.stdout).toMatch(/^FINGERPRINT +KIND +OWNER/);
  expect(table.stdout).not.toContain(key);

  expect((await keys('revoke', fingerprint)).stdout).toMatch(/^Revoked/);
  expect((await keys('revoke', fingerprint)).stdout).toContain('was revoked before');
  expect((await listed())[0]).toMatchObject({ fingerprint, revokedAt: expect.any(String) as string });
});

test.each([
  ['nobody', ['create'], 'one of --user ID and --service NAME'],
  ['both', ['create', '--user', 'a', '--service', 'b', '--scopes', 'read'], 'one of --user ID and --service NAME'],
  ['a service without scopes', ['create', '--service', 'b'], '--service needs --scopes'],
  ['an unknown scope', ['create', '--service', 'b', '--scopes', 'read,root'], '"root" is no scope'],
  ['a bad name', ['create', '--user', 'a b'], 'named by 1 to 64'],
  ['what is no fingerprint', ['revoke', '%'], 'is no fingerprint'],
  ['an unknown fingerprint', ['revoke', '0123456789ab'], 'No key has the fingerprint'],
])('%s is wrong usage, in a sentence', async (_what, args, sentence) => {
  const { status, stderr } = await keys(...args);
  expect([status, stderr]).toEqual([2, expect.stringContaining(sentence)]);
});

test('an ambiguous fingerprint revokes nothing and shows more digits', async () => {
  const digests = ['aa', 'bb'].map((end) => `${'c'.repeat(62)}${end}`);
  for (const digest of digests) {
    await database.query(
      "insert into api_keys (key_sha256, kind, name, scopes) values (decode($1, 'hex'), 'service', 's', '{}')",
      [digest],
    );
  }
  const { status, stderr } = await keys('revoke', 'c'.repeat(12));
  expect([status, stderr]).toEqual([2, expect.stringContaining(digests[1] ?? '')]);
  expect((await keys('revoke', digests[1] ?? '')).stdout).toMatch(/^Revoked/);
  const { rows } = await database.query("select 1 from api_keys where name = 's' and revoked_at is null");
  expect(rows).toHaveLength(1);
});
