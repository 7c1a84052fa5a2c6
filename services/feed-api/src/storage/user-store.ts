import { notHidden } from '@tideline/shared/naive-pull';
import type { VersionedUserName } from '@tideline/shared/user-names';
import { hiddenUsersSql } from './activity-columns.js';
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

export interface Profile {
  id: string;
  name: string;
  avatar: string | null;
  /** Unix milliseconds. */
  createdAt: number;
  updatedAt: number;
  /** As many as the reader's pages of them have. */
  followers: number;
  following: number;
}

// Followers can be many: they are counted as they come and go, and only those that the reader does not see are looked up.
const profileSql = `
  select u.id, u.name, u.avatar,
    floor(extract(epoch from u.created_at) * 1000)::float8 as "createdAt",
    floor(extract(epoch from u.updated_at) * 1000)::float8 as "updatedAt",
    (
      coalesce((select follower_count from authors where author_id = u.id), 0)
      - (
        select count(*) from follows f
        where f.followee_id = u.id and f.active and f.follower_id in (${hiddenUsersSql}))
    )::float8 as followers,
    (
      select count(*) from follows f
      where f.follower_id = u.id and f.active and ${notHidden('f.followee_id')}
    )::float8 as following
  from users u where u.id = $<userId>`;

export async function readProfile(sql: SqlScope, userId: string, reader: string): Promise<Profile | undefined> {
  const [profile] = await sql.any<Profile>(profileSql, { userId, reader });
  return profile;
}
