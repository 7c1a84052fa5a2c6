import type { ServerConfig } from '@tideline/shared/config';
import { type Database, isDatabaseDown, openDatabase } from '@tideline/shared/database';
import { unavailable } from '@tideline/shared/errors';
import { createKafka } from '@tideline/shared/kafka-client';
import { readLogGeneration } from '@tideline/shared/log-generation';
import { createLogger } from '@tideline/shared/logger';
import { activitiesTopic, deadLetterTopic, fanoutGroup } from '@tideline/shared/topics';

const poolSize = 2;
/** Of what is asked of Kafka: somebody waits. */
const retriesMax = 3;

/** What the commands about dead letters work with. */
export interface LetterTools {
  database: Database;
  kafka: ReturnType<typeof createKafka>;
  /** Where records come from and go back to. */
  topic: string;
  letterTopic: string;
  groupId: string;
  generation: number;
}

type LetterServers = Pick<ServerConfig, 'databaseUrl' | 'kafkaBrokers' | 'namespace'>;

/** Runs work with connections, and closes them. Throws `unavailable`, and `configuration` where set-up did not run. */
export async function withLetterTools<T>(config: LetterServers, work: (tools: LetterTools) => Promise<T>): Promise<T> {
  const logger = createLogger('dead-letters', 'silent');
  const database = openDatabase({
    url: config.databaseUrl,
    applicationName: 'tideline-dead-letters',
    role: 'tideline_operator',
    poolSize,
    logger,
  });
  const topic = activitiesTopic(config.namespace);
  try {
    const { generation } = await readLogGeneration(database, topic);
    const kafka = createKafka(
      { brokers: config.kafkaBrokers, clientId: 'tideline-dead-letters', logger },
      { retry: { retries: retriesMax } },
    );
    return await work({
      database,
      kafka,
      topic,
      letterTopic: deadLetterTopic(config.namespace),
      groupId: fanoutGroup(config.namespace),
      generation,
    });
  } catch (error) {
    throw isDatabaseDown(error)
      ? unavailable(`The database does not answer: ${(error as Error).message}`, error)
      : error;
  } finally {
    await database.$pool.end();
  }
}
