import { activityIdBytes, activityIdFromBytes, activityIdToBytes } from './activity-id.js';
import type { Cache, ScriptCall } from './cache.js';
import { bucketOf } from './feed-keys.js';
import { loadScript } from './redis-script.js';

/**
 * What readers check their pages against (I8), as those who correct it see it.
 *
 * A user's register says whom it unfollowed and which authors it merges. It is a copy of what TimescaleDB says, never
 * edited: a correction is committed there and then drops the copy, so the next read loads it anew. That leaves nothing
 * to order or to merge in Redis (docs/decisions/0002-registers-are-dropped.md). Tombstones of all users are one list
 * that only grows until it expires.
 */

const dropKeys = loadScript('drop-keys', import.meta.url);
const appendTombstonesScript = loadScript('append-tombstones', import.meta.url);

/** Calls that drop the registers of these users, one for each bucket. To be sent after the commit. */
export function dropRegisters(cache: Cache, userIds: Iterable<string>): ScriptCall[] {
  return dropByUser(cache, userIds, (userId, bucket) => cache.keys.register(userId, bucket));
}

/** Calls that drop the inboxes of these users: their next read answers from SQL and rebuilds. */
export function dropInboxes(cache: Cache, userIds: Iterable<string>): ScriptCall[] {
  return dropByUser(cache, userIds, (userId, bucket) => cache.keys.inbox(userId, bucket));
}

export interface TombstoneEntry {
  activityId: string;
  authorId: string;
}

/** The call that makes every reader see tombstones that TimescaleDB holds already. */
export function appendTombstones(cache: Cache, tombstones: readonly TombstoneEntry[]): ScriptCall {
  return {
    script: appendTombstonesScript,
    keys: [cache.keys.bucketEpoch(0), cache.keys.tombstones()],
    args: [cache.keys.epoch, ...tombstones.map(encodeTombstone)],
  };
}

export function encodeTombstone({ activityId, authorId }: TombstoneEntry): Buffer {
  return Buffer.concat([activityIdToBytes(activityId), Buffer.from(authorId)]);
}

export function decodeTombstone(bytes: Buffer): TombstoneEntry {
  return { activityId: activityIdFromBytes(bytes), authorId: bytes.toString('utf8', activityIdBytes) };
}

function dropByUser(
  cache: Cache,
  userIds: Iterable<string>,
  keyOf: (userId: string, bucket: number) => string,
): ScriptCall[] {
  const keys = new Map<number, string[]>();
  for (const userId of userIds) {
    const bucket = bucketOf(userId);
    const inBucket = keys.get(bucket);
    const key = keyOf(userId, bucket);
    if (inBucket === undefined) {
      keys.set(bucket, [key]);
    } else {
      inBucket.push(key);
    }
  }
  return Array.from(keys, ([bucket, inBucket]) => ({
    script: dropKeys,
    keys: [cache.keys.bucketEpoch(bucket), ...inBucket],
    args: [cache.keys.epoch],
  }));
}
