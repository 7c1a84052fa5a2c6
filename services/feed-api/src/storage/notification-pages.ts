import type { Activity } from '@tideline/shared/activity';
import { standingFollow } from '@tideline/shared/follow-records';
import { notHidden } from '@tideline/shared/naive-pull';
import { type ActivityRow, activityColumns, activityFromRow, followsAsActivities } from './activity-columns.js';
import type { SqlScope } from './sql-scope.js';
import { inWindow, newest, order, type Stretch, walk } from './time-windows.js';

/** Notifications from TimescaleDB: what `naiveNotifications` says, by the indexes that its three parts have. */

const concerning = ['a.object_owner_id = $<reader> and a.audience is null', 'a.audience @> array[$<reader>]'];
const following = `(${followsAsActivities} where c.object_id = $<reader> and ${standingFollow}) a`;
const notDeleted = 'not exists (select from tombstones t where t.activity_id = a.id and t.author_id = a.actor_id)';
/** A list has what is hidden at present, as inboxes do. */
export const hiddenToo = 'true';

/** A condition on contents, whose time TimescaleDB has to know, and the same on follows. */
interface Part {
  contents: string;
  follows: string;
}

/** Columns of `activities a` from all three. `ends`: how each of them ends. */
export function notificationsSql(
  columns: string,
  part: Part,
  condition: string,
  ends: Part = { contents: '', follows: '' },
) {
  const contents = concerning.map(
    (concerns) => `
      select ${columns} from activities a
      where a.actor_id <> $<reader> and ${concerns} and ${part.contents} and ${notDeleted} and ${condition}
      ${ends.contents}`,
  );
  const follows = `
      select ${columns} from ${following}
      where ${part.follows} and ${notDeleted} and ${condition}
      ${ends.follows}`;
  return [...contents, follows].map((select) => `(${select})`).join(' union all ');
}

function stretchSql(columns: string, direction: Stretch['direction'], condition: string): string {
  const way = order[direction];
  const ends = {
    contents: `order by a.time ${way}, a.id ${way} limit $<limit>`,
    follows: `order by a.id ${way} limit $<limit>`,
  };
  const part = { contents: inWindow[direction], follows: followsInWindow[direction] };
  return `${notificationsSql(columns, part, condition, ends)} order by id ${way} limit $<limit>`;
}

/** The time of a follow is in its id alone. */
const afterwards = `::timestamptz + interval '1 millisecond'`;
const followsInWindow = {
  older: `a.id >= first_activity_id($<lower>${afterwards}) and a.id < first_activity_id($<upper>${afterwards})
    and a.id < $<from>`,
  newer: 'a.id >= first_activity_id($<lower>) and a.id < first_activity_id($<upper>) and a.id > $<from>',
} as const;

const activitiesSql = {
  older: stretchSql(activityColumns, 'older', notHidden('a.actor_id')),
  newer: stretchSql(activityColumns, 'newer', notHidden('a.actor_id')),
};
const idsSql = stretchSql('a.id', 'older', hiddenToo);

/** Notifications that the reader may see. */
export async function notificationActivities(sql: SqlScope, reader: string, stretch: Stretch): Promise<Activity[]> {
  const rows = await walk(stretch, (window, limit) =>
    sql.any<ActivityRow>(activitiesSql[stretch.direction], { reader, ...window, limit }),
  );
  return rows.map(activityFromRow);
}

/** All notifications from `$<lower>` to before `$<upper>`, and below `$<until>`: columns of `activities a`. */
export function notificationsBetweenSql(columns: string): string {
  const part = {
    contents: 'a.time >= $<lower> and a.time < $<upper> and a.id < $<until>',
    follows: 'a.id >= first_activity_id($<lower>) and a.id < first_activity_id($<upper>) and a.id < $<until>',
  };
  return notificationsSql(columns, part, notHidden('a.actor_id'));
}

/** The newest ids of a user's notifications with what is hidden at present, newest first: what the list holds. */
export async function notificationIds(sql: SqlScope, reader: string, limit: number): Promise<string[]> {
  const rows = await walk(newest(limit), (window, rest) =>
    sql.any<{ id: string }>(idsSql, { reader, ...window, limit: rest }),
  );
  return rows.map(({ id }) => id);
}
