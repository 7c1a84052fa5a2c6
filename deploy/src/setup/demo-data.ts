import { digestOfKey } from '@tideline/shared/api-key';
import { demoService, demoUsers } from '@tideline/shared/demo';
import type pg from 'pg';
import type { Report } from './report.js';

const keys = [...demoUsers, demoService].map(({ key }) => digestOfKey(key));

// A user that was only mentioned so far has its id as name; one that was described keeps what was said.
const putUser = `
  insert into users (id, name)
  select $1, $2 where exists (select from api_keys where key_sha256 = $3 and revoked_at is null)
  on conflict (id) do update set name = excluded.name where users.log_generation = 0`;

const putKey = `
  insert into api_keys (key_sha256, kind, name, user_id, scopes) values ($1, $2, $3, $4, $5)
  on conflict (key_sha256) do update set revoked_at = null`;

const revokeKeys = 'update api_keys set revoked_at = now() where key_sha256 = any($1) and revoked_at is null';

/** In demo mode: users and keys that everybody knows. Without it those keys must not work, even if they once did. */
export async function putDemoData(client: pg.Client, demo: boolean, report: Report): Promise<void> {
  if (!demo) {
    const { rowCount } = await client.query(revokeKeys, [keys]);
    if (rowCount !== 0) {
      report('revoked the demo keys: TIDELINE_DEMO is not 1');
    }
    return;
  }
  for (const { id, name, key } of demoUsers) {
    await client.query(putKey, [digestOfKey(key), 'user', name, id, []]);
  }
  await nameDemoUsers(client);
  await client.query(putKey, [digestOfKey(demoService.key), 'service', demoService.name, null, demoService.scopes]);
}

/** The names of the demo users are on no log. Does nothing where their keys do not work. */
export async function nameDemoUsers(client: pg.Client): Promise<void> {
  for (const { id, name, key } of demoUsers) {
    await client.query(putUser, [id, name, digestOfKey(key)]);
  }
}
