import type { Database } from '@tideline/shared/database';
import type { FollowState } from '@tideline/shared/projections';
import { LRUCache } from 'lru-cache';
import { type AuthorState, readAuthors } from '../storage/author-store.js';
import { readFollowers } from '../storage/follower-store.js';

/** What the owner of a partition knows about one of its authors. Pulled authors have no list here, only a count. */
export interface Author extends AuthorState {
  followers: Set<string> | undefined;
}

/**
 * Follower lists of the authors of one partition (I6). The partition's owner sees every change to them in order, so
 * a list that was read once stays right for as long as the fence does. Bounded by followers; least recently used
 * authors go first.
 */
export class AuthorCache {
  readonly #database: Database;
  readonly #authors: LRUCache<string, Author>;

  constructor(database: Database, followersMax: number) {
    this.#database = database;
    this.#authors = new LRUCache({
      maxSize: followersMax,
      sizeCalculation: ({ followers }) => (followers?.size ?? 0) + 1,
    });
  }

  clear(): void {
    this.#authors.clear();
  }

  forget(authorId: string): void {
    this.#authors.delete(authorId);
  }

  /**
   * Takes in what holds for follows that changed, after the commit. Counts come from the database, which counts in
   * the transaction. Returns the authors concerned, without loading lists for them.
   */
  async followsChanged(states: readonly FollowState[]): Promise<Map<string, AuthorState>> {
    const changed = await readAuthors(this.#database, [...new Set(states.map(({ followeeId }) => followeeId))]);
    for (const { followeeId, followerId, active } of states) {
      const followers = this.#authors.peek(followeeId)?.followers;
      if (active) {
        followers?.add(followerId);
      } else {
        followers?.delete(followerId);
      }
    }
    for (const [authorId, state] of changed) {
      const author = this.#authors.peek(authorId);
      if (author !== undefined) {
        // Set anew, because its size changed.
        this.#authors.set(authorId, { ...author, ...state });
      }
    }
    return changed;
  }

  /** Everything needed to deliver for these authors. Must be called after the commit of what is delivered. */
  async load(authorIds: ReadonlySet<string>): Promise<Map<string, Author>> {
    const loaded = new Map<string, Author>();
    const unknown: string[] = [];
    for (const authorId of authorIds) {
      const author = this.#authors.get(authorId);
      if (author === undefined) {
        unknown.push(authorId);
      } else {
        loaded.set(authorId, author);
      }
    }
    if (unknown.length > 0) {
      const states = await readAuthors(this.#database, unknown);
      const pushed = unknown.filter((authorId) => states.get(authorId)?.mode !== 'pull');
      const followers = await readFollowers(this.#database, pushed);
      for (const [authorId, state] of states) {
        const list = state.mode === 'pull' ? undefined : new Set(followers.get(authorId));
        const author = { ...state, followers: list };
        this.#authors.set(authorId, author);
        loaded.set(authorId, author);
      }
    }
    return loaded;
  }
}
