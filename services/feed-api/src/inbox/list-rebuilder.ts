import { lowestActivityId } from '@tideline/shared/activity-id';
import type { FeedListReader, ListKind, ListName } from '@tideline/shared/feed-lists';
import type { Logger } from '@tideline/shared/logger';
import type { FeedApiMetrics } from '../metrics.js';
import { authorIds, homeIds } from '../storage/feed-pages.js';
import { notificationIds } from '../storage/notification-pages.js';
import { SqlScope, type SqlSource } from '../storage/sql-scope.js';

export interface ListRebuilderOptions extends SqlSource {
  lists: Pick<FeedListReader, 'begin' | 'finish'>;
  inboxCap: number;
  metrics: FeedApiMetrics;
  logger: Logger;
}

/** What each kind of list holds, from the database. */
const newestIds: Record<ListKind, (sql: SqlScope, userId: string, limit: number) => Promise<string[]>> = {
  inbox: homeIds,
  outbox: authorIds,
  notifications: notificationIds,
};

/** Rebuilds that run at a time, so that a lost Redis does not become a lost database. */
const concurrencyMax = 4;
/** More wait for their next read instead. */
const waitingMax = 10_000;

/** Builds missing lists behind the reads that missed them; each at most once at a time. */
export class ListRebuilder {
  readonly #options: ListRebuilderOptions;
  readonly #waiting = new Map<string, () => Promise<void>>();
  readonly #running = new Map<string, Promise<void>>();
  #stopped = false;

  constructor(options: ListRebuilderOptions) {
    this.#options = options;
  }

  /** Asks for a list to be built. `replaceReady`: it is there, but has become too short to be of use. */
  request(list: ListName, replaceReady = false): void {
    const name = nameOf(list);
    if (this.#stopped || this.#running.has(name) || this.#waiting.has(name) || this.#waiting.size >= waitingMax) {
      return;
    }
    this.#waiting.set(name, () => this.#rebuild(list, replaceReady));
    this.#next();
  }

  /** Asks for a list to be built, and resolves when that was tried. */
  async build(list: ListName): Promise<void> {
    const name = nameOf(list);
    this.request(list);
    while (this.#waiting.has(name) && this.#running.size > 0) {
      await Promise.race(this.#running.values());
    }
    await this.#running.get(name);
  }

  /** Resolves when nothing waits and nothing runs. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) {
      await Promise.all(this.#running.values());
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#waiting.clear();
    await this.settled();
  }

  #next(): void {
    for (const [name, rebuild] of this.#waiting) {
      if (this.#running.size >= concurrencyMax) {
        return;
      }
      this.#waiting.delete(name);
      const run = rebuild().finally(() => {
        this.#running.delete(name);
        this.#next();
      });
      this.#running.set(name, run);
    }
  }

  async #rebuild(list: ListName, replaceReady: boolean): Promise<void> {
    const { metrics, logger } = this.#options;
    const startedAt = performance.now();
    const seconds = () => (performance.now() - startedAt) / 1000;
    try {
      const ready = await this.#build(list, replaceReady);
      metrics.listRebuilt(list.kind, ready ? 'ready' : 'refused', seconds());
    } catch (error) {
      // The list stays missing, or its building expires: the next read asks again.
      metrics.listRebuilt(list.kind, 'failed', seconds());
      logger.warn({ err: (error as Error).message, list }, 'a list could not be rebuilt');
    }
  }

  /**
   * The order is what makes it exact (I6): first the list takes deliveries, then the database is read. An activity is
   * committed before it is delivered, so it is seen by one of the two.
   */
  async #build(list: ListName, replaceReady: boolean): Promise<boolean> {
    const { lists, inboxCap } = this.#options;
    const token = await lists.begin(list, replaceReady);
    if (token === undefined) {
      return false;
    }
    const ids = await newestIds[list.kind](new SqlScope(this.#options), list.userId, inboxCap);
    const floor = ids.length < inboxCap ? lowestActivityId : (ids.at(-1) ?? lowestActivityId);
    return lists.finish(list, token, ids, floor);
  }
}

function nameOf({ kind, userId }: ListName): string {
  return `${kind} ${userId}`;
}
