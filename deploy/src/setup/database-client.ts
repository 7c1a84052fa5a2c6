import { TidelineError, unavailable } from '@tideline/shared/errors';
import pg from 'pg';

const connectTimeoutMs = 5_000;
/** The class of SQLSTATEs. */
const loginRefused = '28';

/** A connection of its own, because set-up holds a lock on it. Throws `unavailable` where the server does not answer. */
export async function connectToDatabase(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'tideline-setup',
    connectionTimeoutMillis: connectTimeoutMs,
  });
  // A connection that breaks fails the query that runs; without a listener it would also end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    if (error instanceof pg.DatabaseError) {
      throw error.code?.startsWith(loginRefused)
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
