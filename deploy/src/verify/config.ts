import { readEnvironment, type ServerConfig, serverConfig, serverSettings } from '@tideline/shared/config';

/** Where the servers are. Throws a `configuration` error that names the variable. */
export function readVerifyConfig(environment: NodeJS.ProcessEnv = process.env): ServerConfig {
  return serverConfig(readEnvironment(serverSettings, environment));
}
