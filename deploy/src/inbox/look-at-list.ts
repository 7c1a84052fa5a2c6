import type { Cache } from '@tideline/shared/cache';
import { bucketOf } from '@tideline/shared/feed-keys';
import type { ListName } from '@tideline/shared/feed-lists';
import { loadScript } from '@tideline/shared/redis-script';
import { decodeStoredList, type StoredList } from '@tideline/shared/verify/stored-feeds';

const lookAtListScript = loadScript('look-at-list', import.meta.url);

export interface SeenList extends StoredList {
  key: string;
  /** How long it stays unless it is read; undefined where it is missing. */
  ttlS: number | undefined;
  sizeBytes: number;
}

/** A list as it is stored. Throws `unavailable` or `cache_refused` where Redis cannot be read. */
export async function lookAtList(cache: Cache, { kind, userId }: ListName): Promise<SeenList> {
  const { keys } = cache;
  const bucket = bucketOf(userId);
  const key = keys.list(kind, userId, bucket);
  const answer = await cache.runOne(lookAtListScript, [keys.bucketEpoch(bucket), key], [keys.epoch]);
  const [entries, ttlMs, sizeBytes] = answer as [Buffer[], number, number];
  return { key, ...decodeStoredList(entries), ttlS: ttlMs < 0 ? undefined : Math.round(ttlMs / 1_000), sizeBytes };
}
