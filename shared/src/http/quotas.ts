import { isIPv6 } from 'node:net';
import type { Redis } from 'ioredis';
import { LRUCache } from 'lru-cache';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { QuotaConfig } from '../door-settings.js';
import { TidelineError } from '../errors.js';
import { redisConnection } from '../redis-connection.js';
import type { Principal } from './principal.js';

/**
 * How often a caller may call, counted in Redis over all processes of all services, in windows of a second. While Redis
 * is away every process counts for itself.
 */

const windowS = 1;
/** Waiting for Redis must not take longer than what is protected by it. */
const commandTimeoutMs = 250;
const connectTimeoutMs = 1_000;
const exhaustedMax = 10_000;

export interface QuotasOptions {
  redisUrl: string;
  namespace: string;
  limits: QuotaConfig;
}

export class Quotas {
  readonly #redis: Redis;
  readonly #users: Quota | undefined;
  readonly #services: Quota | undefined;
  readonly #addresses: Quota | undefined;

  constructor({ redisUrl, namespace, limits }: QuotasOptions) {
    this.#redis = redisConnection(redisUrl, { connectTimeoutMs, commandTimeoutMs });
    // The cache's connection to the same server says in the log that it is away.
    this.#redis.on('error', () => undefined);
    const quotaOf = (kind: string, perSecond: number) =>
      perSecond === 0 ? undefined : new Quota(this.#redis, `${namespace}:rate:${kind}`, perSecond);
    this.#users = quotaOf('user', limits.perUser);
    this.#services = quotaOf('service', limits.perService);
    this.#addresses = quotaOf('address', limits.perAddress);
  }

  /** Starts connecting, where anything is to be counted. */
  start(): void {
    if ([this.#users, this.#services, this.#addresses].some((quota) => quota !== undefined)) {
      this.#redis.connect().catch(() => undefined);
    }
  }

  close(): void {
    this.#redis.disconnect();
  }

  /** Counts a request of somebody known. Throws `over_quota`. Without a quota it costs nothing. */
  async countCaller(principal: Principal): Promise<void> {
    await (principal.kind === 'user' ? this.#users?.take(principal.userId) : this.#services?.take(principal.name));
  }

  /** Counts a request without a valid credential. Throws `over_quota`. */
  async countStranger(address: string): Promise<void> {
    await this.#addresses?.take(networkOf(address));
  }

  /** True where this process knows, without asking, that strangers at this address have used up their quota. */
  isExhausted(address: string): boolean {
    return this.#addresses?.isExhausted(networkOf(address)) ?? false;
  }
}

class Quota {
  readonly #limiter: RateLimiterRedis;
  /** Until when, by name: who is over a quota costs no call to Redis. */
  readonly #exhausted = new LRUCache<string, number>({ max: exhaustedMax });

  constructor(redis: Redis, keyPrefix: string, points: number) {
    const limit = { keyPrefix, points, duration: windowS };
    this.#limiter = new RateLimiterRedis({
      ...limit,
      storeClient: redis,
      rejectIfRedisNotReady: true,
      insuranceLimiter: new RateLimiterMemory(limit),
    });
  }

  isExhausted(name: string): boolean {
    return (this.#exhausted.get(name) ?? 0) > performance.now();
  }

  async take(name: string): Promise<void> {
    if (this.isExhausted(name)) {
      throw overQuota();
    }
    const { isOver, state } = await this.#consume(name);
    if (state.remainingPoints === 0) {
      this.#exhausted.set(name, performance.now() + state.msBeforeNext);
    }
    if (isOver) {
      throw overQuota();
    }
  }

  async #consume(name: string): Promise<{ isOver: boolean; state: RateLimiterRes }> {
    try {
      return { isOver: false, state: await this.#limiter.consume(name) };
    } catch (refusal) {
      // A refusal is no Error, but the state of who is refused.
      if (refusal instanceof RateLimiterRes) {
        return { isOver: true, state: refusal };
      }
      throw refusal;
    }
  }
}

export function overQuota(): TidelineError {
  return new TidelineError('over_quota', 'Too many requests in this second.', {
    retryable: true,
    retryAfterS: windowS,
  });
}

const groupsOfAddress = 8;
const groupsOfNetwork = 4;

/** An IPv4 address as it is; of an IPv6 address the first 64 bits, because one machine has all of those at will. */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  if (!isIPv6(plain)) {
    return plain;
  }
  const [head = '', tail = ''] = plain.split('%')[0]?.split('::') ?? [];
  const before = head === '' ? [] : head.split(':');
  const after = tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: Math.max(groupsOfAddress - before.length - after.length, 0) }, () => '0');
  const groups = plain.includes('::') ? [...before, ...zeros, ...after] : before;
  return `${groups.slice(0, groupsOfNetwork).join(':')}::/64`;
}
