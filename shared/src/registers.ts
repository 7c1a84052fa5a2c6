import { randomBytes } from 'node:crypto';
import { activityIdBytes, activityIdFromBytes, activityIdToBytes } from './activity-id.js';
import type { Cache, ScriptCall } from './cache.js';
import { bucketOf, type FeedKeys } from './feed-keys.js';
import type { ListKind } from './feed-lists.js';
import { recordLive } from './live-records.js';
import { loadScript } from './redis-script.js';

/**
 * What readers check their pages against (I8), as those who correct it see it.
 *
 * A user's register says whom it unfollowed and which authors it merges. It is a copy of what TimescaleDB says, never
 * edited: a correction is committed there and then drops the copy, so the next read loads it anew. That leaves nothing
 * to order or to merge in Redis (docs/decisions/0002-registers-are-dropped.md). Tombstones of all users are one list
 * that only grows until it expires.
 */

const dropKeys = loadScript('drop-keys', import.meta.url, recordLive);
const appendTombstonesScript = loadScript('append-tombstones', import.meta.url);
const getOrSet = loadScript('get-or-set', import.meta.url);

/** An author that a reader follows and whose outbox it merges (I7). */
export interface MergedAuthor {
  authorId: string;
  /** null: always. Else only while the inbox does not reach below this id, the author's highest when pushing resumed. */
  watermark: string | null;
}

/** What a reader's pages are checked against (I8), as the database has it. */
export interface RegisterContent {
  /** Authors the reader does not follow any more. */
  unfollowed: string[];
  /** Authors muted, or blocked either way. */
  hidden: string[];
  merged: MergedAuthor[];
}

/**
 * The authors whose outboxes a page merges into an inbox with this floor. Above its watermark an author is in the inbox
 * again; an inbox that ends above it needs no outbox any more.
 */
export function mergedDownTo(
  inboxFloor: string,
  merged: readonly MergedAuthor[],
  hidden: ReadonlySet<string>,
): string[] {
  return merged
    .filter(({ authorId, watermark }) => !hidden.has(authorId) && (watermark === null || watermark >= inboxFloor))
    .map(({ authorId }) => authorId);
}

export const registerTokenBytes = 16;
/** A register in Redis begins with its state and its version, the token of the loading. */
export const registerHeadBytes = 1 + registerTokenBytes;
export const registerReady = 'R'.charCodeAt(0);
const registerLoading = 'L'.charCodeAt(0);
/** An abandoned loading is forgotten then. */
const registerLoadingTtlS = 10;

const pullTokenBytes = 12;
const pullTokenTtlS = 60;

/** Calls that drop the registers of these users, one for each bucket. To be sent after the commit. */
export function dropRegisters(cache: Cache, userIds: Iterable<string>): ScriptCall[] {
  return dropByUser(cache, userIds, (userId, bucket) => cache.keys.register(userId, bucket));
}

/** Calls that drop the lists of one kind of these users: their next read answers from SQL and rebuilds. */
export function dropLists(cache: Cache, kind: ListKind, userIds: Iterable<string>): ScriptCall[] {
  return dropByUser(cache, userIds, (userId, bucket) => cache.keys.list(kind, userId, bucket));
}

/** The call that drops the recent tombstones of everybody: the next read loads them anew. */
export function dropTombstones({ keys }: Pick<Cache, 'keys'>): ScriptCall {
  return dropCall(keys, 0, [keys.tombstones()]);
}

/**
 * Calls that end the pull tokens of these users: what was kept of their pages is not to be shown any more. To be sent
 * after the commit of what they did, follow or are called.
 */
export function dropPullTokens(cache: Cache, userIds: Iterable<string>): ScriptCall[] {
  return dropByUser(cache, userIds, (userId, bucket) => cache.keys.pullToken(userId, bucket));
}

/**
 * The call that answers a token (bytes of text) which says "nothing of what this user did or follows changed since".
 * Whoever keeps a page asks for it before the page is read from TimescaleDB, and shows the page only while the same
 * token is still answered. Made anew where there is none, and at least every minute.
 */
export function pullTokenCall({ keys }: Pick<Cache, 'keys'>, userId: string): ScriptCall {
  const bucket = bucketOf(userId);
  return {
    script: getOrSet,
    keys: [keys.bucketEpoch(bucket), keys.pullToken(userId, bucket)],
    args: [keys.epoch, randomBytes(pullTokenBytes).toString('base64url'), pullTokenTtlS],
  };
}

/**
 * The call that begins to load a user's register, unless it is there or being loaded already: it answers what is there then.
 * Whoever joins a loading shares its token: that stands for as long as no correction came.
 */
export function beginRegisterCall({ keys }: Pick<Cache, 'keys'>, userId: string): ScriptCall {
  const bucket = bucketOf(userId);
  const loading = Buffer.concat([Buffer.of(registerLoading), randomBytes(registerTokenBytes)]);
  return {
    script: getOrSet,
    keys: [keys.bucketEpoch(bucket), keys.register(userId, bucket)],
    args: [keys.epoch, loading, registerLoadingTtlS],
  };
}

/** A register as Redis holds it; undefined where it is missing or being loaded. */
export function decodeRegister(bytes: Buffer): RegisterContent | undefined {
  return bytes[0] === registerReady
    ? (JSON.parse(bytes.toString('utf8', registerHeadBytes)) as RegisterContent)
    : undefined;
}

export interface TombstoneEntry {
  activityId: string;
  authorId: string;
}

/** A tombstone as a member of sets: neither ids have spaces. */
export function tombstoneName(activityId: string, authorId: string): string {
  return `${activityId} ${authorId}`;
}

/** The call that makes every reader see tombstones that TimescaleDB holds already. */
export function appendTombstones(cache: Cache, tombstones: readonly TombstoneEntry[]): ScriptCall {
  return {
    script: appendTombstonesScript,
    keys: [cache.keys.bucketEpoch(0), cache.keys.tombstones()],
    args: [cache.keys.epoch, ...tombstones.map(encodeTombstone)],
  };
}

export function encodeTombstone({ activityId, authorId }: TombstoneEntry): Buffer {
  return Buffer.concat([activityIdToBytes(activityId), Buffer.from(authorId)]);
}

export function decodeTombstone(bytes: Buffer): TombstoneEntry {
  return { activityId: activityIdFromBytes(bytes), authorId: bytes.toString('utf8', activityIdBytes) };
}

function dropByUser(
  cache: Cache,
  userIds: Iterable<string>,
  keyOf: (userId: string, bucket: number) => string,
): ScriptCall[] {
  const keys = new Map<number, string[]>();
  for (const userId of userIds) {
    const bucket = bucketOf(userId);
    const inBucket = keys.get(bucket);
    const key = keyOf(userId, bucket);
    if (inBucket === undefined) {
      keys.set(bucket, [key]);
    } else {
      inBucket.push(key);
    }
  }
  return Array.from(keys, ([bucket, inBucket]) => dropCall(cache.keys, bucket, inBucket));
}

function dropCall(keys: FeedKeys, bucket: number, dropped: readonly string[]): ScriptCall {
  return {
    script: dropKeys,
    keys: [keys.bucketEpoch(bucket), keys.watched(bucket), keys.live(bucket), ...dropped],
    args: [keys.epoch, keys.liveChannel],
  };
}
