import { randomBytes } from 'node:crypto';
import { type Database, type DatabaseRole, openDatabase } from '@tideline/shared/database';
import { readLogGeneration } from '@tideline/shared/log-generation';
import { createLogger } from '@tideline/shared/logger';
import { activitiesTopic } from '@tideline/shared/topics';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readSetUpConfig, type SetUpConfig } from '../src/setup/config.js';
import { setUp } from '../src/setup/set-up.js';
import { tearDown } from '../src/setup/tear-down.js';

let config: SetUpConfig;
/** As the owner. */
let owner: pg.Pool;
const opened: Database[] = [];

beforeAll(async () => {
  const name = `roles-${randomBytes(6).toString('hex')}`;
  const url = new URL(readSetUpConfig().databaseUrl);
  url.pathname = `/${name}`;
  config = { ...readSetUpConfig(), databaseUrl: url.href, namespace: name, partitions: 1 };
  await setUp(config);
  owner = new pg.Pool({ connectionString: config.databaseUrl, max: 2 });
  await owner.query(`
    insert into activities (
      id, time, actor_id, verb, object_type, object_id, caller_id, request_id, accepted_at,
      log_generation, log_partition, log_offset)
    select first_activity_id(at), at, 'anna', 'post', 'note', '1', 'test', 'test', at, 1, 0, 0
    from (select date_trunc('second', now())) as t (at)`);
  await owner.query(`
    insert into control_activities (
      id, actor_id, verb, object_type, object_id, author_id, caller_id, request_id, accepted_at,
      log_generation, log_partition, log_offset)
    values (gen_random_uuid(), 'ben', 'follow', 'user', 'anna', 'anna', 'test', 'test', now(), 1, 0, 1)`);
});

afterAll(async () => {
  await Promise.all(opened.map((database) => database.$pool.end()));
  await owner.end();
  await tearDown(config);
});

function databaseAs(role: DatabaseRole, url = config.databaseUrl): Database {
  const logger = createLogger('test', 'silent');
  const database = openDatabase({ url, applicationName: 'roles-test', role, poolSize: 1, logger });
  opened.push(database);
  return database;
}

/** By table: what each role may do, as `select` and so on; of single columns with their names. */
const grants: Record<string, Partial<Record<string, string>>> = {
  activities: {
    ingest: 's',
    fanout: 'si',
    feed_api: 's',
    eraser: 'sd u(audience,object_owner_id,object_title,target_title)',
  },
  activity_counts_daily: { feed_api: 's' },
  activity_counts_hourly: { feed_api: 's' },
  actor_counts_daily: {},
  actor_counts_hourly: {},
  agreed_settings: { ingest: 's', fanout: 's', feed_api: 's' },
  api_keys: { ingest: 's', feed_api: 's', operator: 'siu', eraser: 'sd' },
  audit_log: { eraser: 'sd' },
  author_weeks: { fanout: 'sid', feed_api: 's', eraser: 'sd' },
  authors: {
    fanout: 's u(changed_at,mode,mode_generation,mode_offset,watermark)',
    feed_api: 's',
    eraser: 'sd u(changed_at,follower_count,mode,mode_generation,mode_offset,watermark)',
  },
  cache_epoch: { ingest: 'siu', fanout: 'siu', feed_api: 'siu', operator: 'siu' },
  contents_since_refresh: { fanout: 'i', feed_api: 's', eraser: 'sd' },
  control_activities: { ingest: 's', fanout: 'si', feed_api: 's', eraser: 'sd' },
  erasure_progress: { eraser: 'siud' },
  erasures: { fanout: 's', eraser: 'siu' },
  follows_since_refresh: { feed_api: 's', eraser: 'sd' },
  dead_letter_decisions: { fanout: 's', operator: 'siu' },
  follows: { ingest: 'siu', fanout: 'siu', feed_api: 's', eraser: 'sd' },
  happened_notifications: {},
  log_generations: { ingest: 's', fanout: 's', feed_api: 's', eraser: 's' },
  marked_notifications: { fanout: 'sd', feed_api: 'siud', eraser: 'sd' },
  materialized_home: { feed_api: 's', eraser: 's' },
  materialized_home_state: { fanout: 's', feed_api: 's' },
  migration_checksums: {},
  migrations: {},
  missing_events: {},
  notification_marks: { feed_api: 'siu', eraser: 'sd' },
  notifications: { fanout: 'sid', feed_api: 's', eraser: 'sd' },
  objects: { ingest: 'siu', fanout: 'siu', feed_api: 's', eraser: 'siud' },
  partition_fences: { fanout: 'siu', eraser: 'siu' },
  rebuild_steps: {},
  relations: { ingest: 'siu', fanout: 'siu', feed_api: 's', eraser: 'sd' },
  replay_progress: {},
  replayed_records: { fanout: 'si', eraser: 'sd' },
  retention: { ingest: 's', fanout: 's', feed_api: 's' },
  secrets: { feed_api: 's' },
  tombstones: { ingest: 'si', fanout: 'sid u(purged_at)', feed_api: 's', eraser: 'sd' },
  users: { ingest: 'siu', fanout: 'siu', feed_api: 'si', operator: 'si', eraser: 'siud' },
};

