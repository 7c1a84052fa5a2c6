import { randomBytes } from 'node:crypto';
import { activityIdFromBytes, lowestActivityId } from './activity-id.js';
import { cacheRefused, fenced } from './errors.js';
import {
  type FeedLists,
  type ListName,
  type ListSlice,
  listSlack,
  type PartitionHold,
  type UpdatedLists,
  type WhileBuilding,
} from './feed-lists.js';

interface StoredList {
  /** Of the builder; undefined: ready. */
  token: Buffer | undefined;
  ids: Set<string>;
  floor: string;
}

const tokenBytes = 16;

/**
 * Lists with a floor in the memory of one process, for programs that need no more, and as what the scripts of the Redis
 * implementation mean, in so few lines that one can see that they are right.
 */
export class InMemoryFeedLists implements FeedLists {
  readonly #lists = new Map<string, StoredList>();
  readonly #fences = new Map<number, bigint>();
  readonly #cap: number;

  constructor(cap: number) {
    this.#cap = cap;
  }

  get listLengthMax(): number {
    return this.#cap + listSlack;
  }

  async announceFence({ partition, fence }: PartitionHold): Promise<void> {
    if ((this.#fences.get(partition) ?? 0n) > BigInt(fence)) {
      throw fenced(`another consumer owns partition ${partition}`);
    }
    this.#fences.set(partition, BigInt(fence));
  }

  async insert(hold: PartitionHold, updates: UpdatedLists, whileBuilding: WhileBuilding): Promise<number> {
    this.#checkFence(hold);
    let inserted = 0;
    for (const { ids, ...name } of updates.lists()) {
      const list = this.#lists.get(keyOf(name));
      if (list?.token !== undefined && whileBuilding === 'start_over') {
        this.drop(name);
      } else if (list !== undefined) {
        const fresh = ids.map((id) => activityIdFromBytes(id)).filter((id) => id >= list.floor && !list.ids.has(id));
        list.ids = new Set([...list.ids, ...fresh]);
        inserted += fresh.length;
        if (list.ids.size > this.listLengthMax) {
          this.#trim(list);
        }
      }
    }
    return inserted;
  }

  async remove(hold: PartitionHold, updates: UpdatedLists): Promise<number> {
    this.#checkFence(hold);
    let removed = 0;
    for (const { ids, ...name } of updates.lists()) {
      const list = this.#lists.get(keyOf(name));
      if (list?.token !== undefined) {
        this.drop(name);
      } else if (list !== undefined) {
        removed += ids.filter((id) => list.ids.delete(activityIdFromBytes(id))).length;
      }
    }
    return removed;
  }

  async read(name: ListName, before: string, count: number): Promise<ListSlice> {
    const list = this.#lists.get(keyOf(name));
    if (list === undefined || list.token !== undefined) {
      const state = list === undefined ? 'missing' : 'building';
      return { state, ids: [], completeDownTo: '', reachesFloor: true, floor: '', length: 0 };
    }
    const ids = newestFirst(list.ids)
      .filter((id) => id < before)
      .slice(0, count);
    const reachesFloor = ids.length < count;
    const completeDownTo = reachesFloor ? list.floor : (ids.at(-1) ?? list.floor);
    return { state: 'ready', ids, completeDownTo, reachesFloor, floor: list.floor, length: list.ids.size };
  }

  async begin(name: ListName, replaceReady: boolean): Promise<Buffer | undefined> {
    const list = this.#lists.get(keyOf(name));
    if (list !== undefined && (list.token !== undefined || !replaceReady)) {
      return undefined;
    }
    const token = randomBytes(tokenBytes);
    this.#lists.set(keyOf(name), { token, ids: new Set(), floor: lowestActivityId });
    return token;
  }

  async finish(name: ListName, token: Buffer, ids: readonly string[], floor: string): Promise<boolean> {
    const list = this.#lists.get(keyOf(name));
    if (list?.token?.equals(token) !== true) {
      return false;
    }
    list.token = undefined;
    list.floor = floor > list.floor ? floor : list.floor;
    list.ids = new Set([...list.ids, ...ids].filter((id) => id >= list.floor));
    if (list.ids.size > this.#cap) {
      this.#trim(list);
    }
    return true;
  }

  /** What happens to a list that nobody reads for long, and to one that is not worth mending. */
  drop(name: ListName): void {
    this.#lists.delete(keyOf(name));
  }

  /** The oldest id that stays is the floor. */
  #trim(list: StoredList): void {
    const kept = newestFirst(list.ids).slice(0, this.#cap);
    list.ids = new Set(kept);
    list.floor = kept.at(-1) ?? list.floor;
  }

  #checkFence({ partition, fence }: PartitionHold): void {
    const known = this.#fences.get(partition);
    if (known === undefined || known < BigInt(fence)) {
      throw cacheRefused('the fence of the partition was not announced');
    }
    if (known > BigInt(fence)) {
      throw fenced(`another consumer owns partition ${partition}`);
    }
  }
}

function keyOf({ kind, userId }: ListName): string {
  return `${kind} ${userId}`;
}

function newestFirst(ids: Iterable<string>): string[] {
  return [...ids].sort((a, b) => (a < b ? 1 : -1));
}
