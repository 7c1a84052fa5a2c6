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
import type { FeedListReader, ListName, ListSlice } from '@tideline/shared/feed-lists';
import { recordLive } from '@tideline/shared/live-records';
import { loadScript } from '@tideline/shared/redis-script';

const readListScript = loadScript('read-list', import.meta.url);
const beginListScript = loadScript('begin-list', import.meta.url);
const finishListScript = loadScript('finish-list', import.meta.url, recordLive);

/** A list that nobody read or watched for so long is forgotten. */
export const listTtlS = 14 * 86_400;
const buildingTtlS = 30;
const tokenBytes = 16;

/** feed-api's side of the lists in Redis. Throws `unavailable` or `cache_refused` where Redis cannot be used. */
export class ListReader implements FeedListReader {
  readonly #cache: Cache;
  readonly #cap: number;

  constructor(cache: Cache, cap: number) {
    this.#cache = cache;
    this.#cap = cap;
  }

  /** Pages read their lists in one wave with all else they need: `readListCall` is the same as a part of one. */
  async read(list: ListName, before: string, count: number): Promise<ListSlice> {
    const [answer] = await this.#cache.run([readListCall(this.#cache, list, before, count)]);
    return decodeListSlice(answer, count);
  }

  async begin(list: ListName, replaceReady: boolean): Promise<Buffer | undefined> {
    const token = randomBytes(tokenBytes);
    const { keys } = this.#cache;
    const began = await this.#cache.runOne(
      beginListScript,
      [keys.bucketEpoch(bucketOf(list.userId)), keyOf(this.#cache, list)],
      [keys.epoch, token, buildingTtlS, replaceReady ? '1' : '0'],
    );
    return Number(began) === 1 ? token : undefined;
  }

  async finish(list: ListName, token: Buffer, ids: readonly string[], floor: string): Promise<boolean> {
    const { keys } = this.#cache;
    const bucket = bucketOf(list.userId);
    const finished = await this.#cache.runOne(
      finishListScript,
      [keys.bucketEpoch(bucket), keys.watched(bucket), keys.live(bucket), keyOf(this.#cache, list)],
      [
        keys.epoch,
        token,
        this.#cap,
        listTtlS,
        activityIdToBytes(floor),
        Buffer.concat(ids.map(activityIdToBytes)),
        keys.liveChannel,
      ],
    );
    return Number(finished) === 1;
  }
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

function keyOf({ keys }: Cache, { kind, userId }: ListName): string {
  return keys.list(kind, userId);
}
