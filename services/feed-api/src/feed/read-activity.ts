import type { FeedItem } from '@tideline/shared/activity';
import { visibleActivity } from '../storage/activity-store.js';
import { SqlScope } from '../storage/sql-scope.js';
import type { FeedTools } from './feed-tools.js';
import { presentItems } from './present-items.js';

/** One activity, if the reader may see it. From the database, which knows every correction that was acknowledged. */
export async function readActivity(tools: FeedTools, reader: string, id: string): Promise<FeedItem | undefined> {
  const sql = new SqlScope(tools.database);
  const activity = await visibleActivity(sql, reader, id);
  const [item] = await presentItems(tools, sql, activity === undefined ? [] : [activity]);
  return item;
}
