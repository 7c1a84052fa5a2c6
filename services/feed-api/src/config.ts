import {
  feedSettings,
  listenSettings,
  readEnvironment,
  type ServerConfig,
  serverConfig,
  serverSettings,
} from '@tideline/shared/config';

const settings = {
  ...serverSettings,
  ...feedSettings,
  ...listenSettings({ http: 8080, operations: 9080 }),
};

export interface FeedApiConfig extends ServerConfig {
  listenHost: string;
  httpPort: number;
  operationsPort: number;
  inboxCap: number;
}

export function readConfig(environment: NodeJS.ProcessEnv): FeedApiConfig {
  const given = readEnvironment(settings, environment);
  return {
    ...serverConfig(given),
    listenHost: given.TIDELINE_LISTEN_HOST,
    httpPort: given.TIDELINE_HTTP_PORT,
    operationsPort: given.TIDELINE_OPERATIONS_PORT,
    inboxCap: given.TIDELINE_INBOX_CAP,
  };
}
