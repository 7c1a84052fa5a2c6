import { type Fact, ReferenceModel } from './reference-model.js';

/** What a page may show and what it must show, of the time from when it was asked for until it was there. */
export interface Bounds {
  /** What the model had in the feed at any moment of that time. */
  allowed: ReadonlySet<string>;
  /** What the model had in it all that time, and what was in the feed when the system was last at rest. */
  certain: ReadonlySet<string>;
}

const feeds = {
  home: {
    shown: (model: ReferenceModel, reader: string) => model.home(reader),
    withHidden: (model: ReferenceModel, reader: string) => model.homeWithHidden(reader),
  },
  notifications: {
    shown: (model: ReferenceModel, reader: string) => model.notifications(reader),
    withHidden: (model: ReferenceModel, reader: string) => model.notificationsWithHidden(reader),
  },
};
export type WatchedFeed = keyof typeof feeds;
const watchedFeeds = Object.entries(feeds) as [WatchedFeed, (typeof feeds)[WatchedFeed]][];

/**
 * The model of one history, and what follows from it for a system that is busy. Changes are made one after the other;
 * reads may go on meanwhile. A change holds from its acknowledgement on, and until then both states are right.
 */
export class FeedExpectations {
  readonly model = new ReferenceModel();
  readonly #readers: readonly string[];
  /** By reader, what was in each feed since the system was last at rest, hidden or not. */
  readonly #settled: Record<WatchedFeed, Map<string, Set<string>>> = { home: new Map(), notifications: new Map() };
  readonly #watches = new Set<{ feed: WatchedFeed; reader: string; allowed: Set<string>; certain: Set<string> }>();
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
    for (const [feed, { withHidden }] of watchedFeeds) {
      for (const reader of this.#readers) {
        this.#settled[feed].set(reader, new Set(withHidden(this.model, reader)));
      }
    }
  }

  /** Watches what happens while `read` reads a page of one of the reader's feeds. */
  async during<T>(feed: WatchedFeed, reader: string, read: () => Promise<T>): Promise<Bounds & { result: T }> {
    const shown = feeds[feed].shown(this.model, reader);
    const settled = this.#settled[feed].get(reader);
    const watch = { feed, reader, allowed: new Set(shown), certain: new Set(shown.filter((id) => settled?.has(id))) };
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
    for (const [feed, { withHidden }] of watchedFeeds) {
      for (const [reader, settled] of this.#settled[feed]) {
        keepOnly(settled, withHidden(this.model, reader));
      }
    }
    for (const { feed, reader, allowed, certain } of this.#watches) {
      const shown = feeds[feed].shown(this.model, reader);
      for (const id of shown) {
        allowed.add(id);
      }
      keepOnly(certain, shown);
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
