import { type Fact, ReferenceModel } from './reference-model.js';

/** What a page may show and what it must show, of the time from when it was asked for until it was there. */
export interface Bounds {
  /** What the model had in the feed at any moment of that time. */
  allowed: ReadonlySet<string>;
  /** What the model had in it all that time, and what was in the feed when the system was last at rest. */
  certain: ReadonlySet<string>;
}

/**
 * The model of one history, and what follows from it for a system that is busy. Changes are made one after the other;
 * reads may go on meanwhile. A change holds from its acknowledgement on, and until then both states are right.
 */
export class FeedExpectations {
  readonly model = new ReferenceModel();
  readonly #readers: readonly string[];
  /** By reader, what followed authors did and was in the feed since the system was last at rest, hidden or not. */
  readonly #settled = new Map<string, Set<string>>();
  readonly #watches = new Set<{ reader: string; allowed: Set<string>; certain: Set<string> }>();
  #inFlight: Promise<unknown> = Promise.resolve();

  constructor(readers: readonly string[]) {
    this.#readers = readers;
  }

  /** Makes a change, which resolves to the facts that are acknowledged by then. */
  async change(work: () => Promise<readonly Fact[]>): Promise<void> {
    const change = work().then((facts) => {
      for (const fact of facts) {
        this.model.acknowledge(fact);
      }
      this.#takeIn();
    });
    // Who watches waits for it; what it throws is thrown to who made it.
    this.#inFlight = change.catch(() => undefined);
    await change;
  }

  /** The system is at rest: all that the model has is in the feeds from now on. */
  atRest(): void {
    for (const reader of this.#readers) {
      this.#settled.set(reader, new Set(this.model.homeWithHidden(reader)));
    }
  }

  /** Watches what happens while `read` reads a page of the reader's home feed. */
  async during<T>(reader: string, read: () => Promise<T>): Promise<Bounds & { result: T }> {
    const home = this.model.home(reader);
    const settled = this.#settled.get(reader);
    const watch = { reader, allowed: new Set(home), certain: new Set(home.filter((id) => settled?.has(id))) };
    this.#watches.add(watch);
    try {
      const result = await read();
      await this.#inFlight;
      return { result, allowed: watch.allowed, certain: watch.certain };
    } finally {
      this.#watches.delete(watch);
    }
  }

  #takeIn(): void {
    for (const [reader, settled] of this.#settled) {
      keepOnly(settled, this.model.homeWithHidden(reader));
    }
    for (const { reader, allowed, certain } of this.#watches) {
      const home = this.model.home(reader);
      for (const id of home) {
        allowed.add(id);
      }
      keepOnly(certain, home);
    }
  }
}

function keepOnly(set: Set<string>, others: readonly string[]): void {
  const kept = new Set(others);
  for (const each of set) {
    if (!kept.has(each)) {
      set.delete(each);
    }
  }
}
