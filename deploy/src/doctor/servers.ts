import { redisConnection } from '@tideline/shared/redis-connection';
import { isUndefinedRole } from '@tideline/shared/refusals';
import type pg from 'pg';
import type { SetUpConfig } from '../setup/config.js';
import { connectToDatabase } from '../setup/database-client.js';
import { type Admin, connectToKafka } from '../setup/kafka-admin.js';
import { type Examination, fault } from './examination.js';

const redisTimeouts = { connectTimeoutMs: 3_000, commandTimeoutMs: 5_000 };
const kafkaRetries = 1;
const noSuchDatabase = '3D000';

export type Redis = ReturnType<typeof redisConnection>;

export interface Servers {
  /** undefined: it does not answer, or nothing was set up in it. */
  database: pg.Client | undefined;
  redis: Redis | undefined;
  kafka: Admin | undefined;
  close(): Promise<void>;
}

/** Connects to every server that can be reached; of the others there is a finding. */
export async function openServers(config: SetUpConfig, examination: Examination): Promise<Servers> {
  const database = await openDatabase(config.databaseUrl, examination);
  const redis = await reachRedis(config.redisUrl, examination);
  const kafka = await reach('kafka', examination, () =>
    connectToKafka(config.kafkaBrokers, 'tideline-doctor', kafkaRetries),
  );
  return {
    database,
    redis,
    kafka,
    async close() {
      redis?.disconnect();
      await Promise.all([database?.end(), kafka?.disconnect()]);
    },
  };
}

/** Redis, or a finding that it does not answer. */
export function reachRedis(url: string, examination: Examination): Promise<Redis | undefined> {
  return reach('redis', examination, () => openRedis(url));
}

async function openDatabase(url: string, examination: Examination): Promise<pg.Client | undefined> {
  const database = await reach('database', examination, () =>
    connectToDatabase(url, { role: 'tideline_operator', applicationName: 'tideline-doctor' }),
  );
  if (database === undefined) {
    return undefined;
  }
  const { rows } = await database.query<{ isSetUp: boolean }>(
    "select to_regclass('migrations') is not null and to_regclass('migration_checksums') is not null as \"isSetUp\"",
  );
  const isSetUp = rows[0]?.isSetUp === true;
  examination.check(isSetUp, notSetUp);
  if (!isSetUp) {
    await database.end();
  }
  return isSetUp ? database : undefined;
}

const notSetUp = fault('not_set_up', 'Nothing was set up in this database.', 'Run `npx tideline setup`.');

async function openRedis(url: string): Promise<Redis> {
  const redis = redisConnection(url, redisTimeouts);
  let reason: Error | undefined;
  redis.on('error', (error: Error) => {
    reason = error;
  });
  try {
    await redis.connect();
    return redis;
  } catch (error) {
    redis.disconnect();
    const { host, pathname } = new URL(url);
    throw new Error(`Redis at ${host}${pathname} does not answer: ${(reason ?? (error as Error)).message}`, {
      cause: error,
    });
  }
}

async function reach<T>(
  name: 'database' | 'redis' | 'kafka',
  examination: Examination,
  connect: () => Promise<T>,
): Promise<T | undefined> {
  try {
    const server = await connect();
    examination.checkAll([]);
    return server;
  } catch (error) {
    examination.checkAll([
      isNotSetUp(error)
        ? notSetUp
        : fault(
            `${name}_unreachable`,
            (error as Error).message.replace(/\.?$/, '.'),
            `Start it, or set ${variables[name]} to where it is.`,
          ),
    ]);
    return undefined;
  }
}

/** There is no such database, or none of the roles. */
function isNotSetUp(error: unknown): boolean {
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  return code === noSuchDatabase || isUndefinedRole(cause);
}

const variables = {
  database: 'TIDELINE_DATABASE_URL',
  redis: 'TIDELINE_REDIS_URL',
  kafka: 'TIDELINE_KAFKA_BROKERS',
};
