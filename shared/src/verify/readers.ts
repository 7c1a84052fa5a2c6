import type { Database } from '../database.js';

/** Whom to verify, in groups of at most `size`. */

const countSql = 'select count(*)::int as count from users';
const existsSql = 'select exists (select from users where id = $1) as known';
const afterSql = 'select id from users where id > $1 order by id limit $2';
const randomSql = 'select id from users order by random() limit $1';

export async function countUsers(database: Database): Promise<number> {
  return (await database.one<{ count: number }>(countSql)).count;
}

export async function isKnown(database: Database, userId: string): Promise<boolean> {
  return (await database.one<{ known: boolean }>(existsSql, [userId])).known;
}

/** The users that follow in the order of their ids. */
export async function usersAfter(database: Database, userId: string, size: number): Promise<string[]> {
  const rows = await database.any<{ id: string }>(afterSql, [userId, size]);
  return rows.map(({ id }) => id);
}

export async function* allUsers(database: Database, size: number): AsyncGenerator<string[]> {
  for (let last = ''; ; ) {
    const group = await usersAfter(database, last, size);
    const next = group.at(-1);
    if (next === undefined) {
      return;
    }
    yield group;
    last = next;
  }
}

export async function randomUsers(database: Database, count: number): Promise<string[]> {
  const rows = await database.any<{ id: string }>(randomSql, [count]);
  return rows.map(({ id }) => id);
}
