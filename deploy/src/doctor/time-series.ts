import type pg from 'pg';
import { type Examination, fault, warning } from './examination.js';

const countViews = ['activity_counts_hourly', 'activity_counts_daily', 'actor_counts_hourly', 'actor_counts_daily'];
/** One for each view, and one that compresses. */
const jobsExpected = countViews.length + 1;

const editionSql = `
  select current_setting('timescaledb.license') as license,
    array(select view_name::text from timescaledb_information.continuous_aggregates
          where view_schema = current_schema() and not materialized_only) as aggregates,
    (select compression_enabled from timescaledb_information.hypertables
     where hypertable_schema = current_schema() and hypertable_name = 'activities') as compresses`;

/** Of this database's refreshes and compression, without TimescaleDB's own jobs. */
const jobsSql = `
  select j.job_id as id, j.proc_name as job, j.scheduled, coalesce(s.last_run_status = 'Failed', false) as failed
  from timescaledb_information.jobs j left join timescaledb_information.job_stats s using (job_id)
  where j.proc_name in ('policy_refresh_continuous_aggregate', 'policy_compression')
  order by j.job_id`;

/**
 * Whether what this server's edition can do besides is used, and its jobs run. The Apache edition has none of it, and needs
 * nothing: counts are plain views there.
 */
export async function examineEdition(database: pg.Client, examination: Examination): Promise<void> {
  const { rows } = await database.query<{ license: string; aggregates: string[]; compresses: boolean | null }>(
    editionSql,
  );
  const { license, aggregates = [], compresses } = rows[0] ?? {};
  if (license !== 'timescale') {
    return;
  }
  const plain = countViews.filter((view) => !aggregates.includes(view));
  examination.check(
    plain.length === 0 && compresses === true,
    warning(
      'edition_unused',
      `This server has the community edition of TimescaleDB, and ${plain.join(', ') || 'compression of old chunks'} does not use it.`,
      'Run `npx tideline setup`, which uses what the edition has.',
    ),
  );
  const { rows: jobs } = await database.query<{ id: number; job: string; scheduled: boolean; failed: boolean }>(
    jobsSql,
  );
  examination.check(
    jobs.filter(({ scheduled }) => scheduled).length >= jobsExpected || plain.length > 0 || compresses !== true,
    warning(
      'job_missing',
      `Of ${jobsExpected} jobs that refresh counts and compress old chunks ${jobs.length} are there, not all of them scheduled.`,
      'Run `select alter_job(job_id, scheduled => true)` for those that are not; add the others as deploy/src/setup/use-edition.ts does.',
    ),
  );
  for (const { id, job, failed } of jobs) {
    examination.check(
      !failed,
      warning(
        'job_failed',
        `The job ${id} (${job}) failed when it ran last.`,
        `\`select * from timescaledb_information.job_errors where job_id = ${id}\` says why; it runs again by itself.`,
      ),
    );
  }
}

/** fanout looks every hour; the horizon is where a week begins. */
const retentionSql = `
  select horizon < now() - $1 * interval '1 day' - interval '7 days 2 hours' as behind, horizon::text,
    (select count(*)::integer from timescaledb_information.chunks
     where hypertable_schema = current_schema() and hypertable_name = 'activities'
       and range_end <= horizon and moved_at < now() - interval '2 hours') as expired
  from retention`;

/** Whether content goes when it is to go. Where it is kept for ever, nothing has to. */
export async function examineRetention(database: pg.Client, days: number, examination: Examination): Promise<void> {
  if (days === 0) {
    return;
  }
  const { rows } = await database.query<{ behind: boolean; horizon: string; expired: number }>(retentionSql, [days]);
  const { behind = false, horizon = '', expired = 0 } = rows[0] ?? {};
  const mend =
    'The fanout that has partition 0 does this every hour: see that one runs, and its log for "content could not be taken away".';
  examination.check(
    !behind,
    fault('retention_behind', `Content is to be kept for ${days} days, and is from ${horizon} on.`, mend),
  );
  examination.check(
    expired === 0,
    fault('chunks_expired', `${expired} chunks of activities from before ${horizon} are still there.`, mend),
  );
}
