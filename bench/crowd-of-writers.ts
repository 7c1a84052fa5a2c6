import { setTimeout as delay } from 'node:timers/promises';
import type { FeedItem } from '@tideline/shared/activity';
import type { PageBody } from '@tideline/testing/http-client';
import type { BenchSystem } from './bench-system.js';

const home = '/v1/feeds/home';
/** Of all that a writer does: the rest are reads of somebody's home feed. */
const shares = { post: 0.3, follow: 0.5, unfollow: 0.65, delete: 0.8 };
const retryDelayMs = 1_000;

interface Gone {
  /** `performance.now()` when its acknowledgement had arrived. */
  since: number;
}

/**
 * Users who post, follow, unfollow and delete all at once, each one thing after the other. Whatever was gone before a
 * read began must not be on the page: that is noted as a violation.
 */
export class CrowdOfWriters {
  readonly violations: string[] = [];
  readonly counts = { posts: 0, follows: 0, unfollows: 0, deletes: 0, reads: 0, repeated: 0 };
  readonly users: readonly string[];
  readonly #system: BenchSystem;
  readonly #random: () => number;
  readonly #deleted = new Map<string, Gone>();
  /** "reader author" whose unfollow is acknowledged and no follow was begun since. */
  readonly #unfollowed = new Map<string, Gone>();
  readonly #following: ReadonlyMap<string, Set<string>>;
  readonly #posted: ReadonlyMap<string, string[]>;

  constructor(system: BenchSystem, size: number, random: () => number) {
    this.#system = system;
    this.#random = random;
    this.users = Array.from({ length: size }, (_, i) => `writer-${i}`);
    this.#following = new Map(this.users.map((user) => [user, new Set()]));
    this.#posted = new Map(this.users.map((user) => [user, []]));
  }

  async run(seconds: number): Promise<void> {
    const end = performance.now() + seconds * 1_000;
    await Promise.all(
      this.users.map(async (user) => {
        while (performance.now() < end) {
          await this.#act(user);
        }
      }),
    );
  }

  async #act(user: string): Promise<void> {
    const chance = this.#random();
    if (chance < shares.post) {
      await this.#post(user);
    } else if (chance < shares.follow) {
      await this.#follow(user);
    } else if (chance < shares.unfollow) {
      await this.#unfollow(user);
    } else if (chance < shares.delete) {
      await this.#delete(user);
    } else {
      await this.#read(this.#anyOf(this.users) ?? user);
    }
  }

  async #post(user: string): Promise<void> {
    const { id } = await this.#write<{ id: string }>('POST', '/v1/activities', user, {
      verb: 'post',
      objectType: 'note',
      objectId: String(this.counts.posts),
    });
    this.counts.posts += 1;
    this.#posted.get(user)?.push(id);
  }

  async #follow(user: string): Promise<void> {
    // Few have most of the followers, so that some cross the threshold.
    const author = this.users[Math.floor(this.#random() ** 3 * this.users.length)];
    if (author === undefined || author === user) {
      return;
    }
    this.#unfollowed.delete(`${user} ${author}`);
    await this.#write('PUT', `/v1/follows/${author}`, user);
    this.#following.get(user)?.add(author);
    this.counts.follows += 1;
  }

  async #unfollow(user: string): Promise<void> {
    const following = this.#following.get(user);
    const author = this.#anyOf([...(following ?? [])]);
    if (author === undefined) {
      return;
    }
    await this.#write('DELETE', `/v1/follows/${author}`, user);
    following?.delete(author);
    this.#unfollowed.set(`${user} ${author}`, { since: performance.now() });
    this.counts.unfollows += 1;
    await this.#read(user);
  }

  async #delete(user: string): Promise<void> {
    const posted = this.#posted.get(user) ?? [];
    const [id] = posted.splice(Math.floor(this.#random() * posted.length), 1);
    if (id === undefined) {
      return;
    }
    await this.#write('DELETE', `/v1/activities/${id}`, user);
    this.#deleted.set(id, { since: performance.now() });
    this.counts.deletes += 1;
    await Promise.all([this.#read(user), this.#read(this.#anyOf(this.users) ?? user)]);
  }

  async #read(reader: string): Promise<void> {
    const begunAt = performance.now();
    const page = await this.#system.feedApi.succeed<PageBody>('GET', `${home}?limit=50`, { actAs: reader });
    this.counts.reads += 1;
    for (const item of page.items) {
      this.#check(reader, item, begunAt);
    }
  }

  #check(reader: string, { id, actorId }: FeedItem, begunAt: number): void {
    const deleted = this.#deleted.get(id);
    if (deleted !== undefined && deleted.since <= begunAt) {
      this.violations.push(`${reader} read ${id} of ${actorId}, deleted ${ms(begunAt - deleted.since)} before`);
    }
    const unfollowed = this.#unfollowed.get(`${reader} ${actorId}`);
    if (unfollowed !== undefined && unfollowed.since <= begunAt) {
      this.violations.push(`${reader} read ${id} of ${actorId}, unfollowed ${ms(begunAt - unfollowed.since)} before`);
    }
  }

  /** A 503 says that the outcome is unknown: the same again, until it is acknowledged. */
  async #write<Body>(method: string, path: string, actAs: string, body?: object): Promise<Body> {
    for (;;) {
      const answer = await this.#system.ingest.request<Body>(method, path, { actAs, ...(body && { body }) });
      if (answer.status < 300) {
        return answer.body;
      }
      if (answer.status !== 503) {
        throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
      }
      this.counts.repeated += 1;
      await delay(retryDelayMs);
    }
  }

  #anyOf<Item>(items: readonly Item[]): Item | undefined {
    return items[Math.floor(this.#random() * items.length)];
  }
}

function ms(duration: number): string {
  return `${duration.toFixed(1)} ms`;
}
