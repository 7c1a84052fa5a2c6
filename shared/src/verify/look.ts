import { highestActivityId } from '../activity-id.js';
import type { Cache } from '../cache.js';
import { type Database, inSnapshot, type Queryable } from '../database.js';
import type { ListKind } from '../feed-lists.js';
import { tombstoneName } from '../registers.js';
import { readStoredFeeds, type StoredFeeds, type StoredList } from './stored-feeds.js';
import {
  type Account,
  accountFor,
  homeDownTo,
  idsInHome,
  notificationsDownTo,
  outboxDownTo,
  readHorizon,
  standingsOf,
  type TrueItem,
} from './true-feeds.js';

/** damaged: the list is none that a service writes, so it has no ids. */
export type Fault = 'missing' | 'extra' | 'misordered' | 'damaged';

export interface Difference {
  list: ListKind;
  fault: Fault;
  /** Empty for a damaged list. */
  id: string;
  /** undefined: the database does not have the activity. */
  authorId: string | undefined;
}

export interface FoundDifference extends Difference {
  /** How reader and author stood to each other; text that only changes when that does. */
  standing: string;
}

/** One reader's lists as they were, held against the database as it was right afterwards. */
export interface Look {
  reader: string;
  inbox: StoredList['state'];
  outbox: StoredList['state'];
  notifications: StoredList['state'];
  found: FoundDifference[];
}

/** Looks at some readers: first at Redis, then at one snapshot of the database. */
export async function lookAt(database: Database, cache: Cache, readers: readonly string[]): Promise<Look[]> {
  const stored = await readStoredFeeds(database, cache, readers);
  return inSnapshot(database, async (snapshot) => {
    const horizon = await readHorizon(snapshot);
    const looks: Look[] = [];
    for (const whole of stored) {
      const feeds = keptPart(whole, horizon);
      const found = [
        ...(await compareInbox(snapshot, feeds)),
        ...(await compareOutbox(snapshot, feeds)),
        ...(await compareNotifications(snapshot, feeds, horizon)),
      ];
      looks.push({
        reader: feeds.reader,
        inbox: feeds.inbox.state,
        outbox: feeds.outbox.state,
        notifications: feeds.notifications.state,
        found: await withStandings(snapshot, feeds.reader, found),
      });
    }
    return looks;
  });
}

/**
 * Without content before the horizon: it may stay in lists until they are trimmed, and no page shows it. Notifications can
 * also be follows, which stay: they are looked at one by one.
 */
function keptPart(feeds: StoredFeeds, horizon: string): StoredFeeds {
  const kept = (list: StoredList): StoredList => ({
    ...list,
    ids: list.ids.filter((id) => id >= horizon),
    floor: list.floor > horizon ? list.floor : horizon,
  });
  return {
    ...feeds,
    inbox: kept(feeds.inbox),
    outbox: kept(feeds.outbox),
    merged: new Map(Array.from(feeds.merged, ([author, list]) => [author, kept(list)])),
  };
}

/**
 * The inbox together with the outboxes that pages merge into it. Missing is what the database has and a page that is
 * made of these lists would not show, be it for the register or a tombstone. Extra is what a page would show and the
 * database has not; and what is taken out of every page at present only by a mark that will be forgotten: that of a
 * deletion which fanout calls done.
 */
async function compareInbox(snapshot: Queryable, feeds: StoredFeeds): Promise<Difference[]> {
  const { reader, inbox, merged, register } = feeds;
  if (inbox.state !== 'ready') {
    return damageOf('inbox', inbox);
  }
  const floors = new Map(
    Array.from(merged, ([author, { state, floor }]) => [author, state === 'ready' ? floor : highestActivityId]),
  );
  const truth = await homeDownTo(snapshot, reader, inbox.floor, floors);
  const ids = new Set([...inbox.ids, ...Array.from(merged.values(), (list) => idsFrom(list, inbox.floor)).flat()]);
  const filter = filterOf(feeds, [...(register?.unfollowed ?? []), ...(register?.hidden ?? [])]);
  const missing = truth.filter(({ id, authorId }) => !ids.has(id) || filter(id, authorId));

  const expected = new Set(truth.map(({ id }) => id));
  const unexpected = [...ids].filter((id) => !expected.has(id));
  const inHome = await idsInHome(snapshot, reader, unexpected);
  const unexplained = unexpected.filter((id) => !inHome.has(id));
  const accounts = await accountFor(snapshot, reader, unexplained);
  const extra = unexplained.filter((id) => !isTakenOut(feeds, accounts.get(id)));
  return [
    ...differences('inbox', 'missing', missing),
    ...differences('inbox', 'extra', itemsOf(extra, accounts)),
    ...differences('inbox', 'misordered', itemsOf(misordered(inbox), new Map())),
  ];
}

