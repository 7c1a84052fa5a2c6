import type { Cache, ScriptArgument, ScriptCall } from '@tideline/shared/cache';
import { bucketCount } from '@tideline/shared/feed-keys';
import {
  type FeedListWriter,
  listSlack,
  type PartitionHold,
  type RemovalNews,
  type UpdatedLists,
  type WhileBuilding,
} from '@tideline/shared/feed-lists';
import { loadScript, type RedisScript } from '@tideline/shared/redis-script';
import { loadFencedScript } from './fenced-script.js';
import { byBucket, type ListUpdate, packIds } from './list-updates.js';

/**
 * Writes to inboxes and outboxes, a script call for each bucket. Every call carries the cache epoch and the fence;
 * all of them can be repeated. They throw `fenced`, or what is worth repeating: `cache_refused` and `unavailable`.
 */

const insertIds = loadFencedScript('insert-ids');
const removeIds = loadFencedScript('remove-ids');
const setFence = loadScript('set-fence', import.meta.url);

/** Bounds how long one call keeps Redis from others: some 2 ms. */
const listsPerCallMax = 1_000;
const fenceTtlS = 86_400;

export interface InboxWriterOptions {
  cache: Cache;
  inboxCap: number;
}

export class InboxWriter implements FeedListWriter {
  readonly #cache: Cache;
  readonly #inboxCap: number;

  constructor({ cache, inboxCap }: InboxWriterOptions) {
    this.#cache = cache;
    this.#inboxCap = inboxCap;
  }

  get listLengthMax(): number {
    return this.#inboxCap + listSlack;
  }

  /** Tells every bucket who owns the partition. */
  async announceFence(hold: PartitionHold): Promise<void> {
    const { keys } = this.#cache;
    await this.#cache.run(
      Array.from({ length: bucketCount }, (_, bucket) => ({
        script: setFence,
        keys: [keys.bucketEpoch(bucket), keys.fences(bucket)],
        args: [keys.epoch, hold.partition, hold.fence, fenceTtlS],
      })),
    );
  }

  /** Puts ids into the lists that exist. Returns how many were new to their list. */
  async insert(hold: PartitionHold, updates: UpdatedLists, whileBuilding: WhileBuilding): Promise<number> {
    const startOver = whileBuilding === 'start_over' ? '1' : '0';
    return this.#run(insertIds, hold, updates, [this.#inboxCap, listSlack, startOver]);
  }

  /** Takes ids out of the lists that hold them. Returns how many entries went. */
  async remove(hold: PartitionHold, updates: UpdatedLists, news: RemovalNews): Promise<number> {
    return this.#run(removeIds, hold, updates, [news === 'each_id' ? '1' : '0']);
  }

  async #run(
    script: RedisScript,
    hold: PartitionHold,
    updates: UpdatedLists,
    settings: ScriptArgument[],
  ): Promise<number> {
    if (updates.size === 0) {
      return 0;
    }
    const { keys } = this.#cache;
    const calls: ScriptCall[] = [];
    for (const [bucket, lists] of byBucket(updates, keys)) {
      for (const part of inParts(lists)) {
        calls.push({
          script,
          keys: [
            keys.bucketEpoch(bucket),
            keys.fences(bucket),
            keys.watched(bucket),
            keys.live(bucket),
            ...part.map(({ key }) => key),
          ],
          args: [keys.epoch, hold.partition, hold.fence, keys.liveChannel, ...settings, packIds(part)],
        });
      }
    }
    const answers = await this.#cache.run(calls);
    return answers.reduce<number>((sum, answer) => sum + Number(answer), 0);
  }
}

function* inParts(lists: readonly ListUpdate[]): Generator<readonly ListUpdate[]> {
  for (let start = 0; start < lists.length; start += listsPerCallMax) {
    yield lists.slice(start, start + listsPerCallMax);
  }
}
