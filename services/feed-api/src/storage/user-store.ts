import type { VersionedUserName } from '@tideline/shared/user-names';
import type { SqlScope } from './sql-scope.js';

/** Names of those users that exist. */
export async function readUserNames(sql: SqlScope, userIds: readonly string[]): Promise<VersionedUserName[]> {
  return sql.any<VersionedUserName>(
    `select id as "userId", name, avatar, log_generation as generation, log_offset::float8 as offset
     from users where id = any($<userIds>)`,
    { userIds },
  );
}

export async function userExists(sql: SqlScope, userId: string): Promise<boolean> {
  const rows = await sql.any('select from users where id = $<userId>', { userId });
  return rows.length > 0;
}
