/**
 * What every feed must be, from nothing but the facts that were acknowledged, in the order in which they were. It knows
 * no Redis, no Kafka, no floors and no thresholds; who may see what is the rule I9 of the design and nothing else.
 */

export type Fact =
  | { kind: 'publish'; post: Post }
  | { kind: 'delete'; caller: string; id: string }
  | { kind: Change; user: string; other: string }
  | { kind: 'mark'; user: string; as: Mark; marked: Marked };

export type Mark = 'seen' | 'read';

/** One notification and all older ones, or some. */
export type Marked = { upTo: string } | { ids: readonly string[] };

/** What a user says about another one. */
export type Change = keyof typeof changes;

export interface Post {
  id: string;
  actor: string;
  /** undefined: everybody. */
  to: readonly string[] | undefined;
  /** What it is about. Each object is written about by one verb. */
  objectId: string;
  /** Whose it is what the post is about; undefined: nobody's. */
  ownerId: string | undefined;
}

interface Marks {
  /** All up to this id are marked. */
  through: string;
  ids: Set<string>;
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
  readonly #marks: Record<Mark, Map<string, Marks>> = { seen: new Map(), read: new Map() };

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
      case 'mark':
        this.#mark(fact.user, fact.as, fact.marked);
        break;
      default:
        this.#relate(changes[fact.kind], fact.user, fact.other);
    }
  }

  /** Ids of a reader's home feed, newest first. */
  home(reader: string): string[] {
    return this.#idsWhere((post) => this.#isFollowed(post, reader) && !this.#isHidden(post.actor, reader));
  }

  post(id: string): Post | undefined {
    return this.#posts.get(id);
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

  /** What notifies a reader, in no order: ids of posts, and `followName` of followers. */
  notifications(reader: string): string[] {
    return this.#notificationsFrom(reader, (actor) => !this.#isHidden(actor, reader));
  }

  /** The same with what mutes and blocks hide at present. */
  notificationsWithHidden(reader: string): string[] {
    return this.#notificationsFrom(reader, () => true);
  }

  /** Whether a reader marked a notification, as of now. */
  marksOf(reader: string): (as: Mark, id: string) => boolean {
    const { seen, read } = { seen: this.#marks.seen.get(reader), read: this.#marks.read.get(reader) };
    const now = { seen: { ...seen, ids: new Set(seen?.ids) }, read: { ...read, ids: new Set(read?.ids) } };
    return (as, id) => id <= (now[as].through ?? '') || now[as].ids.has(id);
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

  #notificationsFrom(reader: string, isShown: (actor: string) => boolean): string[] {
    const posts = this.#idsWhere(
      ({ actor, to, ownerId }) =>
        actor !== reader && isShown(actor) && (to === undefined ? ownerId === reader : to.includes(reader)),
    );
    const followers = [...this.#relations.follow]
      .map((each) => each.split(' '))
      .flatMap(([follower = '', followee]) => (followee === reader && isShown(follower) ? follower : []));
    return [...posts, ...followers.map(followName)];
  }

  #mark(reader: string, as: Mark, marked: Marked): void {
    const marks = this.#marks[as].get(reader) ?? { through: '', ids: new Set() };
    this.#marks[as].set(reader, marks);
    if ('ids' in marked) {
      marks.ids = new Set([...marks.ids, ...marked.ids]);
    } else if (marked.upTo > marks.through) {
      marks.through = marked.upTo;
    }
    // What is read is seen, too.
    if (as === 'read') {
      this.#mark(reader, 'seen', marked);
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

/** What the notification of a follow is called, whose id nobody is told of. */
export function followName(follower: string): string {
  return `follow of ${follower}`;
}

/** Neither user ids nor activity ids have spaces. */
function pair(a: string, b: string): string {
  return `${a} ${b}`;
}
