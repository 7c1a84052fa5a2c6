import { Cache } from '@tideline/shared/cache';
import { cacheEpochStore } from '@tideline/shared/cache-epoch-store';
import type { ServerConfig } from '@tideline/shared/config';
import { isDatabaseDown, openDatabase } from '@tideline/shared/database';
import { unavailable } from '@tideline/shared/errors';
import { createKafka } from '@tideline/shared/kafka-client';
import { readLogGeneration } from '@tideline/shared/log-generation';
import { LogProgress } from '@tideline/shared/log-progress';
import { createLogger } from '@tideline/shared/logger';
import { activitiesTopic, fanoutGroup } from '@tideline/shared/topics';
import type { VerifyTools } from '@tideline/shared/verify/verify-readers';

const poolSize = 2;

/**
 * Runs work with connections to the servers, and closes them. Kafka is asked only where something differs. Throws
 * `unavailable` where database or Redis do not answer, and `configuration` where set-up did not run.
 */
export async function withVerifyTools<T>(config: ServerConfig, work: (tools: VerifyTools) => Promise<T>): Promise<T> {
  // What goes wrong is said by whoever it hinders.
  const logger = createLogger('verify', 'silent');
  const database = openDatabase({
    url: config.databaseUrl,
    applicationName: 'tideline-verify',
    role: 'tideline_operator',
    poolSize,
    logger,
  });
  const cache = new Cache({
    url: config.redisUrl,
    namespace: config.namespace,
    epochs: cacheEpochStore(database),
    logger,
  });
  const topic = activitiesTopic(config.namespace);
  const log = new LogProgress({
    kafka: createKafka({ brokers: config.kafkaBrokers, clientId: 'tideline-verify', logger }),
    topic,
    groupId: fanoutGroup(config.namespace),
  });
  try {
    await readLogGeneration(database, topic);
    await cache.start();
    if (!cache.isOpen()) {
      throw unavailable('Redis does not answer. Without it nothing is cached that could differ.');
    }
    return await work({ database, cache, log });
  } catch (error) {
    throw isDatabaseDown(error)
      ? unavailable(`The database does not answer: ${(error as Error).message}`, error)
      : error;
  } finally {
    await log.close().catch(() => undefined);
    await cache.close();
    await database.$pool.end();
  }
}
