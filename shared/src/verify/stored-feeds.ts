import {
  activityIdBytes,
  activityIdFromBytes,
  activityIdToBytes,
  highestActivityId,
  lowestActivityId,
} from '../activity-id.js';
import type { Cache, ScriptCall } from '../cache.js';
import type { Database } from '../database.js';
import { bucketOf, type FeedKeys } from '../feed-keys.js';
import { listKinds } from '../feed-lists.js';
import { loadScript } from '../redis-script.js';
import {
  decodeRegister,
  decodeTombstone,
  type MergedAuthor,
  mergedDownTo,
  type RegisterContent,
  tombstoneName,
} from '../registers.js';

/** What Redis holds of feeds, all of it and as it is: nothing here is renewed, built or mended by being read. */

const readWhole = loadScript('read-whole', import.meta.url);

const sentinelBytes = 1 + activityIdBytes;

export interface StoredList {
  /** damaged: no service writes a list like that. */
  state: 'missing' | 'building' | 'ready' | 'damaged';
  /** In the order of the list. */
  ids: string[];
  floor: string;
}

/** What the pages of one reader, and of those who look at the reader, are made of. */
export interface StoredFeeds {
  reader: string;
  inbox: StoredList;
  outbox: StoredList;
  notifications: StoredList;
  /** undefined: missing or being loaded, so that the database is asked instead. */
  register: RegisterContent | undefined;
  /** The outboxes that a home page merges into the inbox, by author. */
  merged: ReadonlyMap<string, StoredList>;
  /** Recent deletions, as `tombstoneName` calls them; undefined where the database is asked instead. */
  tombstones: ReadonlySet<string> | undefined;
}

/** Of each reader, the register and the lists in the order of their kinds. */
const answersEach = 1 + listKinds.length;

const mergedAuthorsSql = `
  select f.follower_id as reader, a.author_id as "authorId", case when a.mode = 'push' then a.watermark end as watermark
  from follows f join authors a on a.author_id = f.followee_id
  where f.follower_id = any($1::text[]) and f.active and (a.mode <> 'push' or a.watermark is not null)`;

/** Throws `unavailable` or `cache_refused` where Redis cannot be read. */
export async function readStoredFeeds(
  database: Database,
  cache: Cache,
  readers: readonly string[],
): Promise<StoredFeeds[]> {
  // For those whose register is missing: a reader would load it from the database.
  const follows = await database.any<MergedAuthor & { reader: string }>(mergedAuthorsSql, [readers]);
  const { keys } = cache;
  const [tombstones = [], ...answers] = await runAll(cache, [
    wholeCall(keys, 0, keys.tombstones()),
    ...readers.flatMap((reader) => {
      const bucket = bucketOf(reader);
      const lists = listKinds.map((kind) => keys.list(kind, reader, bucket));
      return [keys.register(reader, bucket), ...lists].map((key) => wholeCall(keys, bucket, key));
    }),
  ]);
  const feeds = readers.map((reader, i) => {
    const [[register = Buffer.alloc(0)] = [], ...lists] = answers.slice(i * answersEach, (i + 1) * answersEach);
    const [inbox = missing, outbox = missing, notifications = missing] = lists.map(decodeStoredList);
    const known = decodeRegister(register);
    return {
      reader,
      inbox,
      outbox,
      notifications,
      register: known,
      mergedAuthors: known?.merged ?? follows.filter((follow) => follow.reader === reader),
      tombstones: decodeTombstones(tombstones),
    };
  });
  return withMergedOutboxes(cache, keys, feeds);
}

type WithoutOutboxes = Omit<StoredFeeds, 'merged'> & { mergedAuthors: readonly MergedAuthor[] };

async function withMergedOutboxes(
  cache: Cache,
  keys: FeedKeys,
  feeds: readonly WithoutOutboxes[],
): Promise<StoredFeeds[]> {
  const authors = [...new Set(feeds.flatMap(mergedInto))];
  const answers = await runAll(
    cache,
    authors.map((author) => wholeCall(keys, bucketOf(author), keys.list('outbox', author))),
  );
  const outboxes = new Map(authors.map((author, i) => [author, decodeStoredList(answers[i] ?? [])]));
  return feeds.map((feed) => ({
    ...feed,
    merged: new Map(mergedInto(feed).map((author) => [author, outboxes.get(author) ?? missing])),
  }));
}

function mergedInto({ inbox, register, mergedAuthors }: WithoutOutboxes): string[] {
  return inbox.state === 'ready' ? mergedDownTo(inbox.floor, mergedAuthors, new Set(register?.hidden)) : [];
}

const missing: StoredList = { state: 'missing', ids: [], floor: highestActivityId };

/** A list as its entries say, the sentinel last. */
export function decodeStoredList(entries: readonly Buffer[]): StoredList {
  const sentinel = entries.at(-1);
  if (sentinel === undefined) {
    return missing;
  }
  const state = stateOf(sentinel);
  const idEntries = entries.slice(0, -1);
  if (state === 'damaged' || idEntries.some(({ length }) => length !== activityIdBytes)) {
    return { ...missing, state: 'damaged' };
  }
  return { state, ids: idEntries.map((entry) => activityIdFromBytes(entry)), floor: activityIdFromBytes(sentinel, 1) };
}

function stateOf(sentinel: Buffer): StoredList['state'] {
  if (sentinel.length === sentinelBytes && sentinel.toString('latin1', 0, 1) === 'R') {
    return 'ready';
  }
  return sentinel.length > sentinelBytes && sentinel.toString('latin1', 0, 1) === 'B' ? 'building' : 'damaged';
}

/** The entries of a ready list, for tests and for whoever plants one. */
export function encodeReadyList(ids: readonly string[], floor = lowestActivityId): Buffer[] {
  return [...ids.map(activityIdToBytes), Buffer.concat([Buffer.from('R'), activityIdToBytes(floor)])];
}

function decodeTombstones([head, ...entries]: readonly Buffer[]): ReadonlySet<string> | undefined {
  return head?.toString('latin1', 0, 1) === 'R'
    ? new Set(entries.map(decodeTombstone).map(({ activityId, authorId }) => tombstoneName(activityId, authorId)))
    : undefined;
}

function wholeCall(keys: FeedKeys, bucket: number, key: string): ScriptCall {
  return { script: readWhole, keys: [keys.bucketEpoch(bucket), key], args: [keys.epoch] };
}

async function runAll(cache: Cache, calls: readonly ScriptCall[]): Promise<Buffer[][]> {
  return (await cache.run(calls)) as Buffer[][];
}