const foundGrantsSql = `
  with given as (
    select c.relname as name, null as column_name, a.grantee, a.privilege_type
    from pg_class c cross join aclexplode(c.relacl) a
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v', 'm', 'p')
    union all
    select c.relname, t.attname, a.grantee, a.privilege_type
    from pg_class c join pg_attribute t on t.attrelid = c.oid cross join aclexplode(t.attacl) a
    where c.relnamespace = 'public'::regnamespace
  )
  select name, coalesce(r.rolname, 'public') as role, privilege_type as privilege, column_name as column
  from given left join pg_roles r on r.oid = grantee
  where r.rolname is distinct from current_user
  order by name, role, column_name`;

test('each role has the privileges that its statements need, table by table, and no others', async () => {
  const { rows } = await owner.query<{ name: string; role: string; privilege: string; column: string | null }>(
    foundGrantsSql,
  );
  const found: Record<string, Record<string, string>> = Object.fromEntries(
    Object.keys(grants).map((name) => [name, {}]),
  );
  for (const name of new Set(rows.map((row) => row.name))) {
    const ofTable = rows.filter((row) => row.name === name);
    found[name] = Object.fromEntries(
      [...new Set(ofTable.map(({ role }) => role))].map((role) => [
        role.replace('tideline_', ''),
        grantText(ofTable.filter((row) => row.role === role)),
      ]),
    );
  }
  // The tools read everything but secrets.
  const wanted = Object.fromEntries(
    Object.entries(grants).map(([name, roles]) => [name, name === 'secrets' ? roles : { operator: 's', ...roles }]),
  );
  expect(found).toEqual(wanted);
});

/** Initials of what the whole table may have done to it, then columns. */
function grantText(rows: readonly { privilege: string; column: string | null }[]): string {
  const order = ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN'];
  const whole = order.filter((privilege) => rows.some((row) => row.privilege === privilege && row.column === null));
  const columns = rows.filter(({ column }) => column !== null).map(({ column }) => column);
  const text = whole.map((privilege) => privilege[0]?.toLowerCase()).join('');
  return columns.length === 0 ? text : `${text} u(${columns.join(',')})`;
}

const services = ['tideline_ingest', 'tideline_fanout', 'tideline_feed_api'] as const;

test.each([...services, 'tideline_operator'] as const)('%s can change or remove no event', async (role) => {
  const database = databaseAs(role);
  for (const table of ['activities', 'control_activities']) {
    for (const statement of [`update ${table} set verb = 'x'`, `delete from ${table}`, `truncate ${table}`]) {
      await expect(database.none(statement), statement).rejects.toMatchObject({ code: '42501' });
    }
  }
});

