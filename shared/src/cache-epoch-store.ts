import type { Database } from './database.js';

/** The cache epoch of record (I6): a sequence in TimescaleDB, bound to the identity of the Redis that holds the cache. */
export interface CacheEpochStore {
  /** The epoch of the Redis with this identity; a new one where it is not the one seen last. */
  epochOf(identity: string): Promise<string>;
}

const raiseWhereOther = `
  insert into cache_epoch (epoch, run_id) values (nextval('cache_epochs'), $1)
  on conflict (singleton) do update
    set epoch = nextval('cache_epochs'), run_id = excluded.run_id, raised_at = now()
    where cache_epoch.run_id <> excluded.run_id`;

export function cacheEpochStore(database: Database): CacheEpochStore {
  return {
    async epochOf(identity) {
      await database.none(raiseWhereOther, [identity]);
      const row = await database.one<{ epoch: string }>('select epoch::text from cache_epoch where run_id = $1', [
        identity,
      ]);
      return row.epoch;
    },
  };
}
