import { InboxWriter } from '@tideline/fanout/inbox/inbox-writer';
import { ListUpdates } from '@tideline/fanout/inbox/list-updates';
import {
  beginList,
  decodeListSlice,
  finishList,
  type ListSlice,
  readListCall,
} from '@tideline/feed-api/inbox/list-reader';
import { activityIdToBytes, highestActivityId } from '@tideline/shared/activity-id';
import { Cache } from '@tideline/shared/cache';
import type { CacheEpochStore } from '@tideline/shared/cache-epoch-store';
import { createLogger } from '@tideline/shared/logger';
import { Redis } from 'ioredis';

/** One partition's fence, which deliveries carry. */
export const hold = { partition: 3, fence: '7' };

/**
 * Inboxes as both of their services see them: fanout writes them, feed-api builds and reads them. For tests of the
 * scripts, which no service may do alone.
 */
export class FeedLists {
  readonly writer: InboxWriter;
  /** As the services use Redis. */
  readonly cache: Cache;
  /** Redis as it is, to look behind the scripts. */
  readonly redis: Redis;
  readonly #cap: number;

  private constructor(cache: Cache, redis: Redis, cap: number) {
    this.cache = cache;
    this.redis = redis;
    this.#cap = cap;
    this.writer = new InboxWriter({ cache, inboxCap: cap });
  }

  /** With keys of their own on the servers of the tests. */
  static async open(namespace: string, epochs: CacheEpochStore, cap: number): Promise<FeedLists> {
    const url = process.env['TIDELINE_REDIS_URL'] ?? '';
    const cache = new Cache({ url, namespace, epochs, logger: createLogger('test', 'silent') });
    await cache.start();
    return new FeedLists(cache, new Redis(url), cap);
  }

  async close(): Promise<void> {
    await this.cache.close();
    this.redis.disconnect();
  }

  async insert(
    updates: Record<string, readonly string[]>,
    whileBuilding: 'accept' | 'start_over' = 'accept',
    as = hold,
  ): Promise<number> {
    return this.writer.insert(as, listUpdates(updates), whileBuilding);
  }

  async remove(updates: Record<string, readonly string[]>, as = hold): Promise<number> {
    return this.writer.remove(as, listUpdates(updates));
  }

  async begin(userId: string, replaceReady: boolean): Promise<Buffer | undefined> {
    return beginList(this.cache, { kind: 'inbox', userId }, replaceReady);
  }

  /** `ids` newest first. */
  async finish(userId: string, token: Buffer, ids: readonly string[], floor: string): Promise<boolean> {
    return finishList(this.cache, { kind: 'inbox', userId }, token, this.#cap, ids, floor);
  }

  async read(userId: string, before = highestActivityId, count = 1_000): Promise<ListSlice> {
    const [answer] = await this.cache.run([readListCall(this.cache, { kind: 'inbox', userId }, before, count)]);
    return decodeListSlice(answer, count);
  }
}

function listUpdates(updates: Record<string, readonly string[]>): ListUpdates {
  const lists = new ListUpdates();
  for (const [userId, ids] of Object.entries(updates)) {
    for (const id of [...ids].sort()) {
      lists.add('inbox', userId, activityIdToBytes(id));
    }
  }
  return lists;
}
