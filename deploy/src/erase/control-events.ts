import type pg from 'pg';
import { type Counts, type Erasure, hasNoEvent, inTransaction, isBeforeEnd, type LogEnd, noteStep } from './erasure.js';

/** Results are kept for a day, and written soon after. */
export const resultsKept = '25 hours';

/** $1 is the user, $2 and $3 the end. What the user did, and what is about the user; with it the notifications of follows, and what noted that these ended. */
const eventsSql = `
  with gone as (
    delete from control_activities
    where ${isBeforeEnd(2)} and (
      actor_id = $1 or (object_type = 'user' and object_id = $1) or (verb = 'delete' and author_id = $1)
      or (verb = 'update' and metadata ->> 'ownerId' = $1))
    returning *
  ), follow as (
    select id, actor_id, object_id from gone where verb = 'follow'
  ), told as (
    delete from notifications n using follow f where n.user_id = f.object_id and n.id = f.id returning 1
  ), marked as (
    delete from marked_notifications m using follow f where m.user_id = f.object_id and m.notification_id = f.id returning 1
  ), buried as (
    delete from tombstones t using follow f where t.activity_id = f.id and t.author_id = f.actor_id returning 1
  ), replayed as (
    delete from replayed_records r using gone g
    where (r.log_generation, r.log_partition, r.log_offset) = (g.log_generation, g.log_partition, g.log_offset) returning 1
  )
  select
    json_build_object(
      'control_activities', (select count(*) from gone), 'notifications', (select count(*) from told),
      'marked_notifications', (select count(*) from marked), 'tombstones', (select count(*) from buried),
      'replayed_records', (select count(*) from replayed)) as counts,
    array(select id from gone where accepted_at > now() - interval '${resultsKept}') as "recentIds"`;

interface GoneEvents {
  counts: Counts;
  recentIds: string[];
}

/** What no index leads to. */
const rowsSql: Record<string, string> = {
  follows: `delete from follows where (follower_id = $1 or followee_id = $1) and ${isBeforeEnd(2)}`,
  tombstones: `delete from tombstones where author_id = $1 and ${isBeforeEnd(2)}`,
};

/** Those whom nobody followed but the user: as a rebuild leaves them. */
const authorsSql = `
  delete from authors a
  where follower_count = 0 and not exists (select from follows f where f.followee_id = a.author_id)`;

/**
 * In one transaction the events that are not content, and all that is made of them. `isCaughtUp`: fanout has come to all before
 * the end, so that what has no event is known.
 */
export async function eraseControlEvents(
  client: pg.Client,
  erasure: Erasure,
  end: LogEnd,
  isCaughtUp: boolean,
  step: string,
): Promise<void> {
  await inTransaction(client, async () => {
    const values = [erasure.userId, end.generation, end.ends];
    const { rows } = await client.query<GoneEvents>(eventsSql, values);
    const [gone = { counts: {}, recentIds: [] }] = rows;
    const counts: Counts = { ...gone.counts };
    for (const [table, sql] of Object.entries(rowsSql)) {
      counts[table] = (counts[table] ?? 0) + ((await client.query(sql, values)).rowCount ?? 0);
    }
    counts['authors'] = (await client.query(authorsSql)).rowCount ?? 0;
    if (isCaughtUp) {
      await restoreDescriptions(client, end);
    }
    await noteStep(client, erasure, step, { counts, recentIds: gone.recentIds });
  });
}

const removeObjectsSql = `
  delete from objects o
  where ${isBeforeEnd(1, 'o.')} and ${hasNoEvent('o.log_generation', 'o.log_partition', 'o.log_offset')}
  returning type, id`;
const restoreObjectsSql = `
  insert into objects (
    type, id, title, owner_id, url, metadata, created_at, updated_at, log_generation, log_partition, log_offset)
  select distinct on (object_type, object_id)
    object_type, object_id, metadata ->> 'title', metadata ->> 'ownerId', metadata ->> 'url', metadata -> 'metadata',
    min(accepted_at) over (partition by object_type, object_id), accepted_at, log_generation, log_partition, log_offset
  from control_activities
  where verb = 'update' and not metadata ? 'name'
    and (object_type, object_id) in (select * from unnest($1::text[], $2::text[]))
  order by object_type, object_id, log_generation desc, log_offset desc
  on conflict do nothing`;

const restoreUsersSql = `
  update users u
  set name = coalesce(said.name, u.id), avatar = said.avatar, log_generation = coalesce(said.log_generation, 0),
    log_partition = coalesce(said.log_partition, 0), log_offset = coalesce(said.log_offset, -1)
  from users of_gone
  left join lateral (
    select metadata ->> 'name' as name, metadata ->> 'avatar' as avatar, log_generation, log_partition, log_offset
    from control_activities
    where verb = 'update' and object_type = 'user' and object_id = of_gone.id and metadata ? 'name'
    order by log_generation desc, log_offset desc limit 1
  ) said on true
  where u.id = of_gone.id and of_gone.log_generation > 0 and ${isBeforeEnd(1, 'of_gone.')}
    and ${hasNoEvent('of_gone.log_generation', 'of_gone.log_partition', 'of_gone.log_offset')}`;

/** Of objects and users of others that the user described last, what others had said holds again. */
async function restoreDescriptions(client: pg.Client, { generation, ends }: LogEnd): Promise<void> {
  const { rows } = await client.query<{ type: string; id: string }>(removeObjectsSql, [generation, ends]);
  if (rows.length > 0) {
    await client.query(restoreObjectsSql, [rows.map(({ type }) => type), rows.map(({ id }) => id)]);
  }
  await client.query(restoreUsersSql, [generation, ends]);
}
