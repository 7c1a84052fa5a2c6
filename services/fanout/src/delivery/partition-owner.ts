import type { Cache } from '@tideline/shared/cache';
import type { Database } from '@tideline/shared/database';
import type { FeedListWriter, PartitionHold } from '@tideline/shared/feed-lists';
import { LRUCache } from 'lru-cache';
import { type LogPlace, readErasedBelow } from '../storage/erasures.js';
import { checkFence, takeFence } from '../storage/partition-fences.js';
import { AuthorCache } from './author-cache.js';

export interface OwnerOptions {
  database: Database;
  cache: Cache;
  inboxes: Pick<FeedListWriter, 'announceFence'>;
  /** Who takes the partition, for people to read. */
  holder: string;
  followerCacheSizeMax: number;
  knownUsersMax: number;
}

/**
 * One partition in the hands of this process (I2).
 *
 *   idle ──hold()──► held: fence taken in TimescaleDB, memory forgotten, fence announced in Redis
 *   held ──release(), when the consumer group assigned anew──► idle
 *   held, Redis in another cache epoch or without the fence ──hold()──► announced again, if it still stands
 */
export class PartitionOwner {
  readonly partition: number;
  readonly authors: AuthorCache;
  readonly knownUsers: LRUCache<string, true>;
  /** Where erasures end on this partition. Whoever erases takes the fence, so it is right for as long as that stands. */
  erasedBelow: LogPlace | undefined;
  readonly #options: OwnerOptions;
  #fence: string | undefined;
  #announcedIn: string | undefined;

  constructor(partition: number, options: OwnerOptions) {
    this.partition = partition;
    this.#options = options;
    this.authors = new AuthorCache(options.database, options.followerCacheSizeMax);
    this.knownUsers = new LRUCache({ max: options.knownUsersMax });
  }

  release(): void {
    this.#fence = undefined;
    this.#announcedIn = undefined;
    this.#forget();
  }

  /** Forgets that Redis knows the fence: a script said that it does not. */
  announceAgain(): void {
    this.#announcedIn = undefined;
  }

  /** Returns the fence, in force in TimescaleDB and known to Redis. Throws `fenced` when another one took over. */
  async hold(): Promise<PartitionHold> {
    const { database, cache, inboxes, holder } = this.#options;
    if (this.#fence === undefined) {
      this.#forget();
      const fence = await takeFence(database, this.partition, holder);
      this.erasedBelow = await readErasedBelow(database, this.partition);
      this.#fence = fence;
      this.#announcedIn = undefined;
    }
    const hold = { partition: this.partition, fence: this.#fence };
    const { epoch } = cache.keys;
    if (this.#announcedIn !== epoch) {
      // A flush removed every fence, higher ones too, so ours must prove itself before it is written again.
      await checkFence(database, this.partition, this.#fence);
      await inboxes.announceFence(hold);
      this.#announcedIn = epoch;
    }
    return hold;
  }

  #forget(): void {
    this.authors.clear();
    this.knownUsers.clear();
  }
}
