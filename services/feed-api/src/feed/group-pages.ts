import type { Activity } from '@tideline/shared/activity';
import { highestActivityId, lowestIdFrom, timestampOf } from '@tideline/shared/activity-id';
import type { CursorDirection } from './cursor.js';
import { groupName } from './group-edge.js';
import { addToGroup, type Group, type GroupEdge, type Grouping, groupOf } from './groups.js';

/** A feed before it is grouped. */
export interface RawFeed {
  /** Up to `wanted` activities below `before`, newest first. Fewer mean that there are no more. */
  collect(before: string, wanted: number): Promise<Activity[]>;
  /**
   * The newest activities of up to `wanted` groups, as if nothing were at or above `until`. older: those that are below
   * `from`, from the top; newer: those that are above it, from the lowest up.
   */
  heads(direction: CursorDirection, from: string, until: string, wanted: number): Promise<Activity[]>;
}

/** Activities that are read to know the groups of one page, and as many again to know what is in them. */
export const rawItemsMax = 2_000;
const batchMin = 64;
const batchMax = 512;

/**
 * The groups below the edge, in their order. Fewer than `wanted` mean that there are no more; the last of `wanted` only
 * shows that there is one more, and need not be whole.
 *
 * What was shown is known from the edge, so whatever comes or goes between two pages moves no group: none is shown
 * twice, none is left out. Where the edge does not say, it is the groups that have something above: a group ends with
 * its window of the clock, so it is enough to begin at the end of the window that the edge is in.
 */
export async function groupsBelow(
  feed: RawFeed,
  grouping: Grouping,
  edge: GroupEdge,
  wanted: number,
): Promise<Group[]> {
  const page = new GroupPage(grouping, edge, wanted);
  const way = new WayDown(feed, page.top);
  while (way.goesOn && !page.isDone(way)) {
    for (const activity of await way.next()) {
      page.take(activity);
    }
  }
  return page.isFull || way.isAtEnd ? page.finish(way) : groupsOfHeads(feed, grouping, edge, wanted);
}

/** The groups that have something above `above`, from the lowest up; fewer than `wanted` mean that there are no more. */
export async function groupsAbove(feed: RawFeed, grouping: Grouping, above: string, wanted: number): Promise<Group[]> {
  const heads = await feed.heads('newer', above, highestActivityId, wanted);
  const farthest = heads.splice(wanted - 1);
  const groups = await fillGroups(feed, grouping, heads.reverse());
  return [...groups.reverse(), ...farthest.map(groupOf)];
}

/** Where groups have too much in them to go through it all, the database says which there are. */
async function groupsOfHeads(
  feed: RawFeed,
  grouping: Grouping,
  { below, shown }: GroupEdge,
  wanted: number,
): Promise<Group[]> {
  const until = shown === undefined ? highestActivityId : below;
  const heads = await feed.heads('older', below, until, wanted + (shown?.size ?? 0));
  const notShown = heads.filter((head) => shown?.has(groupName(grouping.keyOf(head))) !== true).slice(0, wanted);
  const groups = await fillGroups(feed, grouping, notShown.slice(0, wanted - 1));
  if (shown !== undefined) {
    tellShown(grouping, below, groups, { names: shown, activities: [] });
  }
  return [...groups, ...notShown.slice(wanted - 1).map(groupOf)];
}

/** The groups of these newest members, in their order, with what is in them as far as the bound allows. */
async function fillGroups(feed: RawFeed, grouping: Grouping, heads: readonly Activity[]): Promise<Group[]> {
  const groups = new Map(heads.map((head) => [grouping.keyOf(head), groupOf(head)]));
  const way = new WayDown(feed, heads[0]?.id);
  while (way.goesOn && !way.isBelow(startOfAll(grouping, heads))) {
    for (const activity of await way.next()) {
      const group = groups.get(grouping.keyOf(activity));
      if (group !== undefined && activity.id < group.head.id) {
        addToGroup(group, activity);
      }
    }
  }
  return wholeOrNot(grouping, groups.values(), way);
}

/** The groups below an edge, as they come to light on the way down. */
class GroupPage {
  /** Below it the way begins. */
  readonly top: string;
  readonly #grouping: Grouping;
  readonly #edge: GroupEdge;
  readonly #wanted: number;
  readonly #groups = new Map<string, Group>();
  /** Those that were shown before, as far as something of them was met: each by one activity. */
  readonly #shown = new Map<string, Activity>();
  #last: Group | undefined;

