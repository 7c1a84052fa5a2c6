import type { Cache, ScriptCall } from '@tideline/shared/cache';
import { bucketOf } from '@tideline/shared/feed-keys';
import { loadScript } from '@tideline/shared/redis-script';
import {
  beginRegisterCall,
  decodeRegister,
  type MergedAuthor,
  type RegisterContent,
  registerHeadBytes,
  registerReady,
} from '@tideline/shared/registers';
import { LRUCache } from 'lru-cache';
import type { FeedApiMetrics } from '../metrics.js';
import { readRegister } from '../storage/register-source.js';
import type { SqlScope } from '../storage/sql-scope.js';

const finishScript = loadScript('finish-register', import.meta.url);
const readScript = loadScript('read-register', import.meta.url);

const registerTtlS = 14 * 86_400;
const registersMax = 50_000;

/** A reader's register, ready to check pages against. */
export interface Register {
  unfollowed: ReadonlySet<string>;
  hidden: ReadonlySet<string>;
  merged: readonly MergedAuthor[];
}

/**
 * Registers of readers: in this process by version, behind that in Redis, behind that in the database.
 *
 *   missing ──begin: a token──► loading ──finish, if the token stands──► ready(version = token)
 *   loading ──begin: the same token──► loading
 *   ready, loading ──a correction drops it──► missing
 */
export class RegisterStore {
  readonly #cache: Cache;
  readonly #metrics: FeedApiMetrics;
  readonly #known = new LRUCache<string, { head: Buffer; register: Register }>({ max: registersMax });

  constructor(cache: Cache, metrics: FeedApiMetrics) {
    this.#cache = cache;
    this.#metrics = metrics;
  }

  /** What this process knew last; only a guess until `confirm`. */
  guess(reader: string): Register | undefined {
    return this.#known.get(reader)?.register;
  }

  /** The call whose answer `confirm` takes. */
  headCall(reader: string): ScriptCall {
    const { keys } = this.#cache;
    const bucket = bucketOf(reader);
    return {
      script: readScript,
      keys: [keys.bucketEpoch(bucket), keys.register(reader, bucket)],
      args: [keys.epoch, registerHeadBytes],
    };
  }

  /**
   * The reader's register as it is at `head`, which was read from Redis in this very request, so that every correction
   * that was acknowledged before is in it.
   */
  async confirm(sql: SqlScope, reader: string, head: Buffer): Promise<Register> {
    const known = this.#known.get(reader);
    if (known !== undefined && head[0] === registerReady && known.head.equals(head)) {
      return known.register;
    }
    if (head[0] === registerReady) {
      const stored = await this.#read(reader);
      if (stored !== undefined) {
        return stored;
      }
    }
    return this.#load(sql, reader);
  }

  async #read(reader: string): Promise<Register | undefined> {
    const { keys } = this.#cache;
    const bucket = bucketOf(reader);
    const bytes = await this.#cache.runOne(
      readScript,
      [keys.bucketEpoch(bucket), keys.register(reader, bucket)],
      [keys.epoch, 0],
    );
    return this.#keep(reader, bytes as Buffer);
  }

  /** Undefined where Redis has none that is ready. */
  #keep(reader: string, bytes: Buffer): Register | undefined {
    const content = decodeRegister(bytes);
    if (content === undefined) {
      return undefined;
    }
    const register = compile(content);
    this.#known.set(reader, { head: bytes.subarray(0, registerHeadBytes), register });
    return register;
  }

  /** What the database says now holds for this request in any case; it is kept if no correction came meanwhile. */
  async #load(sql: SqlScope, reader: string): Promise<Register> {
    const { keys } = this.#cache;
    const bucket = bucketOf(reader);
    const [begun] = (await this.#cache.run([beginRegisterCall(this.#cache, reader)])) as [Buffer];
    const meanwhile = this.#keep(reader, begun);
    if (meanwhile !== undefined) {
      return meanwhile;
    }
    this.#metrics.registerLoaded();
    const token = begun.subarray(1, registerHeadBytes);
    const content = await readRegister(sql, reader);
    const register = compile(content);
    const stored = await this.#cache.runOne(
      finishScript,
      [keys.bucketEpoch(bucket), keys.register(reader, bucket)],
      [keys.epoch, token, registerTtlS, JSON.stringify(content)],
    );
    if (Number(stored) === 1) {
      this.#known.set(reader, { head: Buffer.concat([Buffer.of(registerReady), token]), register });
    }
    return register;
  }
}

function compile({ unfollowed, hidden, merged }: RegisterContent): Register {
  return { unfollowed: new Set(unfollowed), hidden: new Set(hidden), merged };
}
