import type { LogVersion } from '@tideline/shared/activity-record';
import type { Queryable } from '@tideline/shared/database';
import { positionOf, type RecordBatch } from '../delivery/record-batch.js';
import { ReplayRefusedError } from '../delivery/replay-refused.js';

const insertSql = `
  insert into replayed_records (
    log_generation, log_partition, log_offset, id, replayed_generation, replayed_partition, replayed_offset)
  select * from unnest($1::integer[], $2::integer[], $3::bigint[], $4::uuid[], $5::integer[], $6::integer[], $7::bigint[])
  on conflict do nothing`;

const strangersSql = `
  select c.id
  from control_activities c
  join unnest($1::integer[], $2::integer[], $3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[])
    as r (log_generation, log_partition, log_offset, id, actor_id, verb, object_type, object_id)
    using (log_generation, log_partition, log_offset)
  where (c.id, c.actor_id, c.verb, c.object_type, c.object_id)
    is distinct from (r.id, r.actor_id, r.verb, r.object_type, r.object_id)
  limit 1`;

/**
 * Notes which records of a batch are replayed ones; to be called once the batch's records are written. Throws
 * `ReplayRefusedError` where another record stands at the place of one: then the event store would not have what the
 * projections have.
 */
export async function noteReplays(transaction: Queryable, batch: RecordBatch): Promise<void> {
  const replays = [...batch.contents, ...batch.controls].filter(({ replayedAt }) => replayedAt !== undefined);
  if (replays.length === 0) {
    return;
  }
  const versions = placeColumns(replays.map(({ version }) => version));
  const ids = replays.map(({ record }) => record.id);
  const stranger = await transaction.oneOrNone(strangersSql, [
    ...versions,
    ids,
    replays.map(({ record }) => record.actorId),
    replays.map(({ record }) => record.verb),
    replays.map(({ record }) => record.objectType),
    replays.map(({ record }) => record.objectId),
  ]);
  if (stranger !== null) {
    throw new ReplayRefusedError('another record stands at the place that it names');
  }
  await transaction.none(insertSql, [...versions, ids, ...placeColumns(replays.map(positionOf))]);
}

function placeColumns(places: readonly LogVersion[]): number[][] {
  return [
    places.map(({ generation }) => generation),
    places.map(({ partition }) => partition),
    places.map(({ offset }) => offset),
  ];
}
