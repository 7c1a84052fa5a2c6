import { setTimeout as delay } from 'node:timers/promises';
import type { Cache } from '@tideline/shared/cache';
import { type Expected, findInInboxes } from './inbox-probe.js';

const pollMs = 1;

interface Awaited extends Expected {
  /** By `performance.now()`. */
  since: number;
}

/**
 * Watches from outside for activities to appear in inboxes. Every millisecond one script call asks Redis about those
 * that are on their way and no others: at 100 posts a second that is one or two list heads, some 20 µs of Redis.
 * MONITOR would make Redis copy every command to us, and keyspace events would change the server for everybody on it.
 */
export class Arrivals {
  readonly latenciesMs: number[] = [];
  readonly #cache: Cache;
  #awaited: Awaited[] = [];
  #watching = true;
  readonly #ended: Promise<void>;

  constructor(cache: Cache) {
    this.#cache = cache;
    this.#ended = this.#watch();
  }

  expect(expected: Awaited): void {
    this.#awaited.push(expected);
  }

  get missing(): number {
    return this.#awaited.length;
  }

  async stop(): Promise<void> {
    this.#watching = false;
    await this.#ended;
  }

  async #watch(): Promise<void> {
    while (this.#watching) {
      const asked = this.#awaited;
      if (asked.length > 0) {
        const found = await findInInboxes(this.#cache, asked);
        const now = performance.now();
        this.latenciesMs.push(...asked.filter((_, i) => found[i] === true).map(({ since }) => now - since));
        const arrived = new Set(asked.filter((_, i) => found[i] === true));
        this.#awaited = this.#awaited.filter((each) => !arrived.has(each));
      }
      await delay(pollMs);
    }
  }
}
