import { type Database, prepared, whileDatabaseIsUp } from '@tideline/shared/database';
import { invalidRequest, TidelineError } from '@tideline/shared/errors';

const userIdsByName = 'select id from users where name = $1 order by id limit 2';

/**
 * The id of the user of this name. Throws `not_found`, `unavailable`, and `invalid_request` where several have it: names
 * are free, and nobody should follow whoever comes first.
 */
export async function userByName(database: Database, name: string): Promise<string> {
  const [user, another] = await whileDatabaseIsUp(() =>
    database.any<{ id: string }>(prepared('user-ids-by-name', userIdsByName, [name])),
  );
  if (user === undefined) {
    throw new TidelineError('not_found', 'There is no user of this name.');
  }
  if (another !== undefined) {
    throw invalidRequest('Several users have this name: name them by id, with /follow/{userId}.');
  }
  return user.id;
}
