import { activityIdBytes, activityIdToBytes } from '@tideline/shared/activity-id';
import type { FeedKeys } from '@tideline/shared/feed-keys';
import { bucketOf } from '@tideline/shared/feed-keys';
import { type ListKind, type ListName, listKinds, type UpdatedLists } from '@tideline/shared/feed-lists';

/** One list and the ids that go into it, or out of it. */
export interface ListUpdate {
  key: string;
  ids: readonly Buffer[];
}

/**
 * Collects ids by list, so that a batch is turned round: each list is touched once, with all its ids, however many
 * authors they come from.
 */
export class ListUpdates implements UpdatedLists {
  /** How many ids in all lists. */
  size = 0;
  readonly #lists: Record<ListKind, Map<string, Buffer[]>> = {
    inbox: new Map(),
    outbox: new Map(),
    notifications: new Map(),
  };

  /** Ids of one list must be added oldest first, and each once. */
  add(kind: ListKind, userId: string, id: Buffer): void {
    const lists = this.#lists[kind];
    const ids = lists.get(userId);
    if (ids === undefined) {
      lists.set(userId, [id]);
    } else {
      ids.push(id);
    }
    this.size += 1;
  }

  *lists(): Generator<ListName & { ids: readonly Buffer[] }> {
    for (const kind of listKinds) {
      for (const [userId, ids] of this.#lists[kind]) {
        yield { kind, userId, ids };
      }
    }
  }
}

/** The lists by bucket, under the names of the epoch that `keys` is of. */
export function byBucket(updates: UpdatedLists, keys: FeedKeys): Map<number, ListUpdate[]> {
  const buckets = new Map<number, ListUpdate[]>();
  for (const { kind, userId, ids } of updates.lists()) {
    const bucket = bucketOf(userId);
    push(buckets, bucket, { key: keys.list(kind, userId, bucket), ids });
  }
  return buckets;
}

function push(buckets: Map<number, ListUpdate[]>, bucket: number, update: ListUpdate): void {
  const updates = buckets.get(bucket);
  if (updates === undefined) {
    buckets.set(bucket, [update]);
  } else {
    updates.push(update);
  }
}

const countBytes = 2;

/** The ids as the scripts take them: for each list their number in 2 bytes, then 16 bytes each. */
export function packIds(updates: readonly ListUpdate[]): Buffer {
  const total = updates.reduce((bytes, { ids }) => bytes + countBytes + ids.length * activityIdBytes, 0);
  const packed = Buffer.allocUnsafe(total);
  let offset = 0;
  for (const { ids } of updates) {
    offset = packed.writeUInt16BE(ids.length, offset);
    for (const id of ids) {
      packed.set(id, offset);
      offset += activityIdBytes;
    }
  }
  return packed;
}

/** Sorts ids the way feeds do, oldest first, as the bytes that Redis holds. */
export function oldestFirst(ids: Iterable<string>): Buffer[] {
  return [...new Set(ids)].sort().map(activityIdToBytes);
}
