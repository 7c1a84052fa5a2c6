import type { Activity } from '@tideline/shared/activity';
import { timestampOf } from '@tideline/shared/activity-id';
import { notHidden, visibleToReader } from '@tideline/shared/naive-pull';
import { type ActivityRow, activityColumns, activityFromRow, followAsActivity } from './activity-columns.js';
import type { SqlScope } from './sql-scope.js';

const visibleSql = `
  select ${activityColumns}
  from activities a
  where a.time = activity_time($<id>) and a.id = $<id> and ${visibleToReader} and ${notHidden('a.actor_id')}`;

/** The activity, if the reader may see it. */
export async function visibleActivity(sql: SqlScope, reader: string, id: string): Promise<Activity | undefined> {
  const [row] = await sql.any<ActivityRow>(visibleSql, { reader, id });
  return row === undefined ? undefined : activityFromRow(row);
}

const bodiesSql = `
  select ${activityColumns} from activities a
  where a.time between $<oldest> and $<newest> and a.id = any($<ids>::uuid[])
  union all
  select ${activityColumns}
  from control_activities c cross join lateral (${followAsActivity('c.id', 'c.actor_id', 'c.object_id')}) a
  where c.id = any($<ids>::uuid[]) and c.verb = 'follow'`;

/** These activities, whoever may see them, and follows as notifications show them. */
export async function activityBodies(sql: SqlScope, ids: readonly string[]): Promise<Activity[]> {
  const times = ids.map(timestampOf);
  const rows = await sql.any<ActivityRow>(bodiesSql, {
    ids,
    oldest: new Date(Math.min(...times)),
    newest: new Date(Math.max(...times)),
  });
  return rows.map(activityFromRow);
}
