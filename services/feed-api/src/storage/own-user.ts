import type { SqlScope } from './sql-scope.js';

/** A user as it sees itself. */
export interface OwnUser {
  name: string;
  createdAt: Date;
  updatedAt: Date;
  /** Whom the user follows, sorted. */
  followIds: string[];
}

const ownUserSql = `
  select u.name, u.created_at as "createdAt", u.updated_at as "updatedAt",
    array(
      select followee_id from follows where follower_id = u.id and active order by followee_id
    ) as "followIds"
  from users u where u.id = $<userId>`;

export async function readOwnUser(sql: SqlScope, userId: string): Promise<OwnUser | undefined> {
  const [user] = await sql.any<OwnUser>(ownUserSql, { userId });
  return user;
}

/** Names a user by its id, as whoever first does something is named, and returns it. */
export async function nameOwnUser(sql: SqlScope, userId: string, requestId: string): Promise<OwnUser | undefined> {
  const insert = 'insert into users (id, name) values ($<userId>, $<userId>) on conflict (id) do nothing';
  await sql.write(insert, { userId }, requestId);
  return readOwnUser(sql, userId);
}