async function compareOutbox(snapshot: Queryable, feeds: StoredFeeds): Promise<Difference[]> {
  const { reader: author, outbox, tombstones } = feeds;
  if (outbox.state !== 'ready') {
    return damageOf('outbox', outbox);
  }
  const truth = await outboxDownTo(snapshot, author, outbox.floor);
  const ids = new Set(outbox.ids);
  const missing = truth.filter(({ id }) => !ids.has(id) || tombstones?.has(tombstoneName(id, author)) === true);
  const expected = new Set(truth.map(({ id }) => id));
  const unexpected = [...ids].filter((id) => !expected.has(id));
  const accounts = await accountFor(snapshot, author, unexpected);
  const extra = unexpected.filter((id) => !isBeingDeleted(feeds, accounts.get(id)));
  return [
    ...differences('outbox', 'missing', missing),
    ...differences('outbox', 'extra', itemsOf(extra, accounts)),
    ...differences('outbox', 'misordered', itemsOf(misordered(outbox), new Map())),
  ];
}

/** Whom the reader follows does not matter here, mutes and blocks do. */
async function compareNotifications(snapshot: Queryable, feeds: StoredFeeds, horizon: string): Promise<Difference[]> {
  const { reader, notifications, register } = feeds;
  if (notifications.state !== 'ready') {
    return damageOf('notifications', notifications);
  }
  const truth = await notificationsDownTo(snapshot, reader, notifications.floor, horizon);
  const ids = new Set(notifications.ids);
  const filter = filterOf(feeds, register?.hidden ?? []);
  const missing = truth.filter(({ id, authorId }) => !ids.has(id) || filter(id, authorId));
  const expected = new Set(truth.map(({ id }) => id));
  const unexpected = [...ids].filter((id) => !expected.has(id));
  const accounts = await accountFor(snapshot, reader, unexpected);
  const extra = unexpected.filter((id) => {
    const account = accounts.get(id);
    return id >= horizon && !isHidden(feeds, account) && !isBeingDeleted(feeds, account);
  });
  return [
    ...differences('notifications', 'missing', missing),
    ...differences('notifications', 'extra', itemsOf(extra, accounts)),
    ...differences('notifications', 'misordered', itemsOf(misordered(notifications), new Map())),
  ];
}

/** Whether a page would leave out an activity of its lists: for its author, or because it is deleted. */
function filterOf(
  { reader, tombstones }: StoredFeeds,
  leftOut: readonly string[],
): (id: string, authorId: string) => boolean {
  const authors = new Set(leftOut);
  authors.delete(reader);
  return (id, authorId) => authors.has(authorId) || tombstones?.has(tombstoneName(id, authorId)) === true;
}

/** Whether what does not belong in a home feed is taken out of its pages, for as long as it is in the list. */
function isTakenOut(feeds: StoredFeeds, account: Account | undefined): boolean {
  if (account === undefined) {
    return false;
  }
  const { reader, register } = feeds;
  const { authorId } = account;
  const unfollowed = register?.unfollowed.includes(authorId) ?? account.unfollowed;
  return (authorId !== reader && unfollowed) || isHidden(feeds, account) || isBeingDeleted(feeds, account);
}

function isHidden({ reader, register }: StoredFeeds, account: Account | undefined): boolean {
  return (
    account !== undefined &&
    account.authorId !== reader &&
    (register?.hidden.includes(account.authorId) ?? account.hidden)
  );
}

function isBeingDeleted({ tombstones }: StoredFeeds, account: Account | undefined): boolean {
  return account?.beingDeleted === true && (tombstones?.has(tombstoneName(account.id, account.authorId)) ?? true);
}

/** Ids that are not below the one before them, or that are below the floor. */
export function misordered({ ids, floor }: StoredList): string[] {
  return ids.filter((id, i) => id >= (ids[i - 1] ?? highestActivityId) || id < floor);
}

function idsFrom({ state, ids }: StoredList, floor: string): string[] {
  return state === 'ready' ? ids.filter((id) => id >= floor) : [];
}

function damageOf(list: Difference['list'], { state }: StoredList): Difference[] {
  return state === 'damaged' ? [{ list, fault: 'damaged', id: '', authorId: undefined }] : [];
}

function itemsOf(ids: readonly string[], accounts: ReadonlyMap<string, Account>): Partial<TrueItem>[] {
  return ids.map((id) => ({ id, ...accounts.get(id) }));
}

function differences(list: Difference['list'], fault: Fault, items: readonly Partial<TrueItem>[]): Difference[] {
  return items.map(({ id = '', authorId }) => ({ list, fault, id, authorId }));
}

async function withStandings(
  snapshot: Queryable,
  reader: string,
  found: readonly Difference[],
): Promise<FoundDifference[]> {
  const authors = new Set(found.flatMap(({ authorId }) => authorId ?? []));
  const standings = await standingsOf(snapshot, reader, [...authors]);
  return found.map((difference) => ({ ...difference, standing: standings.get(difference.authorId ?? '') ?? '' }));
}
