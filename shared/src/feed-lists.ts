/**
 * The store of feeds (D5): lists with a floor, some kinds of them for every user.
 *
 *   missing ──begin: a token──► building ──finish, if the token stands──► ready
 *   building ──a removal, or an insertion that makes it start over──► missing
 *   any ──not read for long──► missing
 *
 * A list that is missing is unknown, never empty, and takes nothing. One that is being built takes what is inserted and
 * cannot be read. One that is ready has every id from its floor on, newest first, each once; when it is trimmed the floor
 * rises, and what is older than the floor is not taken.
 *
 * In Redis its two sides are in two services, as scripts: fanout's `InboxWriter`, feed-api's `ListReader`. In memory it is
 * `InMemoryFeedLists`. `services/fanout/test/inbox-scripts.test.ts` holds both to the same.
 */
export interface FeedLists extends FeedListWriter, FeedListReader {}

/** inbox: the user's home feed. outbox: what the user did in public. notifications: what concerns the user. */
export const listKinds = ['inbox', 'outbox', 'notifications'] as const;
export type ListKind = (typeof listKinds)[number];

/** A list, by its kind and whose it is. */
export interface ListName {
  kind: ListKind;
  userId: string;
}

/** Who writes: the owner of a partition of the log, by its fence (I2). */
export interface PartitionHold {
  partition: number;
  fence: string;
}

/** What happens to a list that is being built when it gets ids: it takes them, or its builder has to start over. */
export type WhileBuilding = 'accept' | 'start_over';

/** What those who watch a list are told of a removal: each id that went, or only to read the list again. */
export type RemovalNews = 'each_id' | 'read_again';

/** Some lists, each once, with ids as 16 bytes, oldest first and each once. */
export interface UpdatedLists {
  /** How many ids in all lists. */
  readonly size: number;
  lists(): Iterable<ListName & { ids: readonly Buffer[] }>;
}

/** Every write can be repeated. Throws `fenced`, or `cache_refused` where the fence has to be announced again. */
export interface FeedListWriter {
  /** More ids than this are in no list. */
  readonly listLengthMax: number;
  /** Tells who owns the partition. An older owner can write nothing from then on. */
  announceFence(hold: PartitionHold): Promise<void>;
  /** Puts ids into the lists that are not missing. Returns how many were new to their list. */
  insert(hold: PartitionHold, updates: UpdatedLists, whileBuilding: WhileBuilding): Promise<number>;
  /** Takes ids out; a list that is being built becomes missing. Floors stay. Returns how many entries went. */
  remove(hold: PartitionHold, updates: UpdatedLists, news: RemovalNews): Promise<number>;
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

export interface FeedListReader {
  /** The newest `count` ids below `before`. */
  read(list: ListName, before: string, count: number): Promise<ListSlice>;
  /** Begins to build a list, also one that is ready where `replaceReady`. Undefined where there is nothing to do. */
  begin(list: ListName, replaceReady: boolean): Promise<Buffer | undefined>;
  /**
   * Makes a list readable: what it was given since `begin` and `ids` from the database, newest first and complete down to
   * `floor`. False where the list was taken away meanwhile.
   */
  finish(list: ListName, token: Buffer, ids: readonly string[], floor: string): Promise<boolean>;
}

/** Trimming costs as much as a delivery, so a list grows by this much before it is cut back to its cap. */
export const listSlack = 32;
