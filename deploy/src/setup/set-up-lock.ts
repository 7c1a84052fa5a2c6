import { TidelineError } from '@tideline/shared/errors';
import pg from 'pg';
import { connectToDatabase } from './database-client.js';

/** Any number does, as long as nobody else on this database uses it: "tide". */
const lockId = 0x74696465;
const lockWaitMaxMs = 120_000;
const lockNotAvailable = '55P03';

/** Runs the work while no other set-up of this database runs. The lock goes with its connection, however that ends. */
export async function withSetUpLock<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await connectToDatabase(url);
  try {
    await lock(client);
    return await work(client);
  } finally {
    await client.end();
  }
}

async function lock(client: pg.Client): Promise<void> {
  await client.query(`set lock_timeout = ${lockWaitMaxMs}`);
  try {
    await client.query('select pg_advisory_lock($1)', [lockId]);
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === lockNotAvailable) {
      throw new TidelineError(
        'unavailable',
        `Another set-up of this database has been running for ${lockWaitMaxMs / 1000} s. Is it stuck?`,
        { cause: error },
      );
    }
    throw error;
  }
  await client.query('reset lock_timeout');
}
