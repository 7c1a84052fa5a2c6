import type { Cache } from './cache.js';

/**
 * What became of an activity (E3): written by fanout when it is delivered, kept for a day in Redis and nowhere else. Where
 * Redis is lost, so are the results of that day; the activities are not.
 */
export interface FanoutResult {
  /** lazy: the author was over the follower threshold, so that readers merge its outbox when they read. */
  strategy: 'fanout' | 'lazy';
  /** How many followed the author then. */
  followers: number;
  /**
   * Followers it was pushed to: all, none when lazy, and of a targeted activity those in `to` who follow. Addressed, that
   * is: readers who were away for long have no inbox, and find it when theirs is built.
   */
  delivered: number;
  /** Unix milliseconds at which ingest took it. */
  publishedAt: number;
  /** Unix milliseconds at which it was in every inbox that it was pushed to. */
  deliveredAt: number;
  latencyMs: number;
}

/** Seconds that a result is kept. */
export const fanoutResultTtlS = 86_400;

type StoredResult = [FanoutResult['strategy'], number, number, number, number];

/** Short, because there is one for each activity of a day. */
export function encodeFanoutResult(result: Omit<FanoutResult, 'latencyMs'>): string {
  const { strategy, followers, delivered, publishedAt, deliveredAt } = result;
  return JSON.stringify([strategy, followers, delivered, publishedAt, deliveredAt] satisfies StoredResult);
}

export function decodeFanoutResult(stored: string): FanoutResult {
  const [strategy, followers, delivered, publishedAt, deliveredAt] = JSON.parse(stored) as StoredResult;
  // The two times are of two machines' clocks.
  const latencyMs = Math.max(deliveredAt - publishedAt, 0);
  return { strategy, followers, delivered, publishedAt, deliveredAt, latencyMs };
}

/** Results by the ids of their activities, of those that have one yet. Throws `unavailable`. */
export async function readFanoutResult(
  cache: Pick<Cache, 'keys' | 'readMany'>,
  ids: readonly string[],
): Promise<Map<string, FanoutResult>> {
  const { keys } = cache;
  const stored = await cache.readMany(ids.map((id) => keys.fanoutResult(id)));
  return new Map(
    ids.flatMap((id, i) => {
      const text = stored[i];
      return typeof text === 'string' ? [[id, decodeFanoutResult(text)]] : [];
    }),
  );
}
