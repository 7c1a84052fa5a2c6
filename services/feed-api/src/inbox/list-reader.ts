import { randomBytes } from 'node:crypto';
import {
  activityIdBytes,
  activityIdFromBytes,
  activityIdsFromBytes,
  activityIdToBytes,
  highestActivityId,
} from '@tideline/shared/activity-id';
import type { Cache, ScriptCall } from '@tideline/shared/cache';
import { bucketOf } from '@tideline/shared/feed-keys';
import { loadScript } from '@tideline/shared/redis-script';

const readListScript = loadScript('read-list', import.meta.url);
const beginListScript = loadScript('begin-list', import.meta.url);
const finishListScript = loadScript('finish-list', import.meta.url);

const listTtlS = 14 * 86_400;
const buildingTtlS = 30;
const tokenBytes = 16;

/** An inbox or an outbox, by whose it is. */
export interface ListName {
  kind: 'inbox' | 'outbox';
  userId: string;
}

export interface ListSlice {
  state: 'missing' | 'building' | 'ready';
  /** Newest first. */
  ids: string[];
  /** From this id on the slice has every id of the list. */
  completeDownTo: string;
  /** True where the slice reaches the end of the list: below `completeDownTo` only the database knows. */
  reachesFloor: boolean;
  floor: string;
  /** Entries of the whole list. */
  length: number;
}

/** The call that reads `count` ids below `before`. */
export function readListCall(cache: Cache, list: ListName, before: string, count: number): ScriptCall {
  const { keys } = cache;
  return {
    script: readListScript,
    keys: [keys.bucketEpoch(bucketOf(list.userId)), keyOf(cache, list)],
    args: [keys.epoch, before === highestActivityId ? '' : activityIdToBytes(before), count, listTtlS],
  };
}

export function decodeListSlice(answer: unknown, count: number): ListSlice {
  const [state, packed, floorBytes, length] = answer as [Buffer, Buffer, Buffer, number];
  const ids = activityIdsFromBytes(packed);
  const floor = floorBytes.length === activityIdBytes ? activityIdFromBytes(floorBytes) : '';
  const reachesFloor = ids.length < count;
  return {
    state: state.toString() as ListSlice['state'],
    ids,
    completeDownTo: reachesFloor ? floor : (ids.at(-1) ?? floor),
    reachesFloor,
    floor,
    length,
  };
}

/** Begins to build a list. Returns the token to finish it with, or undefined where there is nothing to do. */
export async function beginList(cache: Cache, list: ListName, replaceReady: boolean): Promise<Buffer | undefined> {
  const token = randomBytes(tokenBytes);
  const { keys } = cache;
  const began = await cache.runOne(
    beginListScript,
    [keys.bucketEpoch(bucketOf(list.userId)), keyOf(cache, list)],
    [keys.epoch, token, buildingTtlS, replaceReady ? '1' : '0'],
  );
  return Number(began) === 1 ? token : undefined;
}

/** Makes a list readable with ids from the database, newest first. Returns false if it was taken away meanwhile. */
export async function finishList(
  cache: Cache,
  list: ListName,
  token: Buffer,
  cap: number,
  ids: readonly string[],
  floor: string,
): Promise<boolean> {
  const { keys } = cache;
  const finished = await cache.runOne(
    finishListScript,
    [keys.bucketEpoch(bucketOf(list.userId)), keyOf(cache, list)],
    [keys.epoch, token, cap, listTtlS, activityIdToBytes(floor), Buffer.concat(ids.map(activityIdToBytes))],
  );
  return Number(finished) === 1;
}

function keyOf({ keys }: Cache, { kind, userId }: ListName): string {
  return kind === 'inbox' ? keys.inbox(userId) : keys.outbox(userId);
}
