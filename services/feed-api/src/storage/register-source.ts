import type { RegisterContent, TombstoneEntry } from '@tideline/shared/registers';
import { hiddenUsersSql } from './activity-columns.js';
import type { SqlScope } from './sql-scope.js';

const registerSql = `
  select
    array(select followee_id from follows where follower_id = $<reader> and not active) as unfollowed,
    array(${hiddenUsersSql}) as hidden,
    (
      select coalesce(json_agg(json_build_object(
        'authorId', a.author_id, 'watermark', case when a.mode = 'push' then a.watermark end)), '[]')
      from follows f join authors a on a.author_id = f.followee_id
      where f.follower_id = $<reader> and f.active and (a.mode <> 'push' or a.watermark is not null)) as merged`;

export async function readRegister(sql: SqlScope, reader: string): Promise<RegisterContent> {
  const [content] = await sql.any<RegisterContent>(registerSql, { reader });
  return content ?? { unfollowed: [], hidden: [], merged: [] };
}

/** How long a tombstone is kept at hand after its purge: longer than any read takes. */
const recentlyPurged = '1 hour';

const tombstonesSql = `
  select activity_id as "activityId", author_id as "authorId" from tombstones where purged_at is null
  union all
  select activity_id, author_id from tombstones where purged_at > now() - interval '${recentlyPurged}'`;

/** Tombstones whose activity some list may still hold. */
export async function readRecentTombstones(sql: SqlScope): Promise<TombstoneEntry[]> {
  return sql.any<TombstoneEntry>(tombstonesSql, {});
}
