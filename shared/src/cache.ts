import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { CacheEpochStore } from './cache-epoch-store.js';
import { cacheRefused, fenced, type TidelineError, unavailable } from './errors.js';
import { bucketCount, bucketEpochKey, everyLog, FeedKeys, incarnationKey } from './feed-keys.js';
import type { Logger } from './logger.js';
import { redisConnection } from './redis-connection.js';
import { loadScript, type RedisScript } from './redis-script.js';

/**
 * The connection to Redis, and the cache epoch that everything in Redis lives under (I6).
 *
 *   closed ──connect──► opening ──epoch known, buckets set──► open ──connection lost, or a script was refused──► opening
 *
 * Only in `open` there are keys to name, so nothing can be read or written under an epoch that was not confirmed since
 * the last reconnect. The epoch comes from TimescaleDB: it rises when Redis is another process than last time (restart,
 * failover) or was flushed, both seen by an identity made of its run id and a random value that a flush removes.
 */

const commandTimeoutMs = 5_000;
const connectTimeoutMs = 3_000;
const openRetryDelayMs = 200;

const setBucketEpoch = loadScript('set-bucket-epoch', import.meta.url);

export type ScriptArgument = string | number | Buffer;

export interface ScriptCall {
  script: RedisScript;
  keys: string[];
  args: ScriptArgument[];
}

export interface CacheOptions {
  url: string;
  namespace: string;
  epochs: CacheEpochStore;
  logger: Logger;
}

export class Cache {
  readonly #redis: Redis;
  readonly #options: CacheOptions;
  #keys: FeedKeys | undefined;
  #opening: Promise<void> | undefined;
  #closed = false;

