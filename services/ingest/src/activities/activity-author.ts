import { type Database, prepared, whileDatabaseIsUp } from '@tideline/shared/database';

// The time is in the id, so that one chunk is touched.
const selectAuthor = `
  select actor_id as "authorId" from activities where time = activity_time($1::uuid) and id = $1::uuid`;

/** Who an activity is of, or undefined where it is not stored (yet). Throws `unavailable`. */
export async function activityAuthor(database: Database, activityId: string): Promise<string | undefined> {
  const row = await whileDatabaseIsUp(() =>
    database.oneOrNone<{ authorId: string }>(prepared('activity-author', selectAuthor, [activityId])),
  );
  return row?.authorId;
}
