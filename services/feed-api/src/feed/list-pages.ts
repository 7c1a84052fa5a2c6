import type { Activity } from '@tideline/shared/activity';
import { lowestActivityId } from '@tideline/shared/activity-id';
import type { ListName, ListSlice } from '@tideline/shared/feed-lists';
import { mergedDownTo } from '@tideline/shared/registers';
import { decodeListSlice, readListCall } from '../inbox/list-reader.js';
import type { Register } from '../inbox/register-store.js';
import type { Tombstones } from '../inbox/tombstone-store.js';
import type { SqlScope } from '../storage/sql-scope.js';
import type { Feed } from './feed.js';
import type { FeedTools } from './feed-tools.js';

/** What the lists in Redis gave of a page. */
export interface ListPage {
  /** Newest first; all that may be shown of the feed from `completeDownTo` on. */
  activities: Activity[];
  /** From this id on nothing is missing; the page goes on below it. */
  completeDownTo: string;
}

/** Some more than the page needs, so that a few corrections do not cost a second round trip. */
const spareIds = 8;
/** Rounds until the database takes over: each reads a slice of every list. */
const roundsMax = 8;
/** A list with a floor and so few entries is worth building anew: most pages would leave it at once. */
const shortListShare = 0.5;

/**
 * Reads the part of a page that Redis can give: slices of the inbox and of the outboxes of pulled authors, merged and
 * checked against register and tombstones. Returns undefined where a list is missing, after having asked for it to be
 * built. Throws `unavailable` or `cache_refused` where Redis cannot be used.
 */
export async function readLists(
  tools: FeedTools,
  sql: SqlScope,
  feed: Feed,
  before: string,
  wanted: number,
): Promise<ListPage | undefined> {
  const activities: Activity[] = [];
  for (let round = 1, below = before; ; round += 1) {
    const count = wanted - activities.length + spareIds;
    const view = await readView(tools, sql, feed, below, count);
    if (view === undefined) {
      return undefined;
    }
    const { ids, completeDownTo: mergedDownTo, atFloor } = mergeSlices(view.slices);
    // A floor may have risen since the last round, above what that one gave: the page goes on below what it has.
    const completeDownTo = mergedDownTo < below ? mergedDownTo : below;
    const bodies = await tools.bodies.read(sql, ids);
    activities.push(
      ...bodies.filter((activity) => feed.shows(activity, view.register) && !view.tombstones.cover(activity)),
    );
    if (activities.length >= wanted || atFloor || round === roundsMax) {
      return { activities, completeDownTo };
    }
    below = completeDownTo;
  }
}

interface View {
  slices: ListSlice[];
  register: Register;
  tombstones: Tombstones;
}

/**
 * One wave to Redis: the feed's list, the outboxes that the reader is known to merge, the head of the register and new
 * tombstones. Only if the register has changed does a second wave follow, for outboxes that were not known.
 */
async function readView(
  tools: FeedTools,
  sql: SqlScope,
  feed: Feed,
  before: string,
  count: number,
): Promise<View | undefined> {
  const { cache, registers, tombstones } = tools;
  const guessed = feed.merges
    ? (registers.guess(feed.reader)?.merged ?? []).map(({ authorId }) => outboxOf(authorId))
    : [];
  const refresh = tombstones.refresh();
  const [tombstonesAnswer, mainAnswer, headAnswer, ...guessedAnswers] = await cache.run([
    refresh.call,
    readListCall(cache, feed.list, before, count),
    registers.headCall(feed.reader),
    ...guessed.map((list) => readListCall(cache, list, before, count)),
  ]);
  const main = decodeListSlice(mainAnswer, count);
  if (main.state !== 'ready') {
    request(tools, feed.list, main);
    return undefined;
  }
  requestIfShort(tools, feed.list, main);
  const [register, buried] = await Promise.all([
    registers.confirm(sql, feed.reader, headAnswer as Buffer),
    refresh.confirm(sql, tombstonesAnswer),
  ]);
  const known = new Map(guessed.map((list, i) => [list.userId, decodeListSlice(guessedAnswers[i], count)]));
  const outboxes = await readOutboxes(tools, mergedOutboxes(feed, register, main.floor), known, before, count);
  return outboxes && { slices: [main, ...outboxes], register, tombstones: buried };
}

/** The outboxes to merge into what was read of the inbox. */
function mergedOutboxes(feed: Feed, register: Register, inboxFloor: string): ListName[] {
  return feed.merges ? mergedDownTo(inboxFloor, register.merged, register.hidden).map(outboxOf) : [];
}

/** Slices of these outboxes; undefined where one of them is not ready, after having asked for it to be built. */
async function readOutboxes(
  tools: FeedTools,
  outboxes: readonly ListName[],
  known: ReadonlyMap<string, ListSlice>,
  before: string,
  count: number,
): Promise<ListSlice[] | undefined> {
  const { cache } = tools;
  const unknown = outboxes.filter(({ userId }) => !known.has(userId));
  const answers = await cache.run(unknown.map((list) => readListCall(cache, list, before, count)));
  const slices = new Map([
    ...known,
    ...unknown.map(({ userId }, i) => [userId, decodeListSlice(answers[i], count)] as const),
  ]);
  const ready: ListSlice[] = [];
  for (const list of outboxes) {
    const slice = slices.get(list.userId);
    if (slice?.state === 'ready') {
      ready.push(slice);
    } else {
      request(tools, list, slice);
    }
  }
  return ready.length === outboxes.length ? ready : undefined;
}

/** Merges slices, newest first, each id once, as far down as all of them are complete. */
export function mergeSlices(slices: readonly ListSlice[]): { ids: string[]; completeDownTo: string; atFloor: boolean } {
  let completeDownTo = lowestActivityId;
  let atFloor = true;
  for (const slice of slices) {
    if (slice.completeDownTo > completeDownTo) {
      completeDownTo = slice.completeDownTo;
      atFloor = slice.reachesFloor;
    }
  }
  const ids = new Set<string>();
  for (const slice of slices) {
    for (const id of slice.ids) {
      if (id >= completeDownTo) {
        ids.add(id);
      }
    }
  }
  const newestFirst = slices.length === 1 ? [...ids] : [...ids].sort((a, b) => (a < b ? 1 : -1));
  return { ids: newestFirst, completeDownTo, atFloor };
}

function outboxOf(userId: string): ListName {
  return { kind: 'outbox', userId };
}

function request({ rebuilder }: FeedTools, list: ListName, slice: ListSlice | undefined): void {
  if (slice?.state !== 'building') {
    rebuilder.request(list);
  }
}

function requestIfShort({ rebuilder, inboxCap }: FeedTools, list: ListName, { floor, length }: ListSlice): void {
  if (floor !== lowestActivityId && length < inboxCap * shortListShare) {
    rebuilder.request(list, true);
  }
}
