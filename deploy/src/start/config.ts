import { port, readEnvironment } from '@tideline/shared/config';
import { z } from 'zod';

/** As in docker-compose.yml: 0, any free port, would leave nobody knowing which. */
function fixedPort(fallback: number) {
  return port(fallback).refine((value) => value !== 0, 'must not be 0');
}

const settings = {
  TIDELINE_INGEST_PORT: fixedPort(8081),
  TIDELINE_INGEST_OPERATIONS_PORT: fixedPort(9081),
  TIDELINE_FANOUT_OPERATIONS_PORT: fixedPort(9082),
  TIDELINE_FEED_API_PORT: fixedPort(8080),
  TIDELINE_FEED_API_OPERATIONS_PORT: fixedPort(9080),
  TIDELINE_LISTEN_HOST: z.string().min(1).default('127.0.0.1'),
  TIDELINE_START_SERVERS: z.enum(['native', 'containers'], 'must be native or containers').optional(),
};

const allAddresses: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

export interface ServiceConfig {
  name: 'ingest' | 'fanout' | 'feed-api';
  ports: { variable: string; port: number }[];
  operationsPort: number;
  /** Beside what all services get. */
  environment: Record<string, string>;
}

export interface StartConfig {
  services: ServiceConfig[];
  listenHost: string;
  /** Where that can be reached from this machine. */
  reachableHost: string;
  ingestPort: number;
  feedApiPort: number;
  /** What to start where the environment names no servers; undefined: what suits the machine. */
  servers: 'native' | 'containers' | undefined;
}

/** Throws a `configuration` error that names each wrong variable. */
export function readStartConfig(environment: NodeJS.ProcessEnv): StartConfig {
  const given = readEnvironment(settings, environment);
  const service = (name: ServiceConfig['name'], variables: { http?: PortVariable; operations: PortVariable }) => ({
    name,
    ports: Object.values(variables).map((variable) => ({ variable, port: given[variable] })),
    operationsPort: given[variables.operations],
    environment: {
      TIDELINE_OPERATIONS_PORT: String(given[variables.operations]),
      ...(variables.http === undefined ? {} : { TIDELINE_HTTP_PORT: String(given[variables.http]) }),
    },
  });
  return {
    services: [
      service('ingest', { http: 'TIDELINE_INGEST_PORT', operations: 'TIDELINE_INGEST_OPERATIONS_PORT' }),
      service('fanout', { operations: 'TIDELINE_FANOUT_OPERATIONS_PORT' }),
      service('feed-api', { http: 'TIDELINE_FEED_API_PORT', operations: 'TIDELINE_FEED_API_OPERATIONS_PORT' }),
    ],
    listenHost: given.TIDELINE_LISTEN_HOST,
    reachableHost: allAddresses.has(given.TIDELINE_LISTEN_HOST) ? '127.0.0.1' : given.TIDELINE_LISTEN_HOST,
    ingestPort: given.TIDELINE_INGEST_PORT,
    feedApiPort: given.TIDELINE_FEED_API_PORT,
    servers: given.TIDELINE_START_SERVERS,
  };
}

type PortVariable = Extract<keyof typeof settings, `${string}_PORT`>;
