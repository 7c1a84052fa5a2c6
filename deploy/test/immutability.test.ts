import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { readSetUpConfig, type SetUpConfig } from '../src/setup/config.js';
import { setUp } from '../src/setup/set-up.js';
import { tearDown } from '../src/setup/tear-down.js';

let config: SetUpConfig;
/** As the owner, who is a superuser besides: whoever may less can do no more than it. */
let owner: pg.Client;

beforeAll(async () => {
  const name = `immutable-${randomBytes(6).toString('hex')}`;
  const url = new URL(readSetUpConfig().databaseUrl);
  url.pathname = `/${name}`;
  config = { ...readSetUpConfig(), databaseUrl: url.href, namespace: name, partitions: 1 };
  await setUp(config);
  owner = new pg.Client({ connectionString: config.databaseUrl });
  await owner.connect();
  await insertEvents();
});
beforeEach(() => owner.query('reset role'));
afterAll(async () => {
  await owner.end();
  await tearDown(config);
});

/** Three activities, a week apart so that each is in a chunk of its own, and a follow. */
async function insertEvents(): Promise<void> {
  await owner.query(`
    insert into activities (
      id, time, actor_id, verb, object_type, object_id, object_owner_id, audience, caller_id, request_id, accepted_at,
      log_generation, log_partition, log_offset)
    select first_activity_id(at), at, 'anna', 'post', 'note', week::text, 'ben', '{ben,eric}', 'test', 'test', at, 1, 0, week
    from generate_series(1, 3) as week cross join lateral (
      select date_trunc('second', now()) - week * interval '7 days') as t (at)`);
  await owner.query(`
    insert into control_activities (
      id, actor_id, verb, object_type, object_id, author_id, caller_id, request_id, accepted_at,
      log_generation, log_partition, log_offset)
    values (gen_random_uuid(), 'ben', 'follow', 'user', 'anna', 'anna', 'test', 'test', now(), 1, 0, 9)`);
}

const refused = { code: '23001', message: expect.stringContaining('is append-only') as string };

test.each([
  "update activities set verb = 'like'",
  "update activities set audience = null where object_id = '1'",
  'delete from activities',
  "delete from activities where object_id = '2'",
  'truncate activities',
  'truncate activities, follows cascade',
  "insert into activities select * from activities where object_id = '1' on conflict on constraint activities_pkey do update set verb = 'like'",
  "update control_activities set verb = 'unfollow'",
  'delete from control_activities',
  'truncate control_activities',
])('the owner is refused: %s', async (statement) => {
  await expect(owner.query(statement)).rejects.toMatchObject(refused);
  const { rows } = await owner.query(`
    select (select count(*)::int from activities where verb = 'post' and audience = '{ben,eric}') as activities,
      (select count(*)::int from control_activities where verb = 'follow') as controls`);
  expect(rows).toEqual([{ activities: 3, controls: 1 }]);
});

test('the owner is refused a merge', async () => {
  const merge = 'merge into activities a using (values (1)) v on true when matched then delete';
  // TimescaleDB knows none of compressed hypertables, before any trigger is asked.
  const code = expect.stringMatching(/^(23001|0A000)$/) as string;
  await expect(owner.query(merge)).rejects.toMatchObject({ code });
});

test('an erasure takes a user out of activities of others, and changes nothing else of them', async () => {
  await owner.query('set role tideline_eraser');
  await owner.query(`update activities set audience = array_remove(audience, 'eric') where 'eric' = any(audience)`);
  await owner.query(`update activities set object_owner_id = null where object_id = '1'`);
  await expect(owner.query(`update activities set verb = 'like'`)).rejects.toMatchObject({ code: '42501' });
  await expect(owner.query(`update control_activities set verb = 'mute'`)).rejects.toMatchObject({ code: '42501' });
  await expect(owner.query('truncate activities')).rejects.toMatchObject({ code: '42501' });

  // Even if somebody granted it more.
  await owner.query('reset role');
  await owner.query('grant update, truncate on activities, control_activities to tideline_eraser');
  await owner.query('set role tideline_eraser');
  for (const statement of [
    `update activities set verb = 'like'`,
    `update activities set actor_id = 'eric', audience = null`,
    `update control_activities set verb = 'mute'`,
    'truncate activities',
    'truncate control_activities',
  ]) {
    await expect(owner.query(statement), statement).rejects.toMatchObject(refused);
  }
  const { rows } = await owner.query('select object_id, object_owner_id, audience from activities order by object_id');
  expect(rows).toEqual([
    { object_id: '1', object_owner_id: null, audience: ['ben'] },
    { object_id: '2', object_owner_id: 'ben', audience: ['ben'] },
    { object_id: '3', object_owner_id: 'ben', audience: ['ben'] },
  ]);
});

test('an erasure deletes events', async () => {
  await owner.query('set role tideline_eraser');
  expect(await owner.query(`delete from activities where object_id = '1'`)).toMatchObject({ rowCount: 1 });
  expect(await owner.query(`delete from control_activities where actor_id = 'ben'`)).toMatchObject({ rowCount: 1 });
});

test('retention drops whole chunks of content', async () => {
  await owner.query(`select drop_chunks('activities', now() - interval '14 days')`);
  const { rows } = await owner.query('select object_id from activities');
  expect(rows).toEqual([{ object_id: '2' }]);
});
