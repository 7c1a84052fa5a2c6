import { type FanoutResult, readFanoutResult } from '@tideline/shared/fanout-results';
import { visibleActivity } from '../storage/activity-store.js';
import { SqlScope } from '../storage/sql-scope.js';
import type { FeedTools } from './feed-tools.js';

/** How an activity was delivered, if the reader may see it. Throws `unavailable` without Redis, where alone it is kept. */
export async function readActivityFanout(
  tools: Pick<FeedTools, 'database' | 'horizon' | 'cache'>,
  reader: string,
  id: string,
): Promise<FanoutResult | undefined> {
  const activity = await visibleActivity(new SqlScope(tools), reader, id);
  return activity && (await readFanoutResult(tools.cache, [id])).get(id);
}
