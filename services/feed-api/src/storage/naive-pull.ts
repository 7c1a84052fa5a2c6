import type { Activity } from '@tideline/shared/activity';
import { naivePull } from '@tideline/shared/naive-pull';
import { type ActivityRow, activityColumns, activityFromRow } from './activity-columns.js';
import { homeWeeks } from './feed-pages.js';
import type { SqlScope } from './sql-scope.js';
import { inWindow, walk } from './time-windows.js';

/** `strategy=pull`: the naive query, window by window. */
const pullSql = `${naivePull(activityColumns, inWindow.older)} limit $<limit>`;

/** All of the home feed from `$<lower>` to before `$<upper>`, and below `$<until>`: columns of `activities a`. */
export function homeBetweenSql(columns: string): string {
  return naivePull(columns, 'a.time >= $<lower> and a.time < $<upper> and a.id < $<until> and a.id >= $<horizon>');
}

/** Activities of the home feed below `before`, newest first. */
export async function pullHome(sql: SqlScope, reader: string, before: string, limit: number): Promise<Activity[]> {
  const rows = await walk({ direction: 'older', from: before, limit }, homeWeeks(sql, { reader }), (window, rest) =>
    sql.any<ActivityRow>(pullSql, { reader, ...window, limit: rest }),
  );
  return rows.map(activityFromRow);
}
