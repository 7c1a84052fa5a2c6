import { activityIdMinter } from '@tideline/shared/activity-id';
import { type Database, prepared } from '@tideline/shared/database';
import { postBody } from './post-body.js';

const rowsPerStatement = 1_000;
const statements = 50;

const insertSql = `
  insert into raw_activities (
    id, time, actor_id, verb, object_type, object_id, object_title, metadata, caller_id, request_id, accepted_at,
    log_generation, log_partition, log_offset)
  select id, activity_time(id), actor_id, verb, object_type, object_id, object_title, metadata, caller_id, request_id,
    to_timestamp(accepted_at / 1000.0), 1, 0, log_offset
  from unnest(
    $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[], $8::text[], $9::text[],
    $10::bigint[], $11::bigint[]
  ) as r (id, actor_id, verb, object_type, object_id, object_title, metadata, caller_id, request_id, accepted_at,
    log_offset)
  on conflict do nothing`;

/** Makes a hypertable with the columns, checks and indexes of `activities`, for the raw limit alone. */
export async function createRawTable(database: Database): Promise<void> {
  await database.none('create table raw_activities (like activities including all)');
  await database.any(
    "select create_hypertable('raw_activities', by_range('time', interval '7 days'), create_default_indexes => false)",
  );
}

/**
 * Rows a second that TimescaleDB takes from a client that does nothing else: 1,000 a statement by `unnest`, each
 * statement committed, on so many connections. The database's pool must have as many.
 */
export async function rawInsertLimit(
  database: Database,
  authors: readonly string[],
  connections: number,
): Promise<number> {
  const waiting = Array.from({ length: statements }, (_, i) => columnsOf(authors, i * rowsPerStatement));
  const connection = async () => {
    for (let columns = waiting.pop(); columns !== undefined; columns = waiting.pop()) {
      await database.none(prepared('insert-raw', insertSql, columns));
    }
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: connections }, connection));
  return (statements * rowsPerStatement) / ((performance.now() - startedAt) / 1000);
}

const mintId = activityIdMinter();

function columnsOf(authors: readonly string[], firstOffset: number): unknown[][] {
  const now = Date.now();
  const posts = Array.from({ length: rowsPerStatement }, (_, i) => postBody(authors, firstOffset + i));
  return [
    posts.map(() => mintId(now)),
    posts.map(({ actorId }) => actorId),
    posts.map(({ verb }) => verb),
    posts.map(({ objectType }) => objectType),
    posts.map(({ objectId }) => objectId),
    posts.map(({ objectTitle }) => objectTitle),
    posts.map(({ metadata }) => JSON.stringify(metadata)),
    posts.map(() => 'service:demo'),
    posts.map(({ objectId }) => objectId),
    posts.map(() => now),
    posts.map((_, i) => firstOffset + i),
  ];
}
