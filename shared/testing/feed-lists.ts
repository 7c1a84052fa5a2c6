import { InboxWriter } from '@tideline/fanout/inbox/inbox-writer';
import { ListUpdates } from '@tideline/fanout/inbox/list-updates';
import {
  beginList,
  decodeListSlice,
  finishList,
  type ListSlice,
  readListCall,
} from '@tideline/feed-api/inbox/list-reader';
import { activityIdToBytes, highestActivityId } from '@tideline/shared/activity-id';
import type { Cache } from '@tideline/shared/cache';

/** One partition's fence, which deliveries carry. */
export const hold = { partition: 3, fence: '7' };

/**
 * Inboxes as both of their services see them: fanout writes them, feed-api builds and reads them. For tests of the
 * scripts, which no service may do alone.
 */
export class FeedLists {
  readonly writer: InboxWriter;
  readonly #cache: Cache;
  readonly #cap: number;

  constructor(cache: Cache, cap: number) {
    this.#cache = cache;
    this.#cap = cap;
    this.writer = new InboxWriter({ cache, inboxCap: cap });
  }

  async insert(
    updates: Record<string, readonly string[]>,
    whileBuilding: 'accept' | 'start_over' = 'accept',
    as = hold,
  ): Promise<number> {
    return await this.writer.insert(as, listUpdates(updates), whileBuilding);
  }

  async remove(updates: Record<string, readonly string[]>, as = hold): Promise<number> {
    return await this.writer.remove(as, listUpdates(updates));
  }

  async begin(userId: string, replaceReady: boolean): Promise<Buffer | undefined> {
    return await beginList(this.#cache, { kind: 'inbox', userId }, replaceReady);
  }

  /** `ids` newest first. */
  async finish(userId: string, token: Buffer, ids: readonly string[], floor: string): Promise<boolean> {
    return await finishList(this.#cache, { kind: 'inbox', userId }, token, this.#cap, ids, floor);
  }

  async read(userId: string, before = highestActivityId, count = 1_000): Promise<ListSlice> {
    const [answer] = await this.#cache.run([readListCall(this.#cache, { kind: 'inbox', userId }, before, count)]);
    return decodeListSlice(answer, count);
  }
}

function listUpdates(updates: Record<string, readonly string[]>): ListUpdates {
  const lists = new ListUpdates();
  for (const [userId, ids] of Object.entries(updates)) {
    for (const id of [...ids].sort()) {
      lists.add('inbox', userId, activityIdToBytes(id));
    }
  }
  return lists;
}
