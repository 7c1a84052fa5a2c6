import type { FeedItem } from '@tideline/shared/activity';
import { visibleActivity } from '../storage/activity-store.js';
import { SqlScope } from '../storage/sql-scope.js';
import type { FeedTools } from './feed-tools.js';
import { presentItems } from './present-items.js';

export interface ShownActivity {
  item: FeedItem;
  /** Whether it is for everybody. */
  isPublic: boolean;
}

/** One activity, if the reader may see it. From the database, which knows every correction that was acknowledged. */
export async function readActivity(tools: FeedTools, reader: string, id: string): Promise<ShownActivity | undefined> {
  const sql = new SqlScope(tools);
  const activity = await visibleActivity(sql, reader, id);
  if (activity === undefined) {
    return undefined;
  }
  const [item] = await presentItems(tools, sql, [activity]);
  return item && { item, isPublic: activity.to === undefined };
}
