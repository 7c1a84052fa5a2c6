import type pg from 'pg';
import type { Repairs } from './partition-step.js';

/** Projections that are not of one partition, and those of content. Each in a transaction of its own. */

export interface TimeRange {
  from: Date;
  to: Date;
}

/** The chunks that activities are in. */
export async function chunksOfActivities(client: pg.Client): Promise<TimeRange[]> {
  const { rows } = await client.query<TimeRange>(`
    select range_start as "from", range_end as "to" from timescaledb_information.chunks
    where hypertable_schema = 'public' and hypertable_name = 'activities'
    order by range_start`);
  return rows;
}

const nameActors = `
  insert into users (id, name, created_at, updated_at)
  select actor_id, actor_id, min(accepted_at), min(accepted_at)
  from activities
  where time >= $1 and time < $2
  group by actor_id
  order by actor_id
  on conflict do nothing`;

/** Whoever did something is a user. */
export async function nameActorsOf(client: pg.Client, { from, to }: TimeRange): Promise<Repairs> {
  const { rowCount } = await client.query(nameActors, [from, to]);
  return { written: rowCount ?? 0, removed: 0 };
}

const nameKeyHolders = `
  insert into users (id, name) select distinct user_id, user_id from api_keys where user_id is not null
  order by user_id on conflict do nothing`;

/** Whoever was given a key is a user, though no event says so. */
export async function nameHoldersOfKeys(client: pg.Client): Promise<Repairs> {
  const { rowCount } = await client.query(nameKeyHolders);
  return { written: rowCount ?? 0, removed: 0 };
}

const removeNotifications = `
  delete from notifications n
  where not exists (
    select from happened_notifications h
    where (h.user_id, h.id, h.actor_id, h.is_follow) = (n.user_id, n.id, n.actor_id, n.is_follow))`;
const writeNotifications = `
  insert into notifications (user_id, id, actor_id, is_follow)
  select user_id, id, actor_id, is_follow from happened_notifications order by user_id, id
  on conflict do nothing`;

/** While nothing is written of any partition: `lockEveryPart` comes first. */
export async function rebuildNotifications(client: pg.Client): Promise<Repairs> {
  const { rowCount: removed } = await client.query(removeNotifications);
  const { rowCount: written } = await client.query(writeNotifications);
  return { written: written ?? 0, removed: removed ?? 0 };
}

const removeAuthors =
  'delete from authors a where not exists (select from follows f where f.followee_id = a.author_id)';
const countFollowers = `
  insert into authors as a (author_id, follower_count)
  select followee_id, count(*) filter (where active) from follows group by followee_id order by followee_id
  on conflict (author_id) do update set follower_count = excluded.follower_count
    where a.follower_count <> excluded.follower_count`;

/**
 * Counts followers anew. How an author is delivered stays as it is; one who has too many followers to be pushed, and is not
 * known to be pulled any more, crosses the threshold again when it next does something.
 */
export async function recountFollowers(client: pg.Client): Promise<Repairs> {
  // Others count as well, in the transactions in which they change follows.
  await client.query('lock table follows in share row exclusive mode');
  const { rowCount: removed } = await client.query(removeAuthors);
  const { rowCount: written } = await client.query(countFollowers);
  return { written: written ?? 0, removed: removed ?? 0 };
}
