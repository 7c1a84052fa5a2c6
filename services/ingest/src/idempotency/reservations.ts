import { createHash, randomBytes } from 'node:crypto';
import type { Cache } from '@tideline/shared/cache';
import { TidelineError } from '@tideline/shared/errors';
import type { Reply } from '@tideline/shared/http/api';
import { loadScript } from '@tideline/shared/redis-script';

/**
 * What is known of a write with an `Idempotency-Key` (I4), in Redis and nowhere else.
 *
 *   unknown ──reserve──► in flight, for as long as its lease ──finish──► finished: its reply is given again
 *      ▲                    │              ▲
 *      └──release(forget)───┤              └──reserve: the same seed and time, so the same ids──┐
 *                           └──release(keep), or the lease is over: its process died──► open ───┘
 */

const reserveWrite = loadScript('reserve-write', import.meta.url);
const finishWrite = loadScript('finish-write', import.meta.url);
const releaseWrite = loadScript('release-write', import.meta.url);

/** Longer than any write takes: waits for Kafka, for a correction and for fanout are 20 s together. */
const leaseMs = 30_000;
const keptS = 86_400;
const seedBytes = 16;
const tokenBytes = 12;

/** Whose key it is: two callers never meet under one key. */
export interface KeyOwner {
  /** The kind and the name of a caller. */
  callerKind: string;
  callerName: string;
  idempotencyKey: string;
}

/** A try that holds the key until it is finished or released. */
export interface Reservation {
  redisKey: string;
  token: string;
  /** Nothing was known of the key before. */
  isFirst: boolean;
  /** What ids of the write are made from, and Unix milliseconds at which it was first tried. */
  seed: Buffer;
  acceptedAt: number;
}

/**
 * Reserves the key, or gives the reply that it has already. Throws `idempotency_mismatch` where it belongs to a request
 * with another fingerprint, `conflict` while that request is in flight, and `unavailable` with nothing done.
 */
export async function reserve(cache: Cache, owner: KeyOwner, fingerprint: string): Promise<Reservation | Reply> {
  const redisKey = cache.keys.idempotencyKey(digestOf(owner));
  const seed = randomBytes(seedBytes);
  const token = randomBytes(tokenBytes).toString('base64url');
  const acceptedAt = Date.now();
  const answer = await cache.runOne(
    reserveWrite,
    [redisKey],
    [fingerprint, seed.toString('hex'), acceptedAt, token, leaseMs, keptS],
  );
  const [state, ...values] = (answer as Buffer[]).map(String);
  switch (state) {
    case 'first':
      return { redisKey, token, isFirst: true, seed, acceptedAt };
    case 'again': {
      const [firstSeed = '', firstAcceptedAt] = values;
      return {
        redisKey,
        token,
        isFirst: false,
        seed: Buffer.from(firstSeed, 'hex'),
        acceptedAt: Number(firstAcceptedAt),
      };
    }
    case 'finished':
      return JSON.parse(values[0] ?? '') as Reply;
    case 'mismatch':
      throw new TidelineError('idempotency_mismatch', 'This Idempotency-Key was used for another request.');
    default:
      throw new TidelineError('conflict', 'A request with this Idempotency-Key is in flight.', { retryable: true });
  }
}

/** Keeps the reply, for whoever asks again. Throws `unavailable`. */
export async function finish(cache: Cache, { redisKey, token }: Reservation, reply: Reply): Promise<void> {
  await cache.runOne(finishWrite, [redisKey], [token, JSON.stringify(reply)]);
}

/** Lets the next try begin at once; as a first one, or as a repetition of this. Throws `unavailable`. */
export async function release(cache: Cache, { redisKey, token }: Reservation, what: 'forget' | 'keep'): Promise<void> {
  await cache.runOne(releaseWrite, [redisKey], [token, what]);
}

function digestOf({ callerKind, callerName, idempotencyKey }: KeyOwner): string {
  return createHash('sha256')
    .update(JSON.stringify([callerKind, callerName, idempotencyKey]))
    .digest('hex');
}
