import type { ServerConfig } from '@tideline/shared/config';
import { type Database, openDatabase } from '@tideline/shared/database';
import { unavailable } from '@tideline/shared/errors';
import { createKafka } from '@tideline/shared/kafka-client';
import { readLogGeneration } from '@tideline/shared/log-generation';
import { createLogger } from '@tideline/shared/logger';
import { activitiesTopic, fanoutGroup } from '@tideline/shared/topics';
import type pg from 'pg';
import { connectToDatabase } from '../setup/database-client.js';

const poolSize = 2;
const retriesMax = 3;
/** Any number does, as long as nobody else on this database uses it: "repl". */
const lockId = 0x7265706c;

export interface ReplayTools {
  config: ServerConfig;
  /** As the owner, as the next: what is closed to services is not closed to it. */
  database: Database;
  /** Holds the lock of replays. */
  client: pg.Client;
  kafka: ReturnType<typeof createKafka>;
  topic: string;
  fanoutGroup: string;
  namespace: string;
  generation: number;
}

/**
 * Runs work with connections while no other replay of this database runs, and closes them. Throws `unavailable` where one does
 * or a server does not answer, and `configuration` where set-up did not run.
 */
export async function withReplayTools<T>(config: ServerConfig, work: (tools: ReplayTools) => Promise<T>): Promise<T> {
  const logger = createLogger('replay', 'silent');
  const applicationName = 'tideline-replay';
  const client = await connectToDatabase(config.databaseUrl, { applicationName });
  const database = openDatabase({ url: config.databaseUrl, applicationName, role: 'login', poolSize, logger });
  try {
    await lock(client);
    const topic = activitiesTopic(config.namespace);
    const { generation } = await readLogGeneration(database, topic);
    return await work({
      config,
      database,
      client,
      kafka: createKafka(
        { brokers: config.kafkaBrokers, clientId: applicationName, logger },
        { retry: { retries: retriesMax } },
      ),
      topic,
      fanoutGroup: fanoutGroup(config.namespace),
      namespace: config.namespace,
      generation,
    });
  } finally {
    await database.$pool.end();
    await client.end();
  }
}

async function lock(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [lockId]);
  if (rows[0]?.locked !== true) {
    throw unavailable('Another replay of this database is running.');
  }
}
