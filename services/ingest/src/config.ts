import { listenSettings, readEnvironment, serverSettings } from '@tideline/shared/config';

const settings = { ...serverSettings, ...listenSettings({ http: 8081, operations: 9081 }) };

export interface IngestConfig {
  databaseUrl: string;
  redisUrl: string;
  kafkaBrokers: string[];
  namespace: string;
  logLevel: string;
  listenHost: string;
  /** 0 takes a free port, here and below. */
  httpPort: number;
  operationsPort: number;
}

/** Throws a `configuration` error that names each wrong variable. */
export function readConfig(environment: NodeJS.ProcessEnv): IngestConfig {
  const given = readEnvironment(settings, environment);
  return {
    databaseUrl: given.TIDELINE_DATABASE_URL,
    redisUrl: given.TIDELINE_REDIS_URL,
    kafkaBrokers: given.TIDELINE_KAFKA_BROKERS,
    namespace: given.TIDELINE_NAMESPACE,
    logLevel: given.TIDELINE_LOG_LEVEL,
    listenHost: given.TIDELINE_LISTEN_HOST,
    httpPort: given.TIDELINE_HTTP_PORT,
    operationsPort: given.TIDELINE_OPERATIONS_PORT,
  };
}
