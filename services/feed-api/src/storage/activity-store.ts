import type { Activity } from '@tideline/shared/activity';
import { timestampOf } from '@tideline/shared/activity-id';
import { weekOfActivity } from '@tideline/shared/activity-weeks';
import { notHidden, visibleToReader } from '@tideline/shared/naive-pull';
import { type ActivityRow, activityColumns, activityFromRow, followAsActivity } from './activity-columns.js';
import type { SqlScope } from './sql-scope.js';
import { runsOf } from './time-windows.js';

const visibleSql = `
  select ${activityColumns}
  from activities a
  where a.time = activity_time($<id>) and a.id = $<id> and a.id >= $<horizon> and ${visibleToReader} and ${notHidden('a.actor_id')}`;

/** The activity, if the reader may see it. */
export async function visibleActivity(sql: SqlScope, reader: string, id: string): Promise<Activity | undefined> {
  const [row] = await sql.any<ActivityRow>(visibleSql, { reader, id });
  return row === undefined ? undefined : activityFromRow(row);
}

/** In a part of time. The bounds leave out chunks when the query is planned, and the times lead to the rows in them. */
function contentsSql(part: number): string {
  return `
    select ${activityColumns} from activities a
    where a.time between $<oldest${part}> and $<newest${part}>
      and a.time = any($<times${part}>::timestamptz[]) and a.id = any($<ids${part}>::uuid[]) and a.id >= $<horizon>
    union all`;
}

const followsSql = `
  select ${activityColumns}
  from control_activities c cross join lateral (${followAsActivity('c.id', 'c.actor_id', 'c.object_id')}) a
  where c.id = any($<ids>::uuid[]) and c.verb = 'follow'`;

/** These activities, whoever may see them, and follows as notifications show them. */
export async function activityBodies(sql: SqlScope, ids: readonly string[]): Promise<Activity[]> {
  const parts = inRuns(ids).map((some, part) => {
    const times = some.map(timestampOf);
    return {
      [`ids${part}`]: some,
      [`times${part}`]: times.map((time) => new Date(time)),
      [`oldest${part}`]: new Date(Math.min(...times)),
      [`newest${part}`]: new Date(Math.max(...times)),
    };
  });
  const text = [...parts.map((_, part) => contentsSql(part)), followsSql].join('\n');
  const rows = await sql.any<ActivityRow>(text, Object.assign({ ids }, ...parts));
  return rows.map(activityFromRow);
}

/** Ids by the runs of weeks that they are in. */
function inRuns(ids: readonly string[]): string[][] {
  const weeks = new Set(ids.map((id) => weekOfActivity(id)));
  const runs = runsOf([...weeks].sort((a, b) => a - b));
  return runs.map(({ first, last }) =>
    ids.filter((id) => {
      const week = weekOfActivity(id);
      return week >= first && week <= last;
    }),
  );
}
