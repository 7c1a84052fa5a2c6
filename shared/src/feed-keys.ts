import { type ListKind, type ListName, listKinds } from './feed-lists.js';

/**
 * Names of everything in Redis. Keys of one user share a hash tag, and users spread over 256 buckets, so that one
 * script call serves many users of a bucket and the same code runs on Redis Cluster. `namespace` keeps installations
 * on one server apart; `epoch` is the cache epoch (I6): raising it makes all that was cached before invisible.
 */
export const bucketCount = 256;
const bucketDigits = 3;

const listNames: Record<ListKind, string> = { inbox: 'in', outbox: 'out', notifications: 'note' };

/** The bucket of a user: FNV-1a over its id, which is ASCII. */
export function bucketOf(userId: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < userId.length; i += 1) {
    hash = Math.imul(hash ^ userId.charCodeAt(i), 0x01000193);
  }
  // The low bits of FNV mix worst, so the high ones are folded in.
  return ((hash >>> 24) ^ (hash >>> 16) ^ (hash >>> 8) ^ hash) & (bucketCount - 1);
}

/** Which servers' life the cache belongs to: made once after a start or a flush of Redis. */
export function incarnationKey(namespace: string): string {
  return `${namespace}:{b000}:incarnation`;
}

/** The cache epoch that a bucket is in; every script compares it first. */
export function bucketEpochKey(namespace: string, bucket: number): string {
  return `${namespace}:${tag(bucket)}:epoch`;
}

/** Where it is told which live log has a new entry: that of a bucket, by its number, `pulled`, or perhaps any of them. */
export function liveChannel(namespace: string): string {
  return `${namespace}:live`;
}

export const everyLog = 'every';

export class FeedKeys {
  readonly epoch: string;
  readonly #namespace: string;
  /** `namespace:{b017}:epoch:` of every bucket. */
  readonly #prefixes: readonly string[];

  constructor(namespace: string, epoch: string) {
    this.#namespace = namespace;
    this.epoch = epoch;
    this.#prefixes = Array.from({ length: bucketCount }, (_, bucket) => `${namespace}:${tag(bucket)}:${epoch}:`);
  }

  bucketEpoch(bucket: number): string {
    return bucketEpochKey(this.#namespace, bucket);
  }

  /** Hash of partition to fence epoch (I2). */
  fences(bucket: number): string {
    return `${this.#prefix(bucket)}fence`;
  }

  /** A list with a floor. */
  list(kind: ListKind, userId: string, bucket = bucketOf(userId)): string {
    return `${this.#prefix(bucket)}${listNames[kind]}:${userId}`;
  }

  /** What a reader's pages are checked against (I8). */
  register(userId: string, bucket = bucketOf(userId)): string {
    return `${this.#prefix(bucket)}reg:${userId}`;
  }

  /** A token that stands for as long as nothing of what a user did or follows changed. */
  pullToken(userId: string, bucket = bucketOf(userId)): string {
    return `${this.#prefix(bucket)}pulled:${userId}`;
  }

  /** Stream of what happened to the watched users of a bucket (`live-records.ts`). */
  live(bucket: number): string {
    return `${this.#prefix(bucket)}live`;
  }

  /** Sorted set of users whose changes are recorded there, by the second until which they are. */
  watched(bucket: number): string {
    return `${this.#prefix(bucket)}watched`;
  }

  /** Stream of what authors did whom readers merge; one for all, in the first bucket. */
  livePulled(): string {
    return `${this.#prefix(0)}live-pulled`;
  }

  /** Sorted set of what that stream has, so that nothing is in it twice. */
  livePulledIds(): string {
    return `${this.#prefix(0)}live-pulled-ids`;
  }

  /** Under no epoch: who listens goes on listening when it changes. */
  get liveChannel(): string {
    return liveChannel(this.#namespace);
  }

  /** Recent tombstones of everybody; one list, in the first bucket. */
  tombstones(): string {
    return `${this.#prefix(0)}tomb`;
  }

  /** An activity's body. Not in a bucket: bodies are read many at a time, whoever wrote them. */
  body(activityId: string): string {
    return `${this.#namespace}:${this.epoch}:body:${activityId}`;
  }

  /** A user's current name and avatar. */
  user(userId: string): string {
    return `${this.#namespace}:${this.epoch}:user:${userId}`;
  }

  /** What an object is at present. */
  object(type: string, id: string): string {
    return `${this.#namespace}:${this.epoch}:object:${objectName(type, id)}`;
  }

  /** The type of the object that is meant where only an id is given. */
  objectType(id: string): string {
    return `${this.#namespace}:${this.epoch}:object-id:${id}`;
  }

  /** How an activity was delivered. Under no epoch: it is not a copy of anything, so nothing can make it stale. */
  fanoutResult(activityId: string): string {
    return `${this.#namespace}:fanout:${activityId}`;
  }

  /** What was answered to a write with an `Idempotency-Key`. Under no epoch: it is all that is known of it. */
  idempotencyKey(digest: string): string {
    return `${this.#namespace}:idem:${digest}`;
  }

  /** Which list of this epoch, or a body, a key holds; undefined for all others. */
  meaningOf(key: string): ListName | { kind: 'body' } | undefined {
    if (key.startsWith(this.body(''))) {
      return { kind: 'body' };
    }
    const bucket = Number(key.slice(this.#namespace.length + ':{b'.length).slice(0, bucketDigits));
    const prefix = this.#prefixes[bucket] ?? '';
    const [name, ...userId] = key.slice(prefix.length).split(':');
    const kind = listKinds.find((each) => listNames[each] === name);
    return kind !== undefined && key.startsWith(prefix) ? { kind, userId: userId.join(':') } : undefined;
  }

  #prefix(bucket: number): string {
    const prefix = this.#prefixes[bucket];
    if (prefix === undefined) {
      throw new RangeError(`no bucket ${bucket}`);
    }
    return prefix;
  }
}

/** One name for a type and an id, either of which may hold any character: no two objects share it. */
export function objectName(type: string, id: string): string {
  return `${type.replace(/[%:]/g, encodeURIComponent)}:${id}`;
}

function tag(bucket: number): string {
  return `{b${String(bucket).padStart(bucketDigits, '0')}}`;
}
