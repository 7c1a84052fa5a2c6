import type { HttpClient, PageBody } from '../http-client.js';
import type { Strategy } from './commands.js';
import type { FeedExpectations } from './feed-expectations.js';

export interface WalkOptions {
  reader: string;
  strategy: Strategy;
}

/** What was wrong with a page, for people. */
export class WrongPage extends Error {}

/** A way down a home feed while the system is busy: every page is held against the model as it is read. */
export class Walk {
  readonly #options: WalkOptions;
  readonly #expectations: FeedExpectations;
  /** Whether strategy=push has all of the feed at this moment. */
  readonly #pushIsComplete: (reader: string) => boolean;
  #cursor: string | null | undefined;
  /** Below it the next page begins. */
  #below: string | undefined;
  #reading = Promise.resolve();

  constructor(options: WalkOptions, expectations: FeedExpectations, pushIsComplete: (reader: string) => boolean) {
    this.#options = options;
    this.#expectations = expectations;
    this.#pushIsComplete = pushIsComplete;
  }

  /** Reads up to so many pages, and fewer where the feed ends. Throws `WrongPage`. */
  read(feedApi: HttpClient, limit: number, pages: number): Promise<void> {
    const reading = this.#reading.then(async () => {
      for (let page = 0; page < pages && this.#cursor !== null; page += 1) {
        await this.#readPage(feedApi, limit);
      }
    });
    // Two reads of one walk follow each other, and the first that fails says so.
    this.#reading = reading.catch(() => undefined);
    return reading;
  }

  async #readPage(feedApi: HttpClient, limit: number): Promise<void> {
    const { reader, strategy } = this.#options;
    const query = new URLSearchParams({ strategy, limit: String(limit) });
    if (typeof this.#cursor === 'string') {
      query.set('cursor', this.#cursor);
    }
    const wasComplete = this.#pushIsComplete(reader);
    const { result, allowed, certain } = await this.#expectations.during('home', reader, () =>
      feedApi.succeed<PageBody>('GET', `/v1/feeds/home?${query}`, { actAs: reader }),
    );
    const ids = result.items.map(({ id }) => id);
    this.#expectOrder(ids);
    this.#expect(result.nextCursor === null || ids.length === limit, 'it is not full, and others follow', ids);
    const gone = ids.filter((id) => !allowed.has(id));
    this.#expect(gone.length === 0, `it shows what it must not: ${gone.join(' ')}`, ids);
    if (strategy !== 'push' || (wasComplete && this.#pushIsComplete(reader))) {
      const from = this.#below;
      const to = result.nextCursor === null ? undefined : ids.at(-1);
      const shown = new Set(ids);
      const missing = [...certain].filter(
        (id) => (from === undefined || id < from) && (to === undefined || id > to) && !shown.has(id),
      );
      this.#expect(missing.length === 0, `it lacks ${missing.sort().reverse().join(' ')}`, ids);
    }
    this.#below = ids.at(-1) ?? this.#below;
    this.#cursor = result.nextCursor;
  }

  #expectOrder(ids: readonly string[]): void {
    let above = this.#below;
    for (const id of ids) {
      this.#expect(above === undefined || id < above, `${id} is repeated or out of order`, ids);
      above = id;
    }
  }

  #expect(holds: boolean, otherwise: string, ids: readonly string[]): void {
    if (!holds) {
      const { reader, strategy } = this.#options;
      const below = this.#below === undefined ? '' : ` below ${this.#below}`;
      throw new WrongPage(`A page of ${reader}, ${strategy}${below}: ${otherwise}\n  the page: ${ids.join(' ')}`);
    }
  }
}
