import { type Database, prepared, whileDatabaseIsUp } from '@tideline/shared/database';

/** Whether anybody named this user yet. Throws `unavailable`. */
export async function isKnownUser(database: Database, userId: string): Promise<boolean> {
  const row = await whileDatabaseIsUp(() =>
    database.oneOrNone<object>(prepared('known-user', 'select 1 from users where id = $1', [userId])),
  );
  return row !== null;
}
