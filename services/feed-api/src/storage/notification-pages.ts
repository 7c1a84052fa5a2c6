import type { Activity } from '@tideline/shared/activity';
import { highestActivityId, lowestIdFrom } from '@tideline/shared/activity-id';
import { weekMs, weekOfActivity } from '@tideline/shared/activity-weeks';
import { notDeleted, notExpired } from '@tideline/shared/naive-notifications';
import { notHidden } from '@tideline/shared/naive-pull';
import { followAsActivity } from './activity-columns.js';
import { activityBodies } from './activity-store.js';
import type { SqlScope } from './sql-scope.js';
import { type ActiveWeeks, order, type Stretch } from './time-windows.js';

/** Notifications from TimescaleDB: below the floor, for missing lists, and to build lists. */

const beyond = { older: 'n.id < $<from>', newer: 'n.id > $<from>' } as const;

function idsSql(direction: Stretch['direction'], condition: string): string {
  return `
    select n.id
    from notifications n
    where n.user_id = $<reader> and ${beyond[direction]} and ${notExpired} and ${notDeleted} and ${condition}
    order by n.id ${order[direction]}
    limit $<limit>`;
}

const shownIdsSql = {
  older: idsSql('older', notHidden('n.actor_id')),
  newer: idsSql('newer', notHidden('n.actor_id')),
};
/** A list has what is hidden at present, as inboxes do. */
const allIdsSql = idsSql('older', 'true');

/** Notifications that the reader may see. */
export async function notificationActivities(sql: SqlScope, reader: string, stretch: Stretch): Promise<Activity[]> {
  const { direction, from, limit } = stretch;
  const rows = await sql.any<{ id: string }>(shownIdsSql[direction], { reader, from, limit });
  if (rows.length === 0) {
    return [];
  }
  const ids = rows.map(({ id }) => id);
  const bodies = new Map((await activityBodies(sql, ids)).map((activity) => [activity.id, activity]));
  return ids.flatMap((id) => bodies.get(id) ?? []);
}

/** The newest ids of a user's notifications with what is hidden at present, newest first: what the list holds. */
export async function notificationIds(sql: SqlScope, reader: string, limit: number): Promise<string[]> {
  const rows = await sql.any<{ id: string }>(allIdsSql, { reader, from: highestActivityId, limit });
  return rows.map(({ id }) => id);
}

/** All notifications from `$<lower>` to before `$<upper>`, and below `$<until>`: columns of `activities a`. */
export function notificationsBetweenSql(columns: string): string {
  const part = `n.user_id = $<reader> and ${notExpired} and ${notDeleted} and ${notHidden('n.actor_id')} and n.id < $<until>
      and n.id >= first_activity_id($<lower>) and n.id < first_activity_id($<upper>)`;
  return `
    select ${columns}
    from notifications n join activities a on a.id = n.id and a.time = activity_time(n.id)
    where not n.is_follow and a.time >= $<lower> and a.time < $<upper> and ${part}
    union all
    select ${columns}
    from notifications n cross join lateral (${followAsActivity('n.id', 'n.actor_id', 'n.user_id')}) a
    where n.is_follow and ${part}`;
}

const nearestSql = {
  older: `select n.id from notifications n where n.user_id = $<reader> and n.id < $<edge> order by n.id desc limit $<count>`,
  newer: `select n.id from notifications n where n.user_id = $<reader> and n.id >= $<edge> order by n.id limit $<count>`,
};

/** The weeks of the nearest notifications. */
export function notificationWeeks(sql: SqlScope, reader: string): ActiveWeeks {
  return async (direction, nearest, count) => {
    const edge = lowestIdFrom((direction === 'older' ? nearest + 1 : nearest) * weekMs);
    const rows = await sql.any<{ id: string }>(nearestSql[direction], { reader, edge, count });
    return [...new Set(rows.map(({ id }) => weekOfActivity(id)))];
  };
}
