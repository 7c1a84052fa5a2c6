import {
  listenSettings,
  readEnvironment,
  type ServerConfig,
  serverConfig,
  serverSettings,
} from '@tideline/shared/config';
import { type DoorConfig, doorConfig, doorSettings } from '@tideline/shared/door-settings';

const settings = { ...serverSettings, ...listenSettings({ http: 8081, operations: 9081 }), ...doorSettings };

export interface IngestConfig extends ServerConfig {
  listenHost: string;
  /** 0 takes a free port, here and below. */
  httpPort: number;
  operationsPort: number;
  door: DoorConfig;
}

/** Throws a `configuration` error that names each wrong variable. */
export function readConfig(environment: NodeJS.ProcessEnv): IngestConfig {
  const given = readEnvironment(settings, environment);
  const server = serverConfig(given);
  return {
    ...server,
    listenHost: given.TIDELINE_LISTEN_HOST,
    httpPort: given.TIDELINE_HTTP_PORT,
    operationsPort: given.TIDELINE_OPERATIONS_PORT,
    door: doorConfig(given, server.demo),
  };
}
