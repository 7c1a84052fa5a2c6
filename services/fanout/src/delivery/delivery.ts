import type { Cache } from '@tideline/shared/cache';
import type { Database } from '@tideline/shared/database';
import type { FeedListWriter, PartitionHold } from '@tideline/shared/feed-lists';
import type { LRUCache } from 'lru-cache';
import type { FanoutMetrics } from '../metrics.js';
import type { LogPlace } from '../storage/erasures.js';
import type { AuthorCache } from './author-cache.js';

/** What a delivery works with. */
export interface Delivery {
  database: Database;
  cache: Cache;
  inboxes: FeedListWriter;
  followerThreshold: number;
  metrics: FanoutMetrics;
  hold: PartitionHold;
  authors: AuthorCache;
  /** Users that are known to be in the database. */
  knownUsers: LRUCache<string, true>;
  /** Below this place of the partition records may be about users who were erased since. */
  erasedBelow: LogPlace | undefined;
  /** Keeps the consumer in its group while a step is long. Throws when it is no longer in it. */
  heartbeat: () => Promise<void>;
}
