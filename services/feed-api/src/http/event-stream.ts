import { randomInt } from 'node:crypto';
import { eventStreamType } from '@tideline/shared/http/api';
import { countAtOnce } from '@tideline/shared/http/request-log';
import type { Response } from 'express';
import type { LiveClient, LiveEvent, LiveFeed, LiveSubscription } from '../live/live-client.js';
import type { FeedApiMetrics } from '../metrics.js';

/** Proxies and browsers give up connections on which nothing comes for long. */
const heartbeatIntervalMs = 15_000;
/** What a reader may be behind, besides what the kernel holds. */
const waitingMaxBytes = 256 * 1024;
/** Who opens again is asked again who it is: a key that was revoked opens nothing. */
const ageMaxMs = 3_600_000;
/** When all streams of a process end, their readers come back one after the other. */
const retryMinMs = 500;
const retryMaxMs = 3_000;
/** For the last bytes to arrive. */
const endGraceMs = 2_000;

/**
 * Server-sent events on one response. The first bytes, and every comment that keeps the connection alive, say where the
 * stream stands, so that whoever comes back goes on there, whether or not there were events.
 *
 * A reader who does not keep up is cut off, because what waits for it would be kept here; it comes back by itself and
 * goes on from its last event.
 */
export class EventStream implements LiveClient {
  readonly #response: Response;
  readonly #feed: LiveFeed;
  readonly #metrics: FeedApiMetrics;
  #position = '';
  #hasBegun = false;
  #isEnding = false;

  constructor(response: Response, feed: LiveFeed, metrics: FeedApiMetrics) {
    this.#response = response;
    this.#feed = feed;
    this.#metrics = metrics;
  }

  /** Answers 200, and keeps the subscription until the connection closes. */
  begin(subscription: LiveSubscription): void {
    if (this.#response.closed) {
      subscription.close();
      return;
    }
    const heartbeat = setInterval(() => this.#write(`id: ${this.#position}\n:\n\n`), heartbeatIntervalMs);
    const aging = setTimeout(() => this.end(), ageMaxMs);
    this.#response.once('close', () => {
      clearInterval(heartbeat);
      clearTimeout(aging);
      subscription.close();
    });
    this.#writeHead(subscription.position);
    if (this.#isEnding) {
      this.end();
    }
  }

  send({ id, event, data }: LiveEvent): void {
    this.#writeHead(id);
    this.#position = id;
    this.#metrics.streamEvent(this.#feed, event);
    this.#write(`event: ${event}\nid: ${id}\ndata: ${data}\n\n`);
  }

  moved(position: string): void {
    this.#position = position;
  }

  /** Ends it as one that is complete, with a hint when to come back. */
  end(): void {
    this.#isEnding = true;
    if (!this.#hasBegun || this.#response.closed) {
      return;
    }
    this.#write(`${retryHint()}\n`);
    this.#response.end();
    const cut = setTimeout(() => this.#response.destroy(), endGraceMs);
    this.#response.once('close', () => clearTimeout(cut));
  }

  #writeHead(position: string): void {
    if (this.#hasBegun) {
      return;
    }
    this.#hasBegun = true;
    this.#position = position;
    countAtOnce(this.#response);
    this.#response.set({
      'Content-Type': `${eventStreamType}; charset=utf-8`,
      'Cache-Control': 'no-store',
      // nginx would keep events until it has enough of them.
      'X-Accel-Buffering': 'no',
    });
    this.#response.status(200);
    this.#write(`${retryHint()}id: ${position}\n\n`);
  }

  #write(text: string): void {
    if (this.#response.closed || this.#response.writableEnded || this.#response.destroyed) {
      return;
    }
    this.#response.write(text);
    if (this.#response.writableLength > waitingMaxBytes) {
      this.#metrics.streamDropped(this.#feed);
      this.#response.destroy();
    }
  }
}

function retryHint(): string {
  return `retry: ${randomInt(retryMinMs, retryMaxMs + 1)}\n`;
}
