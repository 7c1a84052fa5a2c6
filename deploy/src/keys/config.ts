import { readEnvironment, serverSettings } from '@tideline/shared/config';

/** Where the keys are. Throws a `configuration` error that names the variable. */
export function readDatabaseUrl(environment: NodeJS.ProcessEnv = process.env): string {
  const { TIDELINE_DATABASE_URL: url } = readEnvironment(
    { TIDELINE_DATABASE_URL: serverSettings.TIDELINE_DATABASE_URL },
    environment,
  );
  return url;
}
