import type { ServerConfig } from '@tideline/shared/config';
import { unavailable } from '@tideline/shared/errors';
import { incarnationKey } from '@tideline/shared/feed-keys';
import { redisConnection } from '@tideline/shared/redis-connection';
import type pg from 'pg';
import { connectToDatabase } from '../setup/database-client.js';
import { withVerifyTools } from '../verify/verify-tools.js';

const timeouts = { connectTimeoutMs: 3_000, commandTimeoutMs: 10_000 };
const keysPerScan = 1_000;

export interface PublishReport {
  /** The cache epoch that began. */
  epoch: string;
  /** What was cached before, and is gone. */
  keysRemoved: number;
}

/**
 * Has the running system go by projections that were rebuilt: whoever owns a partition forgets what it had in memory,
 * everything in Redis is unknown from now on, and projections that were closed are open again, unless events are missing. In
 * this order: what is delivered from memory goes into the old cache, and what readers do not find in the new one they read
 * from TimescaleDB.
 * Throws `unavailable` where Redis or the database do not answer; to be repeated then.
 */
export async function publishProjections(
  config: ServerConfig,
  onProgress: (keysRemoved: number) => void = () => undefined,
): Promise<PublishReport> {
  const client = await connectToDatabase(config.databaseUrl, { applicationName: 'tideline-rebuild' });
  try {
    const epoch = await beginCachesAnew(client, config);
    await client.query(`begin;
      select open_projections() where not exists (select from missing_events);
      delete from rebuild_steps;
      commit`);
    return { epoch, keysRemoved: await removeOldKeys(config, epoch, onProgress) };
  } finally {
    await client.end();
  }
}

/** Whoever owns a partition forgets what it had in memory, and then everything in Redis is unknown. Returns the cache epoch. */
export async function beginCachesAnew(client: pg.Client, config: ServerConfig): Promise<string> {
  await client.query(
    `update partition_fences set epoch = nextval('partition_fence_epochs'), holder = 'rebuild', taken_at = now()`,
  );
  // As a flush does, but nothing that is no cache is lost.
  await withRedis(config, (redis) => redis.del(incarnationKey(config.namespace)));
  return withVerifyTools(config, async ({ cache }) => cache.keys.epoch);
}

async function removeOldKeys(
  config: ServerConfig,
  current: string,
  onProgress: (keysRemoved: number) => void,
): Promise<number> {
  const prefix = `${config.namespace}:`;
  return withRedis(config, async (redis) => {
    let removed = 0;
    let cursor = '0';
    do {
      const [next, keys] = await redis.scan(cursor, 'MATCH', `${prefix}*`, 'COUNT', keysPerScan);
      const old = keys.filter((key) => epochOf(key.slice(prefix.length), current) < Number(current));
      if (old.length > 0) {
        removed += await redis.unlink(...old);
        onProgress(removed);
      }
      cursor = next;
    } while (cursor !== '0');
    return removed;
  });
}

/** Of a key without its namespace; `current` where the key is under no epoch. */
function epochOf(key: string, current: string): number {
  return Number(/^(?:\{b\d+\}:)?(\d+):/.exec(key)?.[1] ?? current);
}

async function withRedis<T>(
  { redisUrl }: ServerConfig,
  work: (redis: ReturnType<typeof redisConnection>) => Promise<T>,
): Promise<T> {
  const redis = redisConnection(redisUrl, timeouts);
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    return await work(redis);
  } catch (error) {
    throw unavailable(`Redis does not answer: ${(error as Error).message}`, error);
  } finally {
    redis.disconnect();
  }
}
