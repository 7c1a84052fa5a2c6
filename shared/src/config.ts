import { z } from 'zod';
import { aggregationDefault, aggregationSchema } from './aggregation-rules.js';
import { TidelineError } from './errors.js';

/**
 * Settings from the environment. Only `config.ts` files read it; what is wrong is said at start, by variable.
 * The defaults are those of the servers that `npm start` brings up.
 */
export const serverSettings = {
  TIDELINE_DATABASE_URL: z
    .url({ protocol: /^postgres(ql)?$/ })
    .default('postgres://tideline:tideline@127.0.0.1:15432/tideline'),
  TIDELINE_REDIS_URL: z.url({ protocol: /^rediss?$/ }).default('redis://127.0.0.1:16379'),
  TIDELINE_KAFKA_BROKERS: z
    .string()
    .default('127.0.0.1:19092')
    .transform((text) => text.split(',').map((broker) => broker.trim()))
    .refine(
      (brokers) => brokers.every((broker) => /^[^\s:]+:\d+$/.test(broker)),
      'must be host:port, several separated by commas',
    ),
  /** Names topics, the consumer group and Redis keys: several installations can share servers. */
  TIDELINE_NAMESPACE: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,31}$/)
    .default('tideline'),
  TIDELINE_LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  /** 1: users and keys that everybody knows. Never where strangers can reach the services. */
  TIDELINE_DEMO: z.enum(['0', '1'], 'must be 0 or 1').default('0'),
  NODE_ENV: z.string().optional(),
};

/** Where the servers are, and how this installation is told from others. */
export interface ServerConfig {
  databaseUrl: string;
  redisUrl: string;
  /** host:port of each. */
  kafkaBrokers: string[];
  namespace: string;
  logLevel: string;
  demo: boolean;
}

export function serverConfig(given: z.infer<z.ZodObject<typeof serverSettings>>): ServerConfig {
  return {
    databaseUrl: given.TIDELINE_DATABASE_URL,
    redisUrl: given.TIDELINE_REDIS_URL,
    kafkaBrokers: given.TIDELINE_KAFKA_BROKERS,
    namespace: given.TIDELINE_NAMESPACE,
    logLevel: given.TIDELINE_LOG_LEVEL,
    demo: demoMode(given),
  };
}

/** Throws a `configuration` error for demo mode in production. */
export function demoMode(given: { TIDELINE_DEMO: '0' | '1'; NODE_ENV?: string | undefined }): boolean {
  if (given.TIDELINE_DEMO === '1' && given.NODE_ENV === 'production') {
    throw new TidelineError(
      'configuration',
      'TIDELINE_DEMO=1 with NODE_ENV=production: demo mode has keys that everybody knows.',
    );
  }
  return given.TIDELINE_DEMO === '1';
}

/** Where a service listens. Loopback unless told otherwise: the operations port is not for the public. */
export function listenSettings(defaults: { http?: number; operations: number }) {
  return {
    TIDELINE_LISTEN_HOST: z.string().min(1).default('127.0.0.1'),
    TIDELINE_HTTP_PORT: port(defaults.http ?? 0),
    TIDELINE_OPERATIONS_PORT: port(defaults.operations),
  };
}

export function port(fallback: number) {
  return z.coerce.number().int().min(0).max(65_535).default(fallback);
}

export function count(fallback: number, max: number, min = 1) {
  return z.coerce.number().int().min(min).max(max).default(fallback);
}

/** What all processes have to agree about: see agreed-settings.ts. */
export const feedSettings = {
  /** Entries an inbox keeps before it trims (C2). */
  TIDELINE_INBOX_CAP: count(500, 5_000),
  /** Authors with more followers are pulled (C3). */
  TIDELINE_FOLLOWER_THRESHOLD: count(10_000, 10_000_000),
};

/** What set-up and fanout have to agree about besides. */
export const retentionSettings = {
  /** How long content is kept, at least; 0: for ever. */
  TIDELINE_RETENTION_DAYS: count(0, 36_500, 0),
};

/** What set-up and feed-api have to agree about besides. */
export const aggregationSettings = {
  /** Which activities are one item where feeds are aggregated (C6). */
  TIDELINE_AGGREGATION: aggregationSchema.default(aggregationDefault),
};

/** Reads settings; an empty variable counts as not set. Throws a `configuration` error that names each variable. */
export function readEnvironment<Shape extends z.ZodRawShape>(
  shape: Shape,
  environment: NodeJS.ProcessEnv,
): z.infer<z.ZodObject<Shape>> {
  const given = Object.fromEntries(
    Object.entries(environment).filter(([name, value]) => name in shape && value !== ''),
  );
  const result = z.object(shape).safeParse(given);
  if (!result.success) {
    const problems = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new TidelineError('configuration', `Wrong settings in the environment:\n  ${problems.join('\n  ')}`);
  }
  return result.data;
}
