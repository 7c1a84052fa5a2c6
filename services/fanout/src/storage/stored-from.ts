import { timestampOf } from '@tideline/shared/activity-id';
import type { Database } from '@tideline/shared/database';
import type { RecordBatch } from '../delivery/record-batch.js';

const storedFromSql = `
  select a.id from activities a
  join unnest($1::uuid[], $2::integer[], $3::integer[], $4::bigint[]) as r (id, generation, partition, log_offset)
    on a.id = r.id
  where a.time between $5 and $6
    and (a.log_generation, a.log_partition, a.log_offset) = (r.generation, r.partition, r.log_offset)`;

/** Which of these activities are stored from these very records of the log, and not from an earlier copy. */
export async function storedFrom(
  database: Database,
  ids: readonly string[],
  contents: RecordBatch['contents'],
): Promise<Set<string>> {
  const asked = new Set(ids);
  const records = contents.filter(({ record }) => asked.has(record.id));
  if (records.length === 0) {
    return new Set();
  }
  const times = records.map(({ record }) => timestampOf(record.id));
  const rows = await database.any<{ id: string }>(storedFromSql, [
    records.map(({ record }) => record.id),
    records.map(({ version }) => version.generation),
    records.map(({ version }) => version.partition),
    records.map(({ version }) => version.offset),
    new Date(Math.min(...times)),
    new Date(Math.max(...times)),
  ]);
  return new Set(rows.map(({ id }) => id));
}
