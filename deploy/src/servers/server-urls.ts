import { TidelineError } from '@tideline/shared/errors';

/** Where the three servers are, as the variables that tell every process of Tideline. */
export interface ServerUrls {
  TIDELINE_DATABASE_URL: string;
  TIDELINE_REDIS_URL: string;
  TIDELINE_KAFKA_BROKERS: string;
}

export const serverUrlNames = ['TIDELINE_DATABASE_URL', 'TIDELINE_REDIS_URL', 'TIDELINE_KAFKA_BROKERS'] as const;

/** The servers that the environment names, or undefined where it names none. Some without the others is a mistake. */
export function serverUrlsOf(environment: NodeJS.ProcessEnv): ServerUrls | undefined {
  const values = serverUrlNames.map((name) => environment[name] ?? '');
  const missing = serverUrlNames.filter((_, index) => values[index] === '');
  if (missing.length === serverUrlNames.length) {
    return undefined;
  }
  if (missing.length > 0) {
    throw new TidelineError(
      'configuration',
      `The environment names some servers but not all: set ${missing.join(' and ')} too, or none of them.`,
    );
  }
  const [TIDELINE_DATABASE_URL = '', TIDELINE_REDIS_URL = '', TIDELINE_KAFKA_BROKERS = ''] = values;
  return { TIDELINE_DATABASE_URL, TIDELINE_REDIS_URL, TIDELINE_KAFKA_BROKERS };
}
