/** Whom a user decided about: who and whom. */
type Pair = readonly [from: string, to: string];

/** An activity as a test wrote it. */
export interface Written {
  id: string;
  actorId: string;
  objectId: string;
  /** Absent: everybody. */
  to?: readonly string[];
}

/** A set of pairs of users. */
class Pairs {
  readonly #pairs = new Set<string>();

  add(...[from, to]: Pair): void {
    this.#pairs.add(`${from} ${to}`);
  }

  delete(...[from, to]: Pair): void {
    this.#pairs.delete(`${from} ${to}`);
  }

  has(...[from, to]: Pair): boolean {
    return this.#pairs.has(`${from} ${to}`);
  }
}

/**
 * What users see by the words of the design (I9), and nothing else: home = (followed authors and me), of what is public
 * or for me or by me, without whom I muted, without whom I blocked or who blocked me, without what was deleted.
 */
export class SmallWorld {
  readonly follows = new Pairs();
  readonly mutes = new Pairs();
  readonly blocks = new Pairs();
  readonly deleted = new Set<string>();
  readonly written: Written[] = [];

  /** By id. */
  sees(viewer: string, { id, actorId, to }: Written): boolean {
    const inAudience = to === undefined || actorId === viewer || to.includes(viewer);
    return inAudience && !this.#hides(viewer, actorId) && !this.deleted.has(id);
  }

  home(viewer: string): Written[] {
    return this.#newestFirst(({ actorId }) => actorId === viewer || this.follows.has(viewer, actorId), viewer);
  }

  friends(viewer: string): Written[] {
    return this.#newestFirst(({ actorId }) => this.follows.has(viewer, actorId), viewer);
  }

  profile(author: string, viewer: string): Written[] {
    return this.#newestFirst(({ actorId, to }) => actorId === author && to === undefined, viewer);
  }

  #hides(viewer: string, author: string): boolean {
    return this.mutes.has(viewer, author) || this.blocks.has(viewer, author) || this.blocks.has(author, viewer);
  }

  #newestFirst(belongs: (written: Written) => boolean, viewer: string): Written[] {
    return this.written
      .filter((written) => belongs(written) && this.sees(viewer, written))
      .sort((a, b) => (a.id < b.id ? 1 : -1));
  }
}
