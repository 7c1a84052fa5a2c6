import type { Activity } from '@tideline/shared/activity';
import { notHidden, visibleToReader } from '@tideline/shared/naive-pull';
import { type ActivityRow, activityColumns, activityFromRow } from './activity-columns.js';
import type { SqlScope } from './sql-scope.js';
import { activeWeeksOf, inWindow, newest, order, type Stretch, walk } from './time-windows.js';

/** Pages from TimescaleDB: below the floor, for missing lists, and to build lists. */

/** The reader and whom the reader follows. */
const homeAuthorsSql = `
  select $<reader> as author_id
  union
  select followee_id from follows where follower_id = $<reader> and active`;

export const homeWeeks = activeWeeksOf(homeAuthorsSql);
export const authorWeeks = activeWeeksOf('select $<author> as author_id');

/**
 * Pages leave out who is hidden from the reader; lists do not: mutes and blocks are checked when a list is read, so that
 * what was hidden is there when they end.
 */
function homeSql(columns: string, direction: Stretch['direction'], condition: string): string {
  return `
    select page.*
    from (
      select author_id from (${homeAuthorsSql}) followed
      where exists (
        select from author_weeks w
        where w.author_id = followed.author_id and w.week between $<first> and $<last>)
    ) source
    cross join lateral (
      select ${columns}
      from activities a
      where a.actor_id = source.author_id and ${inWindow[direction]} and ${visibleToReader}
      order by a.time ${order[direction]}, a.id ${order[direction]}
      limit $<limit>
    ) page
    where ${condition}
    order by page.id ${order[direction]}
    limit $<limit>`;
}

const homeActivitiesSql = {
  older: homeSql(activityColumns, 'older', notHidden('source.author_id')),
  newer: homeSql(activityColumns, 'newer', notHidden('source.author_id')),
};
const homeIdsSql = homeSql('a.id', 'older', 'true');

/** Activities of a home feed: what the naive pull returns. */
export async function homeActivities(sql: SqlScope, reader: string, stretch: Stretch): Promise<Activity[]> {
  const rows = await walk(stretch, homeWeeks(sql, { reader }), (window, limit) =>
    sql.any<ActivityRow>(homeActivitiesSql[stretch.direction], { reader, ...window, limit }),
  );
  return rows.map(activityFromRow);
}

/** The newest ids of a home feed with what is hidden at present, newest first: what an inbox holds. */
export async function homeIds(sql: SqlScope, reader: string, limit: number): Promise<string[]> {
  const rows = await walk(newest(limit), homeWeeks(sql, { reader }), (window, rest) =>
    sql.any<{ id: string }>(homeIdsSql, { reader, ...window, limit: rest }),
  );
  return rows.map(({ id }) => id);
}

function authorSql(columns: string, condition: string, direction: Stretch['direction']): string {
  return `
    select ${columns}
    from activities a
    where a.actor_id = $<author> and a.audience is null and ${inWindow[direction]}
      and not exists (select from tombstones t where t.activity_id = a.id and t.author_id = a.actor_id)
      and ${condition}
    order by a.time ${order[direction]}, a.id ${order[direction]}
    limit $<limit>`;
}

const authorActivitiesSql = {
  older: authorSql(activityColumns, notHidden('$<author>'), 'older'),
  newer: authorSql(activityColumns, notHidden('$<author>'), 'newer'),
};
const authorIdsSql = authorSql('a.id', 'true', 'older');

/** Public activities of an author that the reader may see. */
export async function authorActivities(
  sql: SqlScope,
  author: string,
  reader: string,
  stretch: Stretch,
): Promise<Activity[]> {
  const rows = await walk(stretch, authorWeeks(sql, { author }), (window, limit) =>
    sql.any<ActivityRow>(authorActivitiesSql[stretch.direction], { author, reader, ...window, limit }),
  );
  return rows.map(activityFromRow);
}

/** The newest ids that an author did in public, newest first. */
export async function authorIds(sql: SqlScope, author: string, limit: number): Promise<string[]> {
  const rows = await walk(newest(limit), authorWeeks(sql, { author }), (window, rest) =>
    sql.any<{ id: string }>(authorIdsSql, { author, ...window, limit: rest }),
  );
  return rows.map(({ id }) => id);
}
