/**
 * What every feed must be, from nothing but the facts that were acknowledged, in the order in which they were. It knows
 * no Redis, no Kafka, no floors and no thresholds; who may see what is the rule I9 of the design and nothing else.
 */

export type Fact =
  | { kind: 'publish'; post: Post }
  | { kind: 'delete'; caller: string; id: string }
  | { kind: Change; user: string; other: string };

/** What a user says about another one. */
export type Change = keyof typeof changes;

export interface Post {
  id: string;
  actor: string;
  /** undefined: everybody. */
  to: readonly string[] | undefined;
}

type Relation = 'follow' | 'mute' | 'block';

const changes = {
  follow: { relation: 'follow', holds: true },
  unfollow: { relation: 'follow', holds: false },
  mute: { relation: 'mute', holds: true },
  unmute: { relation: 'mute', holds: false },
  block: { relation: 'block', holds: true },
  unblock: { relation: 'block', holds: false },
} as const satisfies Record<string, { relation: Relation; holds: boolean }>;

export class ReferenceModel {
  readonly #posts = new Map<string, Post>();
  readonly #relations: Record<Relation, Set<string>> = { follow: new Set(), mute: new Set(), block: new Set() };
  /** Who deleted what: it counts where it is their own, whether it came before or after. */
  readonly #deletes = new Set<string>();
  readonly #followerCountMax = new Map<string, number>();

  acknowledge(fact: Fact): void {
    switch (fact.kind) {
      case 'publish':
        // Publishing again changes nothing.
        if (!this.#posts.has(fact.post.id)) {
          this.#posts.set(fact.post.id, fact.post);
        }
        break;
      case 'delete':
        this.#deletes.add(pair(fact.caller, fact.id));
        break;
      default:
        this.#relate(changes[fact.kind], fact.user, fact.other);
    }
  }

  /** Ids of a reader's home feed, newest first. */
  home(reader: string): string[] {
    return this.#idsWhere((post) => this.#isFollowed(post, reader) && !this.#isHidden(post.actor, reader));
  }

  /** The same with what mutes and blocks hide at present. */
  homeWithHidden(reader: string): string[] {
    return this.#idsWhere((post) => this.#isFollowed(post, reader));
  }

  /** Ids of what an author did in public, as the reader may see it, newest first. */
  profile(author: string, reader: string): string[] {
    return this.#idsWhere(
      (post) => post.actor === author && post.to === undefined && !this.#isHidden(post.actor, reader),
    );
  }

  has(relation: Relation, user: string, other: string): boolean {
    return this.#relations[relation].has(pair(user, other));
  }

  /** The most followers that the user ever had. */
  followerCountMax(user: string): number {
    return this.#followerCountMax.get(user) ?? 0;
  }

  #relate({ relation, holds }: { relation: Relation; holds: boolean }, user: string, other: string): void {
    const pairs = this.#relations[relation];
    if (!holds) {
      pairs.delete(pair(user, other));
      return;
    }
    pairs.add(pair(user, other));
    if (relation === 'follow') {
      const count = [...pairs].filter((each) => each.endsWith(` ${other}`)).length;
      this.#followerCountMax.set(other, Math.max(count, this.followerCountMax(other)));
    }
  }

  #idsWhere(shows: (post: Post) => boolean): string[] {
    return [...this.#posts.values()]
      .filter((post) => !this.#deletes.has(pair(post.actor, post.id)) && shows(post))
      .map(({ id }) => id)
      .sort((a, b) => (a < b ? 1 : -1));
  }

  #isFollowed({ actor, to }: Post, reader: string): boolean {
    return actor === reader || (this.has('follow', reader, actor) && (to === undefined || to.includes(reader)));
  }

  #isHidden(author: string, reader: string): boolean {
    return this.has('mute', reader, author) || this.has('block', reader, author) || this.has('block', author, reader);
  }
}

/** Neither user ids nor activity ids have spaces. */
function pair(a: string, b: string): string {
  return `${a} ${b}`;
}
