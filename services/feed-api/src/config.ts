import { feedSettings, listenSettings, readEnvironment, serverSettings } from '@tideline/shared/config';

const settings = {
  ...serverSettings,
  ...feedSettings,
  ...listenSettings({ http: 8080, operations: 9080 }),
};

export interface FeedApiConfig {
  databaseUrl: string;
  redisUrl: string;
  namespace: string;
  logLevel: string;
  listenHost: string;
  httpPort: number;
  operationsPort: number;
  inboxCap: number;
}

export function readConfig(environment: NodeJS.ProcessEnv): FeedApiConfig {
  const given = readEnvironment(settings, environment);
  return {
    databaseUrl: given.TIDELINE_DATABASE_URL,
    redisUrl: given.TIDELINE_REDIS_URL,
    namespace: given.TIDELINE_NAMESPACE,
    logLevel: given.TIDELINE_LOG_LEVEL,
    listenHost: given.TIDELINE_LISTEN_HOST,
    httpPort: given.TIDELINE_HTTP_PORT,
    operationsPort: given.TIDELINE_OPERATIONS_PORT,
    inboxCap: given.TIDELINE_INBOX_CAP,
  };
}
