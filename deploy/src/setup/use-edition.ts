import type pg from 'pg';
import type { Report } from './report.js';

/**
 * What TimescaleDB's community edition can do besides: continuous aggregates where the Apache edition has plain views of the
 * same names, and compression of chunks that are not written any more (docs/decisions/0016-editions.md). It is used from the
 * first set-up on that finds that edition.
 */

const countViews = [
  { view: 'activity_counts_hourly', width: '1 hour', by: 'verb', reader: 'tideline_feed_api' },
  { view: 'activity_counts_daily', width: '1 day', by: 'verb', reader: 'tideline_feed_api' },
  { view: 'actor_counts_hourly', width: '1 hour', by: 'actor_id' },
  { view: 'actor_counts_daily', width: '1 day', by: 'actor_id' },
] as const;

/** Imports of the past are refreshed too: what changed is known by range, and nothing else is computed again. */
const refreshEvery = '10 minutes';
const refreshUpTo = '1 hour';
const compressAfter = '28 days';

/** Uses what this server's edition has. Does only what is not done yet. `isNew`: says what that is in any case. */
export async function useEdition(client: pg.Client, isNew: boolean, report: Report): Promise<void> {
  const { rows } = await client.query<{ license: string; aggregates: string[]; compresses: boolean }>(`
    select current_setting('timescaledb.license') as license,
      array(select view_name::text from timescaledb_information.continuous_aggregates) as aggregates,
      (select compression_enabled from timescaledb_information.hypertables
       where hypertable_schema = 'public' and hypertable_name = 'activities') as compresses`);
  const { license, aggregates = [], compresses = false } = rows[0] ?? {};
  if (license !== 'timescale') {
    if (isNew) {
      report('TimescaleDB is of the Apache edition: counts are plain views, and old chunks are not compressed');
    }
    return;
  }
  const plain = countViews.filter(({ view }) => !aggregates.includes(view));
  if (plain.length === 0 && compresses) {
    return;
  }
  await client.query('begin');
  try {
    for (const view of plain) {
      await aggregateContinuously(client, view);
    }
    if (!compresses) {
      await compress(client);
    }
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
  report('TimescaleDB is of the community edition: counts are continuous aggregates, and old chunks are compressed');
}

/** Empty at first, and right all the same: what is not materialized is counted when it is asked for. */
async function aggregateContinuously(client: pg.Client, { view, width, by, ...rest }: (typeof countViews)[number]) {
  await client.query(`drop view ${view}`);
  await client.query(`
    create materialized view ${view} with (timescaledb.continuous, timescaledb.materialized_only = false) as
      select time_bucket(interval '${width}', time) as bucket, ${by}, count(*) as count from activities group by 1, 2
      with no data`);
  await client.query(`
    select add_continuous_aggregate_policy('${view}', start_offset => null, end_offset => interval '${refreshUpTo}',
      schedule_interval => interval '${refreshEvery}')`);
  if ('reader' in rest) {
    await client.query(`grant select on ${view} to ${rest.reader}`);
  }
}

/**
 * By author, as feeds are read. An insert into a compressed chunk looks for rows that have the same key: only with the author
 * in it does it find the few segments that can have one. An id is of one author anyway.
 */
async function compress(client: pg.Client): Promise<void> {
  await client.query('alter table activities drop constraint activities_pkey, add primary key (time, id, actor_id)');
  await client.query(`
    alter table activities set (
      timescaledb.compress, timescaledb.compress_segmentby = 'actor_id', timescaledb.compress_orderby = 'time desc, id desc')`);
  await client.query(`select add_compression_policy('activities', compress_after => interval '${compressAfter}')`);
}
