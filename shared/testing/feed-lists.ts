import { InboxWriter } from '@tideline/fanout/inbox/inbox-writer';
import { ListUpdates } from '@tideline/fanout/inbox/list-updates';
import { ListReader } from '@tideline/feed-api/inbox/list-reader';
import { LiveLog } from '@tideline/feed-api/live/live-log';
import { activityIdToBytes, highestActivityId } from '@tideline/shared/activity-id';
import { Cache } from '@tideline/shared/cache';
import type { CacheEpochStore } from '@tideline/shared/cache-epoch-store';
import type { FeedLists, ListKind, ListSlice, PartitionHold, RemovalNews } from '@tideline/shared/feed-lists';
import { createLogger } from '@tideline/shared/logger';
import { Redis } from 'ioredis';

/** One partition's fence, which deliveries carry. */
export const hold = { partition: 3, fence: '7' };

/** Lists of one kind in some store of lists, in the words of its tests. */
export class TestedLists {
  readonly #store: FeedLists;
  readonly #kind: ListKind;

  constructor(store: FeedLists, kind: ListKind) {
    this.#store = store;
    this.#kind = kind;
  }

  async announceFence(as: PartitionHold = hold): Promise<void> {
    await this.#store.announceFence(as);
  }

  async insert(
    updates: Record<string, readonly string[]>,
    whileBuilding: 'accept' | 'start_over' = 'accept',
    as = hold,
  ): Promise<number> {
    return this.#store.insert(as, listUpdates(this.#kind, updates), whileBuilding);
  }

  async remove(updates: Record<string, readonly string[]>, as = hold, news: RemovalNews = 'each_id'): Promise<number> {
    return this.#store.remove(as, listUpdates(this.#kind, updates), news);
  }

  async begin(userId: string, replaceReady: boolean): Promise<Buffer | undefined> {
    return this.#store.begin({ kind: this.#kind, userId }, replaceReady);
  }

  /** `ids` newest first. */
  async finish(userId: string, token: Buffer, ids: readonly string[], floor: string): Promise<boolean> {
    return this.#store.finish({ kind: this.#kind, userId }, token, ids, floor);
  }

  async read(userId: string, before = highestActivityId, count = 1_000): Promise<ListSlice> {
    return this.#store.read({ kind: this.#kind, userId }, before, count);
  }
}

/**
 * The lists in Redis as both of their services see them: fanout writes them, feed-api builds and reads them. Only tests
 * have both in one place.
 */
export class RedisFeedLists {
  readonly store: FeedLists;
  /** What happened to the lists of those who are watched. */
  readonly live: LiveLog;
  /** As the services use Redis. */
  readonly cache: Cache;
  /** Redis as it is, to look behind the scripts. */
  readonly redis: Redis;

  private constructor(cache: Cache, redis: Redis, cap: number) {
    this.cache = cache;
    this.redis = redis;
    this.live = new LiveLog(cache);
    const writer = new InboxWriter({ cache, inboxCap: cap });
    const reader = new ListReader(cache, cap);
    this.store = {
      listLengthMax: writer.listLengthMax,
      announceFence: (as) => writer.announceFence(as),
      insert: (as, updates, whileBuilding) => writer.insert(as, updates, whileBuilding),
      remove: (as, updates, news) => writer.remove(as, updates, news),
      read: (list, before, count) => reader.read(list, before, count),
      begin: (list, replaceReady) => reader.begin(list, replaceReady),
      finish: (list, token, ids, floor) => reader.finish(list, token, ids, floor),
    };
  }

  /** With keys of their own on the servers of the tests. */
  static async open(
    namespace: string,
    epochs: CacheEpochStore,
    cap: number,
    url = process.env['TIDELINE_REDIS_URL'] ?? '',
  ): Promise<RedisFeedLists> {
    const cache = new Cache({ url, namespace, epochs, logger: createLogger('test', 'silent') });
    await cache.start();
    return new RedisFeedLists(cache, new Redis(url), cap);
  }

  async close(): Promise<void> {
    await this.cache.close();
    this.redis.disconnect();
  }
}

function listUpdates(kind: ListKind, updates: Record<string, readonly string[]>): ListUpdates {
  const lists = new ListUpdates();
  for (const [userId, ids] of Object.entries(updates)) {
    for (const id of [...ids].sort()) {
      lists.add(kind, userId, activityIdToBytes(id));
    }
  }
  return lists;
}