  constructor(grouping: Grouping, edge: GroupEdge, wanted: number) {
    this.#grouping = grouping;
    this.#edge = edge;
    this.#wanted = wanted;
    this.top = edge.shown === undefined ? lowestIdFrom(grouping.reachOf(timestampOf(edge.below)).end) : edge.below;
  }

  get isFull(): boolean {
    return this.#groups.size === this.#wanted;
  }

  /** Whether what is shown is whole. */
  isDone(way: WayDown): boolean {
    const heads = [...this.#groups.values()].slice(0, this.#wanted - 1).map(({ head }) => head);
    return this.isFull && way.isBelow(startOfAll(this.#grouping, heads));
  }

  take(activity: Activity): void {
    const key = this.#grouping.keyOf(activity);
    const group = this.#groups.get(key);
    if (group !== undefined) {
      addToGroup(group, activity);
    } else if (this.#wasShown(key, activity.id)) {
      this.#shown.set(key, activity);
    } else if (this.isFull) {
      return;
    } else {
      this.#last = groupOf(activity);
      this.#groups.set(key, this.#last);
    }
    if (this.#last !== undefined) {
      this.#last.end.below = activity.id;
    }
  }

  finish(way: WayDown): Group[] {
    const groups = wholeOrNot(this.#grouping, this.#groups.values(), way);
    tellShown(this.#grouping, this.#edge.below, groups.slice(0, this.#wanted - 1), {
      names: this.#edge.shown ?? new Set(),
      activities: [...this.#shown.values()],
    });
    return groups;
  }

  #wasShown(key: string, id: string): boolean {
    const { below, shown } = this.#edge;
    return id >= below || this.#shown.has(key) || (shown !== undefined && shown.size > 0 && shown.has(groupName(key)));
  }
}

/**
 * Tells the end of a page which groups were shown: these, and those before them, by name or by an activity of theirs. A
 * group whose window is over by then is left out, as nothing can come of it any more.
 */
function tellShown(
  grouping: Grouping,
  top: string,
  groups: readonly Group[],
  before: { names: ReadonlySet<string>; activities: readonly Activity[] },
): void {
  const end = groups.at(-1)?.end;
  if (end === undefined) {
    return;
  }
  const endMs = timestampOf(end.below);
  const open = [...before.activities, ...groups.map(({ head }) => head)].filter(
    (one) => grouping.startOf(one) <= endMs,
  );
  // Those that are known by name have something at or above the top.
  const names = grouping.reachOf(timestampOf(top)).start <= endMs ? before.names : [];
  end.shown = new Set([...names, ...open.map((activity) => groupName(grouping.keyOf(activity)))]);
}

/** Goes down a feed, batch by batch, no further than the bound. */
class WayDown {
  isAtEnd: boolean;
  readonly #feed: RawFeed;
  #before: string;
  #left = rawItemsMax;
  #batch = batchMin;
  /** Unix milliseconds of the last that was read: all that is newer was read. */
  #reachedMs = Number.POSITIVE_INFINITY;

  /** `before` undefined: there is no way to go. */
  constructor(feed: RawFeed, before: string | undefined) {
    this.#feed = feed;
    this.#before = before ?? '';
    this.isAtEnd = before === undefined;
  }

  get goesOn(): boolean {
    return !this.isAtEnd && this.#left > 0;
  }

  /** Whether everything from then on was read. */
  isBelow(startMs: number): boolean {
    return this.isAtEnd || this.#reachedMs < startMs;
  }

  async next(): Promise<Activity[]> {
    const wanted = Math.min(this.#batch, this.#left);
    const activities = await this.#feed.collect(this.#before, wanted);
    const last = activities.at(-1);
    if (last !== undefined) {
      this.#before = last.id;
      this.#reachedMs = last.timestamp;
    }
    this.isAtEnd = activities.length < wanted;
    this.#left -= activities.length;
    this.#batch = Math.min(batchMax, this.#batch * 2);
    return activities;
  }
}

function startOfAll(grouping: Grouping, heads: readonly Activity[]): number {
  return Math.min(...heads.map((head) => grouping.startOf(head)));
}

function wholeOrNot(grouping: Grouping, groups: Iterable<Group>, way: WayDown): Group[] {
  return [...groups].map((group) => ({ ...group, isWhole: way.isBelow(grouping.startOf(group.head)) }));
}
