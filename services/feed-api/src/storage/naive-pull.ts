import type { Activity } from '@tideline/shared/activity';
import { type ActivityRow, activityColumns, activityFromRow, notHidden, visibleToReader } from './activity-columns.js';
import type { SqlScope } from './sql-scope.js';

/**
 * `strategy=pull`: the home feed as one plain query over what the database knows. Every other way to make a page is
 * held against this one (I5), so it stays as simple as it is, and shares no plan with them.
 */
const pullSql = `
  select ${activityColumns}
  from activities a
  where (a.actor_id = $<reader> or a.actor_id in (
      select followee_id from follows where follower_id = $<reader> and active))
    and ${visibleToReader}
    and ${notHidden('a.actor_id')}
    and a.time <= activity_time($<before>) and a.id < $<before>
  order by a.time desc, a.id desc
  limit $<limit>`;

/** Activities of the home feed below `before`, newest first. */
export async function pullHome(sql: SqlScope, reader: string, before: string, limit: number): Promise<Activity[]> {
  const rows = await sql.any<ActivityRow>(pullSql, { reader, before, limit });
  return rows.map(activityFromRow);
}
