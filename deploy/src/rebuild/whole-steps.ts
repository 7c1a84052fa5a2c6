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

/** Weeks begin where chunks do (decision 0015). */
const weeksOfActivities = `
  select distinct actor_id, activity_week(id) as week from activities where time >= $1 and time < $2`;
const removeWeeks = `
  delete from author_weeks w
  where w.week >= activity_week(first_activity_id($1)) and w.week < activity_week(first_activity_id($2))
    and not exists (
      select from (${weeksOfActivities}) active where active.actor_id = w.author_id and active.week = w.week)`;
const writeWeeks = `
  insert into author_weeks (author_id, week) ${weeksOfActivities} order by actor_id, week on conflict do nothing`;

/** Whoever did something is a user, and did it in a week. While nothing is written of any partition. */
export async function rebuildChunk(client: pg.Client, { from, to }: TimeRange): Promise<Repairs> {
  const { rowCount: named } = await client.query(nameActors, [from, to]);
  const { rowCount: removed } = await client.query(removeWeeks, [from, to]);
  const { rowCount: written } = await client.query(writeWeeks, [from, to]);
  return { written: (named ?? 0) + (written ?? 0), removed: removed ?? 0 };
}

const removeEmptyWeeks = `
  delete from author_weeks w
  where not exists (
    select from timescaledb_information.chunks c
    where c.hypertable_schema = 'public' and c.hypertable_name = 'activities'
      and w.week >= activity_week(first_activity_id(c.range_start))
      and w.week < activity_week(first_activity_id(c.range_end)))`;

/** Weeks of which no chunk is there. While nothing is written of any partition. */
export async function removeWeeksWithoutChunk(client: pg.Client): Promise<Repairs> {
  const { rowCount } = await client.query(removeEmptyWeeks);
  return { written: 0, removed: rowCount ?? 0 };
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
