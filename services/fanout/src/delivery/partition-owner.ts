import type { Cache } from '@tideline/shared/cache';
import type { Database } from '@tideline/shared/database';
import type { FeedListWriter, PartitionHold } from '@tideline/shared/feed-lists';
import { checkFence, takeFence } from '../storage/partition-fences.js';
import { AuthorCache } from './author-cache.js';

export interface OwnerOptions {
  database: Database;
  cache: Cache;
  inboxes: Pick<FeedListWriter, 'announceFence'>;
  /** Who takes the partition, for people to read. */
  holder: string;
  followerCacheSizeMax: number;
}

/**
 * One partition in the hands of this process (I2).
 *
 *   idle ──hold()──► held: fence taken in TimescaleDB, follower lists forgotten, fence announced in Redis
 *   held ──release(), when the consumer group assigned anew──► idle
 *   held, Redis in another cache epoch or without the fence ──hold()──► announced again, if it still stands
 */
export class PartitionOwner {
  readonly partition: number;
  readonly authors: AuthorCache;
  readonly #options: OwnerOptions;
  #fence: string | undefined;
  #announcedIn: string | undefined;

  constructor(partition: number, options: OwnerOptions) {
    this.partition = partition;
    this.#options = options;
    this.authors = new AuthorCache(options.database, options.followerCacheSizeMax);
  }

  release(): void {
    this.#fence = undefined;
    this.#announcedIn = undefined;
    this.authors.clear();
  }

  /** Forgets that Redis knows the fence: a script said that it does not. */
  announceAgain(): void {
    this.#announcedIn = undefined;
  }

  /** Returns the fence, in force in TimescaleDB and known to Redis. Throws `fenced` when another one took over. */
  async hold(): Promise<PartitionHold> {
    const { database, cache, inboxes, holder } = this.#options;
    if (this.#fence === undefined) {
      this.authors.clear();
      this.#fence = await takeFence(database, this.partition, holder);
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
}
