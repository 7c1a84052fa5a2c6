import { unavailable } from '@tideline/shared/errors';
import { activitiesTopic } from '@tideline/shared/topics';
import pg from 'pg';
import { type Erasure, inTransaction, noteStep, type Taken } from './erasure.js';

/** While this waits for a lock nobody else gets on either. */
const lockWaitMaxMs = 10_000;
const lockNotAvailable = '55P03';

const fenceSql = `
  insert into partition_fences as f (log_partition, epoch, holder)
  select log_partition, nextval('partition_fence_epochs'), 'erase'
  from generate_series(0, $1 - 1) as log_partition
  order by log_partition
  on conflict (log_partition) do update set epoch = excluded.epoch, holder = excluded.holder, taken_at = now()`;

const setSql = 'update erasures set began_at = clock_timestamp(), generation = $2, ends = $3 where id = $1';

const generationSql =
  'select generation, partitions from log_generations where topic = $1 order by generation desc limit 1';

/** What is of the user in projections, as far as an index leads there; the rest of it is taken away behind this. */
const rowsSql: Record<string, string> = {
  // Who loses a follower is counted as when one unfollows.
  follows: `
    with gone as (
      delete from follows where follower_id = $1 or (followee_id = $1 and active)
      returning follower_id, followee_id, active
    ), counted as (
      update authors a set follower_count = a.follower_count - 1
      from gone where gone.follower_id = $1 and gone.active and a.author_id = gone.followee_id
    )
    select count(*)::int as rows from gone`,
  author_weeks: 'delete from author_weeks where author_id = $1',
  users: 'delete from users where id = $1',
  relations: 'delete from relations where user_id = $1 or other_id = $1',
  notifications: 'delete from notifications where user_id = $1',
  notification_marks: 'delete from notification_marks where user_id = $1',
  marked_notifications: 'delete from marked_notifications where user_id = $1',
};

// Follows that ended are still there, and count on finding the row when they begin again; without any it goes with them.
const resetAuthorSql = `
  update authors
  set follower_count = 0, mode = 'push', watermark = null, mode_generation = null, mode_offset = null, changed_at = now()
  where author_id = $1`;

/**
 * The moment of an erasure: it says which records are left out from now on, all that the log has, and takes away what has no
 * place on it. Nobody writes of any partition meanwhile, and who had one in hand has lost it, with all that was in memory;
 * nobody writes a correction either, and whoever is late with one writes nothing of the user (`leave_out_erased()`). So all rows
 * that are there are of records before the end, and what comes later is of records behind it. Throws `unavailable` where somebody
 * holds a lock for too long: nothing was done then.
 */
export async function setEnd(
  client: pg.Client,
  namespace: string,
  erasure: Erasure,
  readEnds: () => Promise<ReadonlyMap<number, number>>,
): Promise<void> {
  try {
    await setEndAtOnce(client, namespace, erasure, readEnds);
  } catch (error) {
    throw error instanceof pg.DatabaseError && error.code === lockNotAvailable
      ? unavailable(
          `Somebody has held a lock in the database for ${lockWaitMaxMs / 1_000} s that the erasure needs: the same command goes on from here.`,
          error,
        )
      : error;
  }
}

async function setEndAtOnce(
  client: pg.Client,
  namespace: string,
  erasure: Erasure,
  readEnds: () => Promise<ReadonlyMap<number, number>>,
): Promise<void> {
  await inTransaction(client, async () => {
    await client.query(`set local lock_timeout = ${lockWaitMaxMs}`);
    const { rows } = await client.query<{ generation: number; partitions: number }>(generationSql, [
      activitiesTopic(namespace),
    ]);
    const { generation = 0, partitions = 0 } = rows[0] ?? {};
    await client.query('select from partition_fences order by log_partition for update');
    await client.query(fenceSql, [partitions]);
    await client.query('lock table follows, relations, tombstones, users, objects in share row exclusive mode');
    const known = await readEnds();
    const ends = Array.from({ length: partitions }, (_, partition) => known.get(partition) ?? 0);
    await client.query(setSql, [erasure.id, generation, ends]);
    const taken = await takeObjects(client, erasure);
    for (const [table, sql] of Object.entries(rowsSql)) {
      const { rows: counted, rowCount } = await client.query<{ rows: number }>(sql, [erasure.userId]);
      taken.counts[table] = counted[0]?.rows ?? rowCount ?? 0;
    }
    await client.query(resetAuthorSql, [erasure.userId]);
    await noteStep(client, erasure, 'end', taken);
  });
}

/** Takes away the keys and the objects of the user: nobody acts with the ones, nobody is told whose the others are. */
export async function takeKeysAndObjects(client: pg.Client, erasure: Erasure): Promise<void> {
  await inTransaction(client, async () => {
    const taken = await takeObjects(client, erasure);
    const { rowCount } = await client.query('delete from api_keys where user_id = $1', [erasure.userId]);
    taken.counts['api_keys'] = rowCount ?? 0;
    await noteStep(client, erasure, 'keys', taken);
  });
}

async function takeObjects(client: pg.Client, { userId }: Erasure): Promise<Taken> {
  const { rows } = await client.query<{ type: string; id: string }>(
    `delete from objects where owner_id = $1 or (type = 'user' and id = $1) returning type, id`,
    [userId],
  );
  return { counts: { objects: rows.length }, objects: rows.map(({ type, id }) => [type, id]) };
}
