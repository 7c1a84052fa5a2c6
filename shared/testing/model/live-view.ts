import type { FeedItem } from '@tideline/shared/activity';
import type { FanoutResult } from '@tideline/shared/fanout-results';
import type { EventStreamClient } from '../event-stream-client.js';
import { waitUntil } from '../wait-until.js';
import type { HistoryContext } from './history-context.js';

const home = '/v1/feeds/home';
const pageSize = 50;
/** Events follow what they tell of; after a lost Redis they wait for the next try. */
const patienceMs = 30_000;

/**
 * What a client has on its screen that read a home feed once and then only listened: activities as they come, without
 * those that are deleted. Only where it is told to it reads again.
 */
export class LiveView {
  readonly #context: HistoryContext;
  readonly #reader: string;
  readonly #feedApi: number;
  readonly #stream: EventStreamClient;
  readonly #shown = new Set<string>();
  /** What was told since it last read. */
  readonly #told = new Set<string>();
  #taken = 0;
  #mustRead = true;

  constructor(context: HistoryContext, reader: string, feedApi: number) {
    this.#context = context;
    this.#reader = reader;
    this.#feedApi = feedApi;
    this.#stream = context.system.feedApi(feedApi).stream(`${home}/stream`, { actAs: reader });
  }

  /** From now on nothing may be missed. */
  async open(): Promise<void> {
    await this.#stream.whenOpened();
    await this.#takeIn();
  }

  /** Loses its connection; the client opens it again where it was. */
  cut(): void {
    this.#stream.cut();
  }

  /** To be called while the system is at rest: what is shown becomes what the model has. Throws what differs. */
  async expectAtRest(): Promise<void> {
    try {
      await waitUntil('the stream told everything', async () => (await this.#difference()) === undefined, patienceMs);
    } catch (error) {
      throw new Error(`stream of ${this.#reader}: ${(await this.#difference()) ?? (error as Error).message}`);
    }
  }

  async close(): Promise<void> {
    await this.#stream.close();
  }

  async #takeIn(): Promise<void> {
    const news = this.#stream.events.slice(this.#taken);
    this.#taken += news.length;
    for (const { event, data } of news) {
      switch (event) {
        case 'activity':
          if (this.#told.has(data.id)) {
            throw new Error(`${data.id} was told twice`);
          }
          this.#told.add(data.id);
          this.#shown.add(data.id);
          break;
        case 'delete':
          this.#shown.delete(data.id);
          break;
        case 'resync':
          this.#told.clear();
          this.#mustRead = true;
      }
    }
    if (this.#mustRead) {
      this.#mustRead = false;
      const items = await this.#context.system.feedApi(this.#feedApi).walk(home, this.#reader, pageSize);
      this.#shown.clear();
      for (const { id } of items) {
        this.#shown.add(id);
      }
    }
  }

  async #difference(): Promise<string | undefined> {
    await this.#takeIn();
    const expected = this.#context.expectations.model.home(this.#reader);
    const extra = [...this.#shown].filter((id) => !expected.includes(id));
    const absent = expected.filter((id) => !this.#shown.has(id));
    const missing: string[] = [];
    for (const id of absent) {
      if (await this.#wasNews(id)) {
        missing.push(id);
      }
    }
    return extra.length + missing.length === 0
      ? undefined
      : `missing: ${missing.join(' ') || 'none'}, extra: ${extra.join(' ') || 'none'}`;
  }

  /**
   * Whether the stream had to tell it. What came late, below the end of the inbox, is in the feed and no news; what a
   * pulled author did is in no inbox but the author's own.
   */
  async #wasNews(id: string): Promise<boolean> {
    const { system } = this.#context;
    if ((await system.storedInbox(this.#reader)).includes(id)) {
      return true;
    }
    const path = `/v1/activities/${id}`;
    const feedApi = system.feedApi(this.#feedApi);
    const [activity, fanout] = await Promise.all([
      feedApi.request<Partial<FeedItem>>('GET', path, { actAs: this.#reader }),
      feedApi.request<Partial<FanoutResult>>('GET', `${path}/fanout`, { actAs: this.#reader }),
    ]);
    return activity.body.actorId !== this.#reader && fanout.body.strategy === 'lazy';
  }
}
