import type { LogVersion } from '@tideline/shared/activity-record';
import type { Database } from '@tideline/shared/database';

/** What operators decided about records that were given up. */

const isReplayedSql = `
  select exists (
    select from dead_letter_decisions
    where (log_generation, log_partition, log_offset) = ($1, $2, $3) and value_sha256 = $4
      and decision in ('replaying', 'replayed')) as found`;

/** Whether an operator had the record that stood there replayed, with this value. */
export async function isReplayed(database: Database, version: LogVersion, digest: Buffer): Promise<boolean> {
  return isFound(database, isReplayedSql, version, digest);
}

const isDecidedSql = `
  select exists (
    select from dead_letter_decisions
    where (log_generation, log_partition, log_offset) = ($1, $2, $3) and value_sha256 = $4 and attempts = $5) as found`;

/** Whether there was a letter about this attempt at a record, with this value, that was replayed or discarded since. */
export async function isDecided(
  database: Database,
  version: LogVersion,
  digest: Buffer,
  attempts: number,
): Promise<boolean> {
  return isFound(database, isDecidedSql, version, digest, attempts);
}

async function isFound(
  database: Database,
  sql: string,
  { generation, partition, offset }: LogVersion,
  ...values: unknown[]
): Promise<boolean> {
  const { found } = await database.one<{ found: boolean }>(sql, [generation, partition, offset, ...values]);
  return found;
}
