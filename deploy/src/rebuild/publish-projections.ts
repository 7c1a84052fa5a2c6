import type { ServerConfig } from '@tideline/shared/config';
import { incarnationKey } from '@tideline/shared/feed-keys';
import type pg from 'pg';
import { connectToDatabase } from '../setup/database-client.js';
import { withVerifyTools } from '../verify/verify-tools.js';
import { keysOf, withRedis } from './redis-keys.js';

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
  // Locked in the order in which everybody locks several of them.
  await client.query(`
    with fences as (select log_partition from partition_fences order by log_partition for update)
    update partition_fences f set epoch = nextval('partition_fence_epochs'), holder = 'rebuild', taken_at = now()
    from fences where f.log_partition = fences.log_partition`);
  return beginCacheEpoch(config);
}

/** As a flush does, but nothing that is no cache is lost. Returns the new epoch. */
export async function beginCacheEpoch(config: ServerConfig): Promise<string> {
  await withRedis(config, (redis) => redis.del(incarnationKey(config.namespace)));
  return withVerifyTools(config, async ({ cache }) => cache.keys.epoch);
}

/** Removes what is under epochs before `current`. Returns how many keys. */
export async function removeOldKeys(
  config: ServerConfig,
  current: string,
  onProgress: (keysRemoved: number) => void = () => undefined,
): Promise<number> {
  const prefixLength = `${config.namespace}:`.length;
  return withRedis(config, async (redis) => {
    let removed = 0;
    for await (const keys of keysOf(redis, config.namespace)) {
      const old = keys.filter((key) => epochOf(key.slice(prefixLength), current) < Number(current));
      if (old.length > 0) {
        removed += await redis.unlink(...old);
        onProgress(removed);
      }
    }
    return removed;
  });
}

/** Of a key without its namespace; `current` where the key is under no epoch. */
function epochOf(key: string, current: string): number {
  return Number(/^(?:\{b\d+\}:)?(\d+):/.exec(key)?.[1] ?? current);
}
