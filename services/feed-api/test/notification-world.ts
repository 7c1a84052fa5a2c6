/** Who did something about whose note, for whom. */
interface WrittenDeed {
  id: string;
  actorId: string;
  ownerId: string;
  /** Absent: everybody. */
  to?: readonly string[];
}

type Relation = 'follows' | 'mutes' | 'blocks';
type Mark = 'seen' | 'read';

/** What notifies whom, and what is marked, in the words of the contract and nothing else. */
export class NotificationWorld {
  readonly written: WrittenDeed[] = [];
  readonly deleted = new Set<string>();
  readonly #relations: Record<Relation, Set<string>> = { follows: new Set(), mutes: new Set(), blocks: new Set() };
  readonly #through = new Map<string, string>();
  readonly #marked = new Set<string>();

  relate(what: Relation, holds: boolean, from: string, to: string): void {
    const pairs = this.#relations[what];
    if (holds) {
      pairs.add(`${from} ${to}`);
    } else {
      pairs.delete(`${from} ${to}`);
    }
  }

  pairs(what: Relation): [from: string, to: string][] {
    return [...this.#relations[what]].map((pair) => pair.split(' ') as [string, string]);
  }

  /** Ids of activities and, for follows, the followers. */
  notifications(reader: string): string[] {
    const deeds = this.written.filter(
      ({ id, actorId, ownerId, to }) =>
        actorId !== reader &&
        (to === undefined ? ownerId === reader : to.includes(reader)) &&
        !this.deleted.has(id) &&
        !this.#hides(reader, actorId),
    );
    const followers = this.pairs('follows').filter(([from, to]) => to === reader && !this.#hides(reader, from));
    return [...deeds.map(({ id }) => id), ...followers.map(([from]) => from)];
  }

  markThrough(reader: string, as: Mark, id: string): void {
    const before = this.#through.get(`${reader} ${as}`) ?? '';
    this.#through.set(`${reader} ${as}`, id > before ? id : before);
    if (as === 'read') {
      this.markThrough(reader, 'seen', id);
    }
  }

  mark(reader: string, as: Mark, ids: readonly string[]): void {
    for (const id of ids) {
      this.#marked.add(`${reader} ${as} ${id}`);
      this.#marked.add(`${reader} seen ${id}`);
    }
  }

  isMarked(reader: string, as: Mark, id: string): boolean {
    return id <= (this.#through.get(`${reader} ${as}`) ?? '') || this.#marked.has(`${reader} ${as} ${id}`);
  }

  #hides(reader: string, author: string): boolean {
    const has = (what: Relation, from: string, to: string) => this.#relations[what].has(`${from} ${to}`);
    return has('mutes', reader, author) || has('blocks', reader, author) || has('blocks', author, reader);
  }
}
