import type { Cache } from '@tideline/shared/cache';
import type { BodyStore } from '../inbox/body-store.js';
import type { ListRebuilder } from '../inbox/list-rebuilder.js';
import type { NameStore } from '../inbox/name-store.js';
import type { RegisterStore } from '../inbox/register-store.js';
import type { TitleStore } from '../inbox/title-store.js';
import type { TombstoneStore } from '../inbox/tombstone-store.js';
import type { FeedApiMetrics } from '../metrics.js';
import type { SqlSource } from '../storage/sql-scope.js';
import type { CursorCodec } from './cursor.js';
import type { Grouping } from './groups.js';
import type { PullCache } from './pull-cache.js';

/** What reading feeds works with. */
export interface FeedTools extends SqlSource {
  cache: Cache;
  registers: RegisterStore;
  tombstones: TombstoneStore;
  bodies: BodyStore;
  names: NameStore;
  titles: TitleStore;
  pullCache: PullCache;
  rebuilder: ListRebuilder;
  cursors: CursorCodec;
  grouping: Grouping;
  inboxCap: number;
  metrics: FeedApiMetrics;
}
