import { lowestActivityId, lowestIdFrom } from '@tideline/shared/activity-id';
import { weekOf } from '@tideline/shared/activity-weeks';
import type { Database } from '@tideline/shared/database';

/** A statement takes away so many rows, or looks at so many, at most. */
const rowsPerStatementMax = 10_000;

/** Sets the horizon so that all of the last `days` is kept, unless it is higher already. Returns it, and whether it rose. */
export async function raiseHorizon(database: Database, days: number): Promise<{ horizon: Date; rose: boolean }> {
  const { rose } = await database.one<{ rose: boolean }>('select raise_horizon($1) as rose', [days]);
  const { horizon } = await database.one<{ horizon: Date }>('select horizon from retention');
  return { horizon, rose };
}

/** Drops all chunks below the horizon and returns how many. */
export async function dropExpiredChunks(database: Database, isStopped: () => boolean): Promise<number> {
  let chunks = 0;
  while (!isStopped()) {
    const { dropped } = await database.one<{ dropped: number }>('select drop_expired_chunks() as dropped');
    if (dropped === 0) {
      break;
    }
    chunks += dropped;
  }
  return chunks;
}

const pruneNotificationsSql = `
  with page as (
    select user_id, id, is_follow from notifications
    where (user_id, id) > ($2, $3::uuid) order by user_id, id limit ${rowsPerStatementMax}
  ), gone as (
    delete from notifications n using page
    where n.user_id = page.user_id and n.id = page.id and page.id < $1 and not page.is_follow
    returning 1
  )
  select
    (select count(*)::int from gone) as gone,
    (select json_build_object('userId', user_id, 'id', id) from page order by user_id desc, id desc limit 1) as last`;

interface NotificationKey {
  userId: string;
  id: string;
}

/** Follows are not content. */
async function pruneNotifications(database: Database, horizonId: string, isStopped: () => boolean): Promise<number> {
  let rows = 0;
  let last: NotificationKey | null = { userId: '', id: lowestActivityId };
  while (last !== null && !isStopped()) {
    const values: unknown[] = [horizonId, last.userId, last.id];
    const page = await database.one<{ gone: number; last: NotificationKey | null }>(pruneNotificationsSql, values);
    rows += page.gone;
    last = page.last;
  }
  return rows;
}

/** Tombstones of follows are not of content either. */
const expiredRows = {
  tombstones: `
    delete from tombstones where (activity_id, author_id) in (
      select activity_id, author_id from tombstones t
      where t.activity_id < $1
        and not exists (select from control_activities c where c.id = t.activity_id and c.verb = 'follow')
      limit ${rowsPerStatementMax})`,
  marks: `
    delete from marked_notifications where (user_id, notification_id) in (
      select user_id, notification_id from marked_notifications m
      where m.notification_id < $1
        and not exists (select from notifications n where n.user_id = m.user_id and n.id = m.notification_id)
      limit ${rowsPerStatementMax})`,
  weeks: `
    delete from author_weeks where (author_id, week) in (
      select author_id, week from author_weeks where week < $2 limit ${rowsPerStatementMax})`,
};

/** Takes out what is about content that is gone. Returns how many rows. */
export async function pruneExpired(database: Database, horizon: Date, isStopped: () => boolean): Promise<number> {
  const horizonId = lowestIdFrom(horizon.getTime());
  let rows = await pruneNotifications(database, horizonId, isStopped);
  for (const sql of Object.values(expiredRows)) {
    for (let count = rowsPerStatementMax; count === rowsPerStatementMax && !isStopped(); rows += count) {
      count = await database.result(sql, [horizonId, weekOf(horizon.getTime())], (result) => result.rowCount);
    }
  }
  return rows;
}
