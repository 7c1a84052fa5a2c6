import { count, feedSettings, listenSettings, readEnvironment, serverSettings } from '@tideline/shared/config';

const settings = {
  ...serverSettings,
  ...feedSettings,
  ...listenSettings({ operations: 9082 }),
  /** Partitions whose batches are worked on at the same time. */
  TIDELINE_PARTITION_CONCURRENCY: count(4, 64),
  /** Followers kept in memory over all authors this process owns. */
  TIDELINE_FOLLOWER_CACHE_SIZE: count(2_000_000, 100_000_000),
};

export interface FanoutConfig {
  databaseUrl: string;
  redisUrl: string;
  kafkaBrokers: string[];
  namespace: string;
  logLevel: string;
  listenHost: string;
  operationsPort: number;
  inboxCap: number;
  followerThreshold: number;
  partitionConcurrency: number;
  followerCacheSizeMax: number;
}

export function readConfig(environment: NodeJS.ProcessEnv): FanoutConfig {
  const given = readEnvironment(settings, environment);
  return {
    databaseUrl: given.TIDELINE_DATABASE_URL,
    redisUrl: given.TIDELINE_REDIS_URL,
    kafkaBrokers: given.TIDELINE_KAFKA_BROKERS,
    namespace: given.TIDELINE_NAMESPACE,
    logLevel: given.TIDELINE_LOG_LEVEL,
    listenHost: given.TIDELINE_LISTEN_HOST,
    operationsPort: given.TIDELINE_OPERATIONS_PORT,
    inboxCap: given.TIDELINE_INBOX_CAP,
    followerThreshold: given.TIDELINE_FOLLOWER_THRESHOLD,
    partitionConcurrency: given.TIDELINE_PARTITION_CONCURRENCY,
    followerCacheSizeMax: given.TIDELINE_FOLLOWER_CACHE_SIZE,
  };
}
