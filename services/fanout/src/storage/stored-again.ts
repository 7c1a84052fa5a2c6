import type { Database, Queryable } from '@tideline/shared/database';
import { leaveOutErased } from '../delivery/erased-records.js';
import { type LoggedRecord, sortOut } from '../delivery/record-batch.js';
import { persistBatch, usersNamedBy } from './activity-writer.js';
import { readErasedBelow } from './erasures.js';
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
  if ((await missing(database, partition, records)).length === 0) {
    return 0;
  }
  const named = new Set<string>();
  const stored = await database.tx(async (transaction) => {
    const { epoch } = await transaction.one<{ epoch: string }>(lockFence, [partition]);
    // Only behind the fence is it known who is erased.
    const lost = await missing(transaction, partition, records);
    const batch = sortOut(lost);
    await persistBatch(transaction, { partition, fence: epoch }, batch, knownUsers);
    const left = await missingRecords(transaction, lost);
    if (left.length < lost.length) {
      await onStored(transaction);
    }
    for (const userId of usersNamedBy(batch)) {
      named.add(userId);
    }
    return lost.length - left.length;
  });
  for (const userId of named) {
    knownUsers.set(userId, true);
  }
  return stored;
}

/** What is of users who were erased is to be nowhere. */
async function missing(
  database: Queryable,
  partition: number,
  records: readonly LoggedRecord[],
): Promise<LoggedRecord[]> {
  const kept = await leaveOutErased(database, partition, await readErasedBelow(database, partition), records);
  return missingRecords(database, kept);
}
