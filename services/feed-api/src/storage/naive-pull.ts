import type { Activity } from '@tideline/shared/activity';
import { naivePull } from '@tideline/shared/naive-pull';
import { type ActivityRow, activityColumns, activityFromRow } from './activity-columns.js';
import type { SqlScope } from './sql-scope.js';

/** `strategy=pull`. */
const pullSql = `
  ${naivePull(activityColumns, 'a.time <= activity_time($<before>) and a.id < $<before>')}
  limit $<limit>`;

/** All of the home feed from `$<lower>` to before `$<upper>`, and below `$<until>`: columns of `activities a`. */
export function homeBetweenSql(columns: string): string {
  return naivePull(columns, 'a.time >= $<lower> and a.time < $<upper> and a.id < $<until>');
}

/** Activities of the home feed below `before`, newest first. */
export async function pullHome(sql: SqlScope, reader: string, before: string, limit: number): Promise<Activity[]> {
  const rows = await sql.any<ActivityRow>(pullSql, { reader, before, limit });
  return rows.map(activityFromRow);
}
