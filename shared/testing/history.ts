import { setTimeout as delay } from 'node:timers/promises';
import type { Platform } from './platform.js';

/** What a test posted and who follows whom: enough to say what every home feed must be, without asking the system. */
export interface Post {
  id: string;
  actorId: string;
}

/** Numbers in [0, 1) from a seed: the same history every time (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A follow graph of which the test knows every edge. */
export class FollowGraph {
  readonly #followees = new Map<string, Set<string>>();

  add(followerId: string, followeeId: string): void {
    const followees = this.#followees.get(followerId) ?? new Set();
    followees.add(followeeId);
    this.#followees.set(followerId, followees);
  }

  get edges(): { followerId: string; followeeId: string }[] {
    return [...this.#followees].flatMap(([followerId, followees]) =>
      [...followees].map((followeeId) => ({ followerId, followeeId })),
    );
  }

  /** The ids of a reader's home feed, newest first: own posts and those of followees. */
  homeOf(reader: string, posts: readonly Post[]): string[] {
    const followees = this.#followees.get(reader);
    return posts
      .filter(({ actorId }) => actorId === reader || followees?.has(actorId) === true)
      .map(({ id }) => id)
      .sort((a, b) => (a < b ? 1 : -1));
  }
}

export interface PostingOptions {
  actors: readonly string[];
  count: number;
  random: () => number;
  /** Posts are spread over so many milliseconds, so that fewer make equal timestamps. */
  spreadMs: number;
  /** The newest timestamp. */
  until: number;
  /** Names these posts apart from others of the test. */
  name: string;
  /** How many requests run at a time. */
  concurrency?: number;
}

/**
 * Posts activities one request each, several at a time, some repeated with the same foreign id and all until they are
 * acknowledged. Returns them as the platform named them.
 */
export async function postActivities(platform: Platform, options: PostingOptions): Promise<Post[]> {
  const { actors, count, random, spreadMs, until, name, concurrency = 16 } = options;
  const plans = Array.from({ length: count }, (_, i) => ({
    actorId: actors[Math.floor(random() * actors.length)] ?? '',
    timestamp: until - Math.floor(random() * spreadMs),
    foreignId: `${name}-${i}`,
    times: random() < 0.1 ? 2 : 1,
  }));
  const posts: Post[] = [];
  const worker = async () => {
    for (let plan = plans.pop(); plan !== undefined; plan = plans.pop()) {
      const { actorId, timestamp, foreignId, times } = plan;
      const body = { actorId, verb: 'post', objectType: 'note', objectId: foreignId, timestamp, foreignId };
      let id = '';
      for (let time = 0; time < times; time += 1) {
        id = await postUntilAcknowledged(platform, body);
      }
      posts.push({ id, actorId });
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return posts;
}

async function postUntilAcknowledged(platform: Platform, body: object): Promise<string> {
  for (;;) {
    const answer = await platform.ingest.request<{ id: string }>('POST', '/v1/activities', { body });
    if (answer.status === 202) {
      return answer.body.id;
    }
    if (answer.status !== 503) {
      throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
    }
    await delay(Number(answer.headers.get('retry-after')) * 1000);
  }
}
