import { count, readEnvironment, serverSettings } from '@tideline/shared/config';
import { TidelineError } from '@tideline/shared/errors';
import { z } from 'zod';

/** The topic cannot be repartitioned without draining it, so there are more partitions than consumers need today. */
const partitionsDefault = 12;

const settings = {
  TIDELINE_DATABASE_URL: serverSettings.TIDELINE_DATABASE_URL,
  TIDELINE_KAFKA_BROKERS: serverSettings.TIDELINE_KAFKA_BROKERS,
  TIDELINE_NAMESPACE: serverSettings.TIDELINE_NAMESPACE,
  TIDELINE_PARTITIONS: count(partitionsDefault, 1_000),
  TIDELINE_REPLICATION_FACTOR: count(1, 10),
  /** 1: users and keys that everybody knows. Never where strangers can reach the services. */
  TIDELINE_DEMO: z.enum(['0', '1'], 'must be 0 or 1').default('0'),
};

export interface SetUpConfig {
  databaseUrl: string;
  kafkaBrokers: string[];
  namespace: string;
  partitions: number;
  replicationFactor: number;
  demo: boolean;
}

export function readSetUpConfig(environment: NodeJS.ProcessEnv = process.env): SetUpConfig {
  const values = readEnvironment(settings, environment);
  if (values.TIDELINE_DEMO === '1' && environment['NODE_ENV'] === 'production') {
    throw new TidelineError('configuration', 'TIDELINE_DEMO=1 makes keys that everybody knows: not in production.');
  }
  return {
    databaseUrl: values.TIDELINE_DATABASE_URL,
    kafkaBrokers: values.TIDELINE_KAFKA_BROKERS,
    namespace: values.TIDELINE_NAMESPACE,
    partitions: values.TIDELINE_PARTITIONS,
    replicationFactor: values.TIDELINE_REPLICATION_FACTOR,
    demo: values.TIDELINE_DEMO === '1',
  };
}
