import { setTimeout as delay } from 'node:timers/promises';
import { EventStreamClient, type StreamedEvent } from '@tideline/testing/event-stream-client';
import type { HttpClient } from '@tideline/testing/http-client';

const home = '/v1/feeds/home';
const pageSize = 50;
const readAgainDelayMs = 500;

/** Reads one user's stream, and its home feed where a resync says so: what somebody who watches a feed would know. */
export class StreamReader {
  /** From the time that `postedAtMs` has, by the id of the activity. */
  latenciesMs: number[] = [];
  resyncs = 0;
  repeated = 0;
  readonly #feedApi: HttpClient;
  readonly #userId: string;
  readonly #postedAtMs: ReadonlyMap<string, number>;
  readonly #stream: EventStreamClient;
  readonly #streamed = new Set<string>();
  readonly #read = new Set<string>();
  #reading: Promise<void> = Promise.resolve();

  constructor(feedApi: HttpClient, userId: string, postedAtMs: ReadonlyMap<string, number>) {
    this.#feedApi = feedApi;
    this.#userId = userId;
    this.#postedAtMs = postedAtMs;
    this.#stream = new EventStreamClient({
      origin: feedApi.origin,
      path: `${home}/stream`,
      headers: { 'x-app-key': 'demo-producer', 'x-act-as': userId },
      onEvent: (event) => this.#take(event),
    });
  }

  get stream(): EventStreamClient {
    return this.#stream;
  }

  /** How many activities came. */
  get received(): number {
    return this.#streamed.size;
  }

  /** What it knows of the feed that is not in it, and what is in the feed that it does not know. */
  async differences(): Promise<{ missing: number; extra: number }> {
    await this.#reading;
    const feed = new Set(await this.#walk());
    const known = new Set([...this.#streamed, ...this.#read]);
    return {
      missing: [...feed].filter((id) => !known.has(id)).length,
      extra: [...known].filter((id) => !feed.has(id)).length,
    };
  }

  #take({ event, data, receivedAtMs }: StreamedEvent): void {
    if (event === 'resync') {
      this.resyncs += 1;
      this.#reading = this.#reading.then(() => this.#readAgain());
    } else if (event === 'activity') {
      this.repeated += this.#streamed.has(data.id) ? 1 : 0;
      this.#streamed.add(data.id);
      this.latenciesMs.push(receivedAtMs - (this.#postedAtMs.get(data.id) ?? Number.NaN));
    }
  }

  async #readAgain(): Promise<void> {
    for (;;) {
      try {
        for (const id of await this.#walk()) {
          this.#read.add(id);
        }
        return;
      } catch {
        // feed-api may be away: that is what the bench does to it.
        await delay(readAgainDelayMs);
      }
    }
  }

  async #walk(): Promise<string[]> {
    return (await this.#feedApi.walk(home, this.#userId, pageSize)).map(({ id }) => id);
  }
}
