import type { Database, Queryable } from '@tideline/shared/database';
import { fenced } from '@tideline/shared/errors';

/** I2: who owns a partition, by an epoch from a sequence that only rises. */

const take = `
  insert into partition_fences as f (log_partition, epoch, holder)
  values ($1, nextval('partition_fence_epochs'), $2)
  on conflict (log_partition) do update
    set epoch = excluded.epoch, holder = excluded.holder, taken_at = now()
    where excluded.epoch > f.epoch
  returning epoch::text`;

/** Takes the partition for `holder` and returns the new fence. Whoever had it can write nothing from now on. */
export async function takeFence(database: Database, partition: number, holder: string): Promise<string> {
  const row = await database.oneOrNone<{ epoch: string }>(take, [partition, holder]);
  // Two consumers took it at once and the other came later.
  return row === null ? takeFence(database, partition, holder) : row.epoch;
}

/**
 * Throws `fenced` unless the fence still stands. In a transaction it stands until the commit: the row is locked
 * against the next owner's update.
 */
export async function checkFence(transaction: Queryable, partition: number, fence: string): Promise<void> {
  const row = await transaction.oneOrNone(
    'select from partition_fences where log_partition = $1 and epoch = $2 for share',
    [partition, fence],
  );
  if (row === null) {
    throw fenced(`another consumer owns partition ${partition}`);
  }
}
