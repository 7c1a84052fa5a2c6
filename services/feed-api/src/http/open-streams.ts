import { TidelineError } from '@tideline/shared/errors';
import type { Response } from 'express';
import type { LiveFeed } from '../live/live-client.js';
import type { FeedApiMetrics } from '../metrics.js';
import { EventStream } from './event-stream.js';

export const streamsOfUserMax = 5;

/** The streams of this process: how many there may be, and how they end when it does. */
export class OpenStreams {
  readonly #streamsMax: number;
  readonly #metrics: FeedApiMetrics;
  readonly #streams = new Set<EventStream>();
  readonly #countOfUser = new Map<string, number>();
  #isClosing = false;

  constructor(streamsMax: number, metrics: FeedApiMetrics) {
    this.#streamsMax = streamsMax;
    this.#metrics = metrics;
  }

  /** A stream for this response, until its connection closes. Throws `overloaded` and `too_many_streams`. */
  open(userId: string, feed: LiveFeed, response: Response): EventStream {
    if (this.#isClosing || this.#streams.size >= this.#streamsMax) {
      throw new TidelineError('overloaded', 'There are no more streams to be had here at present.', {
        retryable: true,
      });
    }
    const count = this.#countOfUser.get(userId) ?? 0;
    if (count >= streamsOfUserMax) {
      throw new TidelineError('too_many_streams', `A user has at most ${streamsOfUserMax} streams here.`);
    }
    const stream = new EventStream(response, feed, this.#metrics);
    // Who is gone already will not close once more.
    if (!response.closed) {
      this.#streams.add(stream);
      this.#countOfUser.set(userId, count + 1);
      this.#metrics.streamOpened(feed);
      response.once('close', () => this.#release(userId, feed, stream));
    }
    return stream;
  }

  /** Ends all, and opens none any more. */
  close(): void {
    this.#isClosing = true;
    for (const stream of this.#streams) {
      stream.end();
    }
  }

  #release(userId: string, feed: LiveFeed, stream: EventStream): void {
    this.#streams.delete(stream);
    this.#metrics.streamClosed(feed);
    const left = (this.#countOfUser.get(userId) ?? 1) - 1;
    if (left === 0) {
      this.#countOfUser.delete(userId);
    } else {
      this.#countOfUser.set(userId, left);
    }
  }
}
