import type { Database, Queryable } from '@tideline/shared/database';
import { type LoggedRecord, sortOut } from '../delivery/record-batch.js';
import { persistBatch, usersNamedBy } from './activity-writer.js';
import { missingRecords } from './missing-records.js';

// Nobody owns a partition of a database that is new.
const lockFence = `
  insert into partition_fences as f (log_partition, epoch, holder)
  values ($1, nextval('partition_fence_epochs'), 'replay')
  on conflict (log_partition) do update set log_partition = excluded.log_partition
  returning epoch::text`;

export interface StoreAgainOptions {
  database: Database;
  partition: number;
  knownUsers: { has(userId: string): boolean; set(userId: string, known: true): unknown };
  /** In the transaction, where it stored anything. */
  onStored(transaction: Queryable): Promise<void>;
}

/**
 * Stores those of these records of one partition that the event store lost, as fanout does, and returns how many that were.
 * The partition's owner stays the owner: the fence is locked, so that it waits for this transaction and nobody takes over, and
 * its number is the one that is checked. What it has in memory is older afterwards: whoever calls this has it forget that.
 */
export async function storeAgain(options: StoreAgainOptions, records: readonly LoggedRecord[]): Promise<number> {
  const { database, partition, knownUsers, onStored } = options;
  const missing = await missingRecords(database, records);
  if (missing.length === 0) {
    return 0;
  }
  const batch = sortOut(missing);
  const stored = await database.tx(async (transaction) => {
    const { epoch } = await transaction.one<{ epoch: string }>(lockFence, [partition]);
    await persistBatch(transaction, { partition, fence: epoch }, batch, knownUsers);
    const left = await missingRecords(transaction, missing);
    if (left.length < missing.length) {
      await onStored(transaction);
    }
    return missing.length - left.length;
  });
  for (const userId of usersNamedBy(batch)) {
    knownUsers.set(userId, true);
  }
  return stored;
}
