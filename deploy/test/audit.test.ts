import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { digestOfKey } from '@tideline/shared/api-key';
import { type Platform, startPlatform } from '@tideline/testing/platform';
import { waitUntil } from '@tideline/testing/wait-until';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AuditChoice, type AuditEntry, readAudit } from '../src/audit/read-audit.js';

const run = promisify(execFile);
const door = fileURLToPath(new URL('../bin/tideline.mjs', import.meta.url));

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({ followerThreshold: 2 });
});
afterAll(() => platform.stop());

async function tideline(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const env = { ...process.env, TIDELINE_DATABASE_URL: platform.settings.databaseUrl };
  try {
    return { status: 0, ...(await run(process.execPath, [door, ...args], { env })) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { status: code, stdout, stderr };
  }
}

async function audit(choice: Partial<AuditChoice> = {}): Promise<AuditEntry[]> {
  const client = await platform.database.connect();
  try {
    return await readAudit(client, { limit: 1_000, ...choice });
  } finally {
    client.release();
  }
}

/** What one of the services did, as the login of the tests. */
function by(service: 'ingest' | 'fanout' | 'feed-api') {
  return { login: 'tideline', role: `tideline_${service.replace('-', '_')}`, application: `tideline-${service}` };
}

test('a follow and its end are there with who did it, for which request, and what was before', async () => {
  const asAnna = (requestId: string) => ({ actAs: 'anna', headers: { 'x-request-id': requestId } });
  await platform.ingest.succeed('PUT', '/v1/follows/ben', asAnna('r-follow'));
  await platform.settle();
  // It would be there before ingest has written, now and then.
  await platform.stopFanout();
  await platform.ingest.succeed('DELETE', '/v1/follows/ben', asAnna('r-unfollow'));
  await platform.startFanout();
  await platform.settle();

  const entries = await audit({ user: 'anna', table: 'follows' });

  const key = ['anna', 'ben'];
  const [ended, begun] = entries;
  expect(entries).toHaveLength(2); // fanout found the unfollow applied already
  expect(begun).toMatchObject({
    ...by('fanout'),
    ...{ requestId: 'r-follow', callerId: 'demo-producer' },
    ...{ table: 'follows', operation: 'insert', key, before: null, after: { followee_id: 'ben', active: true } },
  });
  expect(ended).toMatchObject({
    ...by('ingest'),
    ...{ requestId: 'r-unfollow', callerId: 'demo-producer' },
    ...{ table: 'follows', operation: 'update', key, before: { active: true }, after: { active: false } },
  });
});

test('names, objects, mutes, deletes, marks and crossings are there, each with its request where it has one', async () => {
  const { ingest, feedApi } = platform;
  const requested = (actAs: string, requestId: string) => ({ actAs, headers: { 'x-request-id': requestId } });
  await ingest.succeed('PUT', '/v1/users/carl', { ...requested('carl', 'r-name'), body: { name: 'Carl' } });
  await ingest.succeed('PUT', '/v1/objects/note/n1', { ...requested('carl', 'r-object'), body: { title: 'One' } });
  await ingest.succeed('PUT', '/v1/mutes/dora', requested('carl', 'r-mute'));
  for (const follower of ['f1', 'f2', 'f3']) {
    await ingest.succeed('PUT', '/v1/follows/carl', { actAs: follower });
  }
  const body = { verb: 'post', objectType: 'note', objectId: 'n2' };
  const { id } = await ingest.succeed<{ id: string }>('POST', '/v1/activities', { actAs: 'carl', body });
  await ingest.succeed('DELETE', `/v1/activities/${id}`, requested('carl', 'r-delete'));
  await feedApi.succeed('POST', '/v1/feeds/notifications/read', {
    ...requested('carl', 'r-marks'),
    body: { upTo: id },
  });
  await platform.settle();
  await waitUntil('the delete is cleaned up', async () => {
    const { rowCount } = await platform.database.query(
      'select from tombstones where activity_id = $1 and purged_at is not null',
      [id],
    );
    return rowCount === 1;
  });

  const entries = await audit({ user: 'carl' });

  const found = entries.map(({ requestId, operation, table, application }) =>
    [requestId, operation, table, application].join(' '),
  );
  expect(found).toEqual(
    expect.arrayContaining([
      'r-name insert users tideline-ingest',
      'r-object insert objects tideline-ingest',
      'r-mute insert relations tideline-ingest',
      'r-delete insert tombstones tideline-ingest',
      ' update tombstones tideline-fanout', // cleaned up
      'r-marks insert notification_marks tideline-feed-api',
      ' update authors tideline-fanout',
    ]),
  );
  const crossings = await audit({ table: 'authors' });
  expect(crossings.map(({ before, after }) => [before?.['mode'], after?.['mode']])).toEqual([
    ['to_pull', 'pull'],
    ['push', 'to_pull'],
  ]);
});

test('keys are there by their fingerprints, and neither they nor any secret can be found', async () => {
  const made = await tideline('keys', 'create', '--service', 'shop', '--scopes', 'read');
  const key = made.stdout.trim();
  const digest = digestOfKey(key);
  const fingerprint = digest.toString('hex').slice(0, 12);
  await tideline('keys', 'revoke', fingerprint);
  await platform.database.query(`update secrets set value = 'another secret' where name = 'other'`);
  await platform.database.query(`insert into secrets values ('other', 'a first secret')`);
  await platform.database.query(`update secrets set value = 'another secret' where name = 'other'`);

  const [revoked, created] = await audit({ table: 'api_keys', limit: 2 });
  const operator = { login: 'tideline', role: 'tideline_operator', application: 'tideline-keys', key: [fingerprint] };
  expect(created).toMatchObject({ ...operator, operation: 'insert', after: { name: 'shop', revoked_at: null } });
  expect(revoked).toMatchObject({ ...operator, operation: 'update', before: { revoked_at: null } });
  expect(revoked?.after?.['revoked_at']).not.toBeNull();
  const secrets = (await audit({ table: 'secrets', limit: 2 })).map(({ operation, after }) => ({ operation, after }));
  expect(secrets).toEqual([
    { operation: 'update', after: { name: 'other' } },
    { operation: 'insert', after: { name: 'other' } },
  ]);

  const { rows } = await platform.database.query<{ all: string }>(
    'select string_agg(a::text, chr(10)) as all from audit_log a',
  );
  for (const secret of [key, digest.toString('hex'), digest.toString('base64'), 'another secret']) {
    expect(rows[0]?.all).not.toContain(secret);
    expect(rows[0]?.all).not.toContain(Buffer.from(secret).toString('hex'));
  }
});

/** What is not under the audit, and why. */
const unaudited = {
  activities: 'never changed',
  control_activities: 'never changed',
  audit_log: 'itself',
  author_weeks: 'follow from events',
  authors: 'counts follow from follows; crossings are',
  notifications: 'follow from events',
  migrations: 'what set-up applied, with its time',
  migration_checksums: 'as its migrations',
  rebuild_steps: 'what is under way',
  replay_progress: 'what is under way',
  erasure_progress: 'what is under way, and must not stay',
  contents_since_refresh: 'follow from events',
  follows_since_refresh: 'follow from what is audited',
  materialized_home_state: 'when a view was refreshed',
  replayed_records: 'only added to, with its time',
};

test('every table is under the audit but those that say nothing of their own', async () => {
  const { rows } = await platform.database.query<{ name: string; audited: number; truncate: boolean }>(`
    select c.relname as name, count(t.tgname)::int as audited, bool_or(t.tgname = 'audit_of_truncate') is true as truncate
    from pg_class c left join pg_trigger t on t.tgrelid = c.oid
      and t.tgname in ('audit_of_insert', 'audit_of_update', 'audit_of_delete', 'audit_of_truncate')
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
    group by c.relname order by c.relname`);
  expect(rows.filter(({ audited }) => audited < 4).map(({ name }) => name)).toEqual(Object.keys(unaudited).toSorted());
  expect(rows.filter(({ name, truncate }) => truncate && name in unaudited).map(({ name }) => name)).toEqual([
    'authors',
    'notifications',
  ]);
});

test('what an owner does by hand is there too, truncating as well', async () => {
  await platform.database.query(`update agreed_settings set value = '7' where variable = 'TIDELINE_INBOX_CAP'`);
  await platform.database.query(`update follows set changed_at = now() where follower_id = 'f1'`);
  await platform.database.query('truncate marked_notifications');
  const [truncated, followed, changed] = await audit({ limit: 3 });
  expect(changed).toMatchObject({
    ...{ login: 'tideline', role: null, table: 'agreed_settings', key: ['TIDELINE_INBOX_CAP'] },
    ...{ before: { value: '500' }, after: { value: '7' }, requestId: null },
  });
  // Not for the request that the row was written for before.
  expect(followed).toMatchObject({ table: 'follows', role: null, requestId: null, callerId: null });
  expect(truncated).toMatchObject({ table: 'marked_notifications', operation: 'truncate', key: null });
});

test('nobody writes the audit but by changing something, and nobody changes what it says', async () => {
  const client = await platform.database.connect();
  try {
    for (const role of ['tideline_ingest', 'tideline_fanout', 'tideline_feed_api', 'tideline_operator']) {
      await client.query(`set role ${role}`);
      for (const statement of [
        `insert into audit_log (table_name, operation) values ('follows', 'delete')`,
        'delete from audit_log',
        'create temp table users (id text); create trigger forged after truncate on users execute function audit_statement()',
      ]) {
        await expect(client.query(statement), `${role}: ${statement}`).rejects.toMatchObject({ code: '42501' });
      }
    }
    await client.query('reset role');
    for (const statement of [`update audit_log set login = 'x'`, 'delete from audit_log', 'truncate audit_log']) {
      await expect(client.query(statement), statement).rejects.toMatchObject({ code: '23001' });
    }
  } finally {
    await client.query('reset role');
    client.release();
  }
});

test('what is older than the days to keep is dropped, whole weeks, and the last day never', async () => {
  const old = `select count(*)::int as count from audit_log where table_name = 'old'`;
  await platform.database.query(`
    insert into audit_log (at, table_name, operation)
    select now() - days * interval '1 day', 'old', 'insert' from unnest(array[0, 20, 60, 90]) days`);
  const client = await platform.database.connect();
  try {
    await client.query('set role tideline_fanout');
    expect((await client.query('select drop_old_audit(30)')).rows).toEqual([{ drop_old_audit: '2' }]);
    await client.query('select drop_old_audit(0)');
  } finally {
    await client.query('reset role');
    client.release();
  }
  expect((await platform.database.query(old)).rows).toEqual([{ count: 1 }]);
});

test('for people it is a line for each change, and one for each value that is another', async () => {
  const { stdout } = await tideline('audit', '--user', 'anna', '--table', 'follows', '--limit', '1');
  const [first, ...values] = stdout.trimEnd().split('\n');
  expect(first).toMatch(
    /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} {2}update follows anna ben {2}by tideline-ingest \(tideline as tideline_ingest\) for demo-producer, request r-unfollow$/,
  );
  expect(values).toContain('    active: true → false');
  expect(values.some((line) => line.includes('followee_id'))).toBe(false);
  expect((await tideline('audit', '--user', 'nobody')).stdout).toBe('Nothing of that kind was changed.\n');
});

test('for scripts it is JSON, of a time if asked for', async () => {
  const json = async (since: string) => {
    const { stdout } = await tideline('audit', '--json', '--table', 'users', '--limit', '1', '--since', since);
    return JSON.parse(stdout) as unknown;
  };
  const [newest] = await audit({ table: 'users', limit: 1 });
  expect(await json('1h')).toEqual([{ ...newest, at: newest?.at.toISOString() }]);
  expect(await json('2999-01-01T00:00Z')).toEqual([]);
});

test.each([
  ['--since', 'yesterday', '"yesterday" is neither a time'],
  ['--since', '5', '"5" is neither a time'],
  ['--limit', '0', '"0" is no whole number'],
])('%s %s is wrong usage, in a sentence', async (option, value, sentence) => {
  const { status, stderr } = await tideline('audit', option, value);
  expect(status).toBe(2);
  expect(stderr).toContain(sentence);
});
