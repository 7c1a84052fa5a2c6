import type { AgreedSettings } from '@tideline/shared/agreed-settings';
import {
  aggregationSettings,
  count,
  demoMode,
  feedSettings,
  readEnvironment,
  retentionSettings,
  serverSettings,
} from '@tideline/shared/config';

/** The topic cannot be repartitioned without draining it, so there are more partitions than consumers need today. */
export const partitionsDefault = 12;

const settings = {
  TIDELINE_DATABASE_URL: serverSettings.TIDELINE_DATABASE_URL,
  TIDELINE_REDIS_URL: serverSettings.TIDELINE_REDIS_URL,
  TIDELINE_KAFKA_BROKERS: serverSettings.TIDELINE_KAFKA_BROKERS,
  TIDELINE_NAMESPACE: serverSettings.TIDELINE_NAMESPACE,
  TIDELINE_PARTITIONS: count(partitionsDefault, 1_000),
  TIDELINE_REPLICATION_FACTOR: count(1, 10),
  ...feedSettings,
  ...aggregationSettings,
  ...retentionSettings,
  TIDELINE_DEMO: serverSettings.TIDELINE_DEMO,
  NODE_ENV: serverSettings.NODE_ENV,
};

export interface SetUpConfig extends AgreedSettings {
  databaseUrl: string;
  redisUrl: string;
  kafkaBrokers: string[];
  namespace: string;
  partitions: number;
  replicationFactor: number;
  demo: boolean;
}

export function readSetUpConfig(environment: NodeJS.ProcessEnv = process.env): SetUpConfig {
  const values = readEnvironment(settings, environment);
  return {
    databaseUrl: values.TIDELINE_DATABASE_URL,
    redisUrl: values.TIDELINE_REDIS_URL,
    kafkaBrokers: values.TIDELINE_KAFKA_BROKERS,
    namespace: values.TIDELINE_NAMESPACE,
    partitions: values.TIDELINE_PARTITIONS,
    replicationFactor: values.TIDELINE_REPLICATION_FACTOR,
    inboxCap: values.TIDELINE_INBOX_CAP,
    followerThreshold: values.TIDELINE_FOLLOWER_THRESHOLD,
    aggregation: values.TIDELINE_AGGREGATION,
    retentionDays: values.TIDELINE_RETENTION_DAYS,
    demo: demoMode(values),
  };
}
