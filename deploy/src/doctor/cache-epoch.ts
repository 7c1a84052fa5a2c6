import { readCacheIdentity } from '@tideline/shared/cache';
import { bucketCount, bucketEpochKey, FeedKeys } from '@tideline/shared/feed-keys';
import type pg from 'pg';
import { type Examination, fault, warning } from './examination.js';
import type { Redis } from './servers.js';

// Where the login may not see how far a sequence is, there is no row.
const selectSequences = `
  select sequencename as name, last_value::text as last, used::text
  from pg_sequences
  join (select 'cache_epochs' as sequencename, max(epoch) as used from cache_epoch
        union all select 'partition_fence_epochs', max(epoch) from partition_fences) used using (sequencename)
  where schemaname = current_schema() and last_value is not null and used is not null`;

interface Servers {
  database: pg.Client;
  redis: Redis;
}

/** An older database than Redis has seen: what it gave out before, it gives out again. */
const flush =
  'The database is older than the cache: was it restored from a backup? Stop the services, run FLUSHDB in Redis, which loses nothing, and start them.';

/**
 * Whether Redis and the database agree about what fences the cache: its epoch (I6) and the owners of partitions (I2). They
 * cannot differ for longer than a moment while services run, unless one of the two was exchanged or put back. What Redis
 * has is read first: the database gives out epochs before Redis hears of them.
 */
export async function examineCacheEpoch(servers: Servers, namespace: string, examination: Examination): Promise<void> {
  const { database, redis } = servers;
  await examineSequences(database, examination);
  const identity = await readCacheIdentity(redis, namespace);
  const buckets = Array.from({ length: bucketCount }, (_, bucket) => bucket);
  const epochs = await Promise.all(buckets.map((bucket) => redis.get(bucketEpochKey(namespace, bucket))));
  const { rows } = await database.query<{ epoch: string; identity: string }>(
    'select epoch::text, run_id as identity from cache_epoch',
  );
  const [recorded] = rows;
  if (recorded === undefined) {
    return; // No service was ever started.
  }
  examination.check(
    identity === recorded.identity,
    fault(
      'cache_epoch_other',
      'This Redis is not as the services know it: it was restarted, flushed or exchanged, and none of them noticed.',
      'Services notice when they next use it, and starting one is enough. If it stays, they have another TIDELINE_REDIS_URL.',
    ),
  );
  examineBuckets(epochs, recorded.epoch, examination);
  await examineFences(servers, new FeedKeys(namespace, recorded.epoch), examination);
}

async function examineSequences(database: pg.Client, examination: Examination): Promise<void> {
  const { rows } = await database.query<{ name: string; last: string; used: string }>(selectSequences);
  for (const { name, last, used } of rows) {
    examination.check(
      BigInt(last) >= BigInt(used),
      fault(
        'sequence_behind',
        `The sequence ${name} stands at ${last}, and ${used} was given out: it would give out again what others still hold.`,
        `Run \`select setval('${name}', ${used})\`.`,
      ),
    );
  }
}

function examineBuckets(epochs: readonly (string | null)[], epoch: string, examination: Examination): void {
  const ahead = epochs.filter((each) => each !== null && BigInt(each) > BigInt(epoch));
  examination.check(
    ahead.length === 0,
    fault(
      'cache_epoch_ahead',
      `${ahead.length} buckets of Redis are in cache epoch ${ahead[0] ?? ''}, and the database gives out ${epoch}: Redis takes nothing from services.`,
      flush,
    ),
  );
  const behind = epochs.filter((each) => each === null || BigInt(each) < BigInt(epoch));
  examination.check(
    behind.length === 0,
    warning(
      'cache_epoch_missing',
      `${behind.length} of ${bucketCount} buckets of Redis do not have the cache epoch ${epoch}: their keys were deleted, and are unknown until a service sets it again.`,
      'Services do that when they are next refused; starting one does it, too.',
    ),
  );
}

async function examineFences({ database, redis }: Servers, keys: FeedKeys, examination: Examination): Promise<void> {
  const told = await Promise.all(
    Array.from({ length: bucketCount }, (_, bucket) => redis.hgetall(keys.fences(bucket))),
  );
  const { rows } = await database.query<{ partition: string; epoch: string }>(
    'select log_partition::text as partition, epoch::text from partition_fences',
  );
  const recorded = new Map(rows.map(({ partition, epoch }) => [partition, BigInt(epoch)]));
  const ahead = new Set(
    told
      .flatMap((fences) => Object.entries(fences))
      .filter(([partition, fence]) => BigInt(fence) > (recorded.get(partition) ?? 0n))
      .map(([partition]) => partition),
  );
  examination.check(
    ahead.size === 0,
    fault(
      'fence_ahead',
      `Redis knows of later owners of the partitions ${[...ahead].join(', ')} than the database: it takes no deliveries from fanout.`,
      flush,
    ),
  );
}
