import type { SqlScope } from './sql-scope.js';

/** Views of both editions, in the community edition continuous aggregates (deploy/src/setup/use-edition.ts). */
const views = { '1h': 'activity_counts_hourly', '1d': 'activity_counts_daily' } as const;

export type BucketWidth = keyof typeof views;
export const bucketMs: Record<BucketWidth, number> = { '1h': 3_600_000, '1d': 86_400_000 };

export interface CountsQuery {
  bucket: BucketWidth;
  /** undefined: each verb of its own. */
  verb: string | undefined;
  /** Unix milliseconds at which a bucket begins, of the first. */
  from: number;
  /** Of the first that is not counted any more. */
  to: number;
}

export interface ActivityCount {
  /** Unix milliseconds. */
  start: number;
  verb: string;
  count: number;
}

function countsSql(bucket: BucketWidth): string {
  return `
    select floor(extract(epoch from c.bucket) * 1000)::float8 as start, c.verb, c.count::float8 as count
    from ${views[bucket]} c
    where c.bucket >= $<from> and c.bucket < $<to> and ($<verb> is null or c.verb = $<verb>)
    order by c.bucket, c.verb
    limit $<limit>`;
}

/** How many activities there were, by bucket and verb, in order; buckets without any are left out. At most `limit` rows. */
export async function activityCounts(
  sql: SqlScope,
  { bucket, verb, from, to }: CountsQuery,
  limit: number,
): Promise<ActivityCount[]> {
  return sql.any<ActivityCount>(countsSql(bucket), {
    // Where a week begins, so that no bucket is cut.
    from: new Date(Math.max(from, sql.horizonMs)),
    to: new Date(to),
    verb: verb ?? null,
    limit,
  });
}