test('secrets are read by feed-api alone', async () => {
  for (const role of ['tideline_ingest', 'tideline_fanout', 'tideline_operator'] as const) {
    await expect(databaseAs(role).any('select from secrets'), role).rejects.toMatchObject({ code: '42501' });
  }
  expect(await databaseAs('tideline_feed_api').any('select name from secrets order by name')).toEqual([
    { name: 'cursor' },
    { name: 'erasure' },
  ]);
});

test('whatever a session resets, it keeps its role, also where the URL has options of its own', async () => {
  const url = new URL(config.databaseUrl);
  url.searchParams.set('options', '-c lock_timeout=1234');
  const database = databaseAs('tideline_ingest', url.href);
  for (const statement of ['reset role', 'reset all', 'discard all']) {
    await database.none(statement);
    expect(
      await database.one(`select current_user::text as role, current_setting('lock_timeout') as "lockTimeout"`),
    ).toEqual({ role: 'tideline_ingest', lockTimeout: '1234ms' });
  }
});

test('a user of its own for a service works with that role, and with no other', async () => {
  const login = `login_${randomBytes(6).toString('hex')}`;
  await owner.query(`create role ${login} login password 'own' in role tideline_fanout`);
  try {
    const url = new URL(config.databaseUrl);
    url.username = login;
    url.password = 'own';
    const topic = activitiesTopic(config.namespace);

    const database = databaseAs('tideline_fanout', url.href);
    expect(await readLogGeneration(database, topic)).toMatchObject({ generation: 1 });
    await expect(database.none('set role tideline_ingest')).rejects.toMatchObject({ code: '42501' });
    await expect(database.none('set role none; select from secrets')).rejects.toMatchObject({ code: '42501' });

    await expect(readLogGeneration(databaseAs('tideline_feed_api', url.href), topic)).rejects.toMatchObject({
      code: 'configuration',
      message: expect.stringMatching(
        /permission denied to set role "tideline_feed_api".* docs\/operating\.md/,
      ) as string,
    });
    await Promise.all(opened.splice(-2).map((each) => each.$pool.end()));
  } finally {
    await owner.query(`drop role ${login}`);
  }
});

test('a database that knows the roles, and not what they may do, is not set up', async () => {
  await owner.query('revoke select on log_generations from tideline_ingest');
  try {
    await expect(
      readLogGeneration(databaseAs('tideline_ingest'), activitiesTopic(config.namespace)),
    ).rejects.toMatchObject({
      code: 'configuration',
      message: expect.stringMatching(/permission denied for table log_generations.*"tideline setup"/) as string,
    });
  } finally {
    await owner.query('grant select on log_generations to tideline_ingest');
  }
});

test('an owner who is no superuser sets up once it has the roles, and is told which it lacks', async () => {
  const login = `owner_${randomBytes(6).toString('hex')}`;
  const url = new URL(config.databaseUrl);
  url.username = login;
  url.password = 'own';
  url.pathname = `/${login}`;
  const owned = { ...config, databaseUrl: url.href, namespace: login };
  await owner.query(`create role ${login} login createdb password 'own'`);
  try {
    await expect(setUp(owned)).rejects.toMatchObject({
      code: 'configuration',
      message: expect.stringMatching(
        /Let a superuser run "create role tideline_ingest".* "grant tideline_ingest to /,
      ) as string,
    });

    const names = [...services, 'tideline_operator', 'tideline_eraser'].join(', ');
    await owner.query(`grant ${names} to ${login}`);
    await setUp(owned);
    expect(
      await readLogGeneration(databaseAs('tideline_feed_api', owned.databaseUrl), activitiesTopic(login)),
    ).toMatchObject({ generation: 1 });
    await opened.pop()?.$pool.end();
  } finally {
    await tearDown({
      ...owned,
      databaseUrl: Object.assign(new URL(config.databaseUrl), { pathname: `/${login}` }).href,
    });
    await owner.query(`drop role ${login}`);
  }
});
