import { connectAs, type DatabaseRole } from '@tideline/shared/database';
import { TidelineError, unavailable } from '@tideline/shared/errors';
import { isRefused, isUndefinedRole } from '@tideline/shared/refusals';
import pg from 'pg';

const connectTimeoutMs = 5_000;
/** The class of SQLSTATEs. */
const loginRefused = '28';

/** A connection of its own, because set-up holds a lock on it. Throws `unavailable` where the server does not answer. */
export async function connectToDatabase(
  url: string,
  { role = 'login', applicationName = 'tideline-setup' }: { role?: DatabaseRole; applicationName?: string } = {},
): Promise<pg.Client> {
  const client = new pg.Client({
    ...connectAs(url, role),
    application_name: applicationName,
    connectionTimeoutMillis: connectTimeoutMs,
  });
  // A connection that breaks fails the query that runs; without a listener it would also end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    if (error instanceof pg.DatabaseError) {
      throw error.code?.startsWith(loginRefused) || isRefused(error) || isUndefinedRole(error)
        ? new TidelineError('configuration', `The database at ${placeOf(url)} refuses: ${error.message}`, {
            cause: error,
          })
        : error;
    }
    throw unavailable(`The database at ${placeOf(url)} does not answer: ${(error as Error).message}`, error);
  }
  return client;
}

/** Where a URL points, without the password. */
function placeOf(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host}${pathname}`;
}