  constructor(options: CacheOptions) {
    this.#options = options;
    this.#redis = redisConnection(options.url, { connectTimeoutMs, commandTimeoutMs });
    this.#redis.on('ready', () => this.#reopen());
    this.#redis.on('close', () => {
      this.#keys = undefined;
    });
    this.#redis.on('error', (error: Error) => options.logger.warn({ err: error.message }, 'redis connection error'));
  }

  /** Starts connecting. Resolves at once when Redis is away: it goes on trying. */
  async start(): Promise<void> {
    await this.#redis.connect().catch(() => undefined);
    await this.#opening?.catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#opening?.catch(() => undefined);
    this.#redis.disconnect();
  }

  isOpen(): boolean {
    return this.#keys !== undefined;
  }

  /** The key names of the current epoch. Throws `unavailable` unless open. */
  get keys(): FeedKeys {
    if (this.#keys === undefined) {
      throw unavailable('Redis is not available');
    }
    return this.#keys;
  }

  /**
   * Runs scripts in one round trip and returns their answers in order. Throws the first refusal: `fenced`, or
   * `cache_refused` after having started to confirm the epoch again; the caller then repeats all that led to the call.
   */
  async run(calls: readonly ScriptCall[]): Promise<unknown[]> {
    if (calls.length === 0) {
      return [];
    }
    const answers = await this.#send(calls);
    if (answers.some(isNoScript)) {
      await this.#load(calls);
      return check(await this.#send(calls), () => this.#reopen());
    }
    return check(answers, () => this.#reopen());
  }

  async runOne(script: RedisScript, keys: string[], args: ScriptArgument[]): Promise<unknown> {
    const [answer] = await this.run([{ script, keys, args }]);
    return answer;
  }

  /**
   * Values of keys that belong together in no bucket; null where there is none. Throws as `run` does, so that whoever only
   * reads notices a new epoch, too: nobody changes what is under the one before.
   */
  async readMany(keys: readonly string[]): Promise<(string | null)[]> {
    if (keys.length === 0) {
      return [];
    }
    const { epoch } = this.keys;
    const epochKey = bucketEpochKey(this.#options.namespace, 0);
    const [confirmed, ...values] = await this.#guard(() => this.#redis.mget([epochKey, ...keys]));
    if (confirmed !== epoch) {
      this.#reopen();
      throw cacheRefused('the cache epoch has changed');
    }
    return values;
  }

  /** Stores values that live for `ttlS` seconds, in one round trip; over what is there, or only where nothing is. */
  async writeMany(
    entries: readonly { key: string; value: string }[],
    ttlS: number,
    over: 'anything' | 'nothing' = 'anything',
  ): Promise<void> {
    if (entries.length === 0) {
      return;
    }
    const pipeline = this.#redis.pipeline();
    for (const { key, value } of entries) {
      if (over === 'nothing') {
        pipeline.set(key, value, 'EX', ttlS, 'NX');
      } else {
        pipeline.set(key, value, 'EX', ttlS);
      }
    }
    for (const [error] of await this.#guard(async () => (await pipeline.exec()) ?? [])) {
      if (error) {
        throw unavailable('Redis refused a write', error);
      }
    }
  }

  /** Waits until a confirmation of the epoch that is under way ends. */
  async settled(): Promise<void> {
    await this.#opening?.catch(() => undefined);
  }

  /** Confirms the epoch, until that succeeds or the connection is gone (its `ready` then comes back here). */
  #reopen(): void {
    this.#keys = undefined;
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    this.#opening.catch(() => undefined);
  }

  async #open(): Promise<void> {
    while (!this.#closed && this.#redis.status === 'ready') {
      try {
        const identity = await this.#identity();
        const epoch = await this.#options.epochs.epochOf(identity);
        await this.#setBucketEpochs(epoch);
        const keys = new FeedKeys(this.#options.namespace, epoch);
        // A flush tells nobody. Who finds a new epoch does, so that no stream waits in the logs of the last one.
        await this.#redis.publish(keys.liveChannel, everyLog);
        this.#keys = keys;
        this.#options.logger.info({ epoch }, 'cache epoch confirmed');
        return;
      } catch (error) {
        this.#options.logger.warn({ err: errorMessage(error) }, 'the cache epoch cannot be confirmed yet');
        await new Promise((resolve) => setTimeout(resolve, openRetryDelayMs));
      }
    }
  }

  async #identity(): Promise<string> {
    const key = incarnationKey(this.#options.namespace);
    await this.#redis.set(key, randomBytes(16).toString('hex'), 'NX');
    const identity = await readCacheIdentity(this.#redis, this.#options.namespace);
    if (identity === undefined) {
      throw unavailable('Redis does not say which run it is');
    }
    return identity;
  }

  async #setBucketEpochs(epoch: string): Promise<void> {
    const buckets = Array.from({ length: bucketCount }, (_, bucket) => bucket);
    await this.#load([{ script: setBucketEpoch, keys: [], args: [] }]);
    const answers = await this.#send(
      buckets.map((bucket) => ({
        script: setBucketEpoch,
        keys: [bucketEpochKey(this.#options.namespace, bucket)],
        args: [epoch],
      })),
    );
    check(answers, () => undefined);
  }

  async #send(calls: readonly ScriptCall[]): Promise<unknown[]> {
    if (calls.length === 1 && calls[0] !== undefined) {
      const { script, keys, args } = calls[0];
      return [
        await this.#guard(() => this.#redis.callBuffer('EVALSHA', script.sha1, keys.length, ...keys, ...args), true),
      ];
    }
    const pipeline = this.#redis.pipeline();
    for (const { script, keys, args } of calls) {
      pipeline.callBuffer('EVALSHA', script.sha1, keys.length, ...keys, ...args);
    }
    const results = await this.#guard(async () => (await pipeline.exec()) ?? []);
    return results.map(([error, answer]) => error ?? answer);
  }

  async #load(calls: readonly ScriptCall[]): Promise<void> {
    const scripts = new Map(calls.map(({ script }) => [script.sha1, script]));
    for (const script of scripts.values()) {
      await this.#guard(() => this.#redis.script('LOAD', script.source));
    }
  }

  /** Turns what the driver throws into `unavailable`; an error that the server answered is returned where asked. */
  async #guard<T>(command: () => Promise<T>, returnReplyErrors = false): Promise<T> {
    try {
      return await command();
    } catch (error) {
      if (returnReplyErrors && error instanceof Error && error.name === 'ReplyError') {
        return error as T;
      }
      throw unavailable('Redis is not available', error);
    }
  }
}

/** Which life of which server this is; undefined where no service has used it since it started or was flushed. */
export async function readCacheIdentity(redis: Redis, namespace: string): Promise<string | undefined> {
  const [incarnation, info] = await Promise.all([redis.get(incarnationKey(namespace)), redis.info('server')]);
  const runId = /run_id:(\S+)/.exec(info)?.[1];
  return incarnation === null || runId === undefined ? undefined : `${runId}:${incarnation}`;
}

function isNoScript(answer: unknown): boolean {
  return answer instanceof Error && answer.message.startsWith('NOSCRIPT');
}

function check(answers: unknown[], onStaleEpoch: () => void): unknown[] {
  for (const answer of answers) {
    if (answer instanceof Error) {
      throw refusal(answer, onStaleEpoch);
    }
  }
  return answers;
}

function refusal(error: Error, onStaleEpoch: () => void): TidelineError {
  if (error.message.startsWith('STALEEPOCH')) {
    onStaleEpoch();
    return cacheRefused('the cache epoch has changed', error);
  }
  if (error.message.startsWith('NOFENCE')) {
    return cacheRefused('the fence is not in the cache', error);
  }
  if (error.message.startsWith('FENCED')) {
    return fenced('another consumer owns the partition');
  }
  return unavailable(`Redis could not run a script: ${error.message}`, error);
}

function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
