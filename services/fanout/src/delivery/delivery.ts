import type { Cache } from '@tideline/shared/cache';
import type { Database } from '@tideline/shared/database';
import type { LRUCache } from 'lru-cache';
import type { InboxWriter } from '../inbox/inbox-writer.js';
import type { FanoutMetrics } from '../metrics.js';
import type { PartitionHold } from '../storage/activity-writer.js';
import type { AuthorCache } from './author-cache.js';

/** What a delivery works with. */
export interface Delivery {
  database: Database;
  cache: Cache;
  inboxes: InboxWriter;
  knownUsers: LRUCache<string, true>;
  followerThreshold: number;
  metrics: FanoutMetrics;
  hold: PartitionHold;
  authors: AuthorCache;
  /** Keeps the consumer in its group while a step is long. Throws when it is no longer in it. */
  heartbeat: () => Promise<void>;
}
