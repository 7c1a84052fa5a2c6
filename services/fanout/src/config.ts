import {
  count,
  feedSettings,
  listenSettings,
  readEnvironment,
  retentionSettings,
  type ServerConfig,
  serverConfig,
  serverSettings,
} from '@tideline/shared/config';

const settings = {
  ...serverSettings,
  ...feedSettings,
  ...retentionSettings,
  ...listenSettings({ operations: 9082 }),
  /** Partitions whose batches are worked on at the same time. */
  TIDELINE_PARTITION_CONCURRENCY: count(4, 64),
  /** Followers kept in memory over all authors this process owns. */
  TIDELINE_FOLLOWER_CACHE_SIZE: count(2_000_000, 100_000_000),
  /** Between two refreshes of the materialised home feeds (E6); 0: there are none. */
  TIDELINE_MATERIALIZED_INTERVAL_MS: count(600_000, 86_400_000, 0),
  /** Between two groups of users whose feeds are held against the database (E12); 0: never. */
  TIDELINE_VERIFY_INTERVAL_MS: count(60_000, 86_400_000, 0),
  /** For so long the audit says who changed what (E5); 0: for ever. */
  TIDELINE_AUDIT_DAYS: count(30, 36_500, 0),
};

export interface FanoutConfig extends ServerConfig {
  listenHost: string;
  operationsPort: number;
  inboxCap: number;
  followerThreshold: number;
  /** 0: content is kept for ever. */
  retentionDays: number;
  partitionConcurrency: number;
  followerCacheSizeMax: number;
  /** 0: feeds are not checked in the background. */
  verifyIntervalMs: number;
  /** 0: the audit is kept for ever. */
  auditDays: number;
  /** 0: home feeds are not materialised. */
  materializedIntervalMs: number;
}

export function readConfig(environment: NodeJS.ProcessEnv): FanoutConfig {
  const given = readEnvironment(settings, environment);
  return {
    ...serverConfig(given),
    listenHost: given.TIDELINE_LISTEN_HOST,
    operationsPort: given.TIDELINE_OPERATIONS_PORT,
    inboxCap: given.TIDELINE_INBOX_CAP,
    followerThreshold: given.TIDELINE_FOLLOWER_THRESHOLD,
    retentionDays: given.TIDELINE_RETENTION_DAYS,
    partitionConcurrency: given.TIDELINE_PARTITION_CONCURRENCY,
    followerCacheSizeMax: given.TIDELINE_FOLLOWER_CACHE_SIZE,
    verifyIntervalMs: given.TIDELINE_VERIFY_INTERVAL_MS,
    auditDays: given.TIDELINE_AUDIT_DAYS,
    materializedIntervalMs: given.TIDELINE_MATERIALIZED_INTERVAL_MS,
  };
}
