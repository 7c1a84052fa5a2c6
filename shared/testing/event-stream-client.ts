import type { FeedItem } from '@tideline/shared/activity';
import { type ReceivedEvent, readEventStream } from '@tideline/shared/event-stream-reader';
import type { Contract } from './contract.js';
import { waitUntil } from './wait-until.js';

export type StreamedEvent = { id: string /** By performance.now(). */; receivedAtMs: number } & (
  | { event: 'activity'; data: FeedItem }
  | { event: 'delete'; data: { id: string } }
  | { event: 'resync'; data: Record<string, never> }
);

export interface EventStreamClientOptions {
  origin: string;
  path: string;
  headers: Record<string, string>;
  lastEventId?: string | undefined;
  /** Every event is held against it. */
  contract?: Promise<Contract>;
  /** Keeps nothing by itself where it is given. */
  onEvent?: (event: StreamedEvent) => void;
}

/** Reads a stream in the background, opens it again wherever it is lost, and keeps what came. */
export class EventStreamClient {
  readonly events: StreamedEvent[] = [];
  /** Why connections were lost. */
  readonly losses: string[] = [];
  /** How often it was opened. */
  opened = 0;
  isOpen = false;
  readonly #options: EventStreamClientOptions;
  readonly #stop = new AbortController();
  readonly #reading: Promise<void>;
  #cut: (() => void) | undefined;
  #failure: unknown;

  constructor(options: EventStreamClientOptions) {
    this.#options = options;
    this.#reading = this.#read().catch((error: unknown) => {
      this.#failure = error;
    });
  }

  /** Waits until it was opened so many times. */
  async whenOpened(times = 1): Promise<void> {
    await this.when(`${this.#options.path} is opened`, () => this.opened >= times);
  }

  /** Like `waitUntil`, and fails at once where the stream did. */
  async when<T>(what: string, condition: () => Promise<T> | T): Promise<NonNullable<T>> {
    return waitUntil(what, () => {
      if (this.#failure !== undefined) {
        throw this.#failure;
      }
      return condition();
    });
  }

  /** The ids of `activity` events, in the order in which they came. */
  get activityIds(): string[] {
    return this.events.flatMap(({ event, data }) => (event === 'activity' ? [data.id] : []));
  }

  get resyncs(): number {
    return this.events.filter(({ event }) => event === 'resync').length;
  }

  /** Breaks the connection; it is opened again. */
  cut(): void {
    this.#cut?.();
  }

  /** Throws what reading it failed with. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#reading;
    if (this.#failure !== undefined) {
      throw this.#failure;
    }
  }

  async #read(): Promise<void> {
    const { origin, path, headers, lastEventId, contract, onEvent } = this.#options;
    const events = readEventStream({
      url: origin + path,
      headers,
      ...(lastEventId === undefined ? {} : { lastEventId }),
      signal: this.#stop.signal,
      onOpen: (cut) => {
        this.opened += 1;
        this.isOpen = true;
        this.#cut = cut;
      },
      onLost: (reason) => {
        this.isOpen = false;
        this.losses.push(reason);
      },
    });
    for await (const received of events) {
      const event = parsed(received);
      (await contract)?.check('GET', path, { status: 200, contentType: 'text/event-stream', body: withoutTime(event) });
      if (onEvent === undefined) {
        this.events.push(event);
      } else {
        onEvent(event);
      }
    }
  }
}

function parsed({ event, id, data }: ReceivedEvent): StreamedEvent {
  return { event, id, data: JSON.parse(data) as object, receivedAtMs: performance.now() } as StreamedEvent;
}

function withoutTime({ receivedAtMs: _receivedAtMs, ...event }: StreamedEvent): object {
  return event;
}
