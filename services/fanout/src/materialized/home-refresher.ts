import { type Database, inRepeatableRead } from '@tideline/shared/database';
import type { Logger } from '@tideline/shared/logger';
import type { FanoutMetrics } from '../metrics.js';

export interface HomeRefresherOptions {
  database: Database;
  /** Between two refreshes; 0: there is no materialised home, and nothing is noted for it. */
  intervalMs: number;
  /** Whether this process is the one to do it. */
  isMine: () => boolean;
  metrics: Pick<FanoutMetrics, 'homeRefreshed'>;
  logger: Logger;
}

const checkIntervalMs = 1_000;

/**
 * Keeps the materialised view of home feeds fresh (E6).
 *
 *   nothing kept ──begin: from here on what comes is noted──► noting ──refresh──► usable ──refresh──► usable …
 *
 * Of several processes the one that was assigned the first partition does it: the group has elected it already. Two that do
 * it at once do nothing wrong.
 */
export class HomeRefresher {
  readonly #options: HomeRefresherOptions;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;
  #nextAt = 0;

  constructor(options: HomeRefresherOptions) {
    this.#options = options;
  }

  start(): void {
    const { isMine } = this.#options;
    this.#timer = setInterval(() => {
      if (this.#round === undefined && performance.now() >= this.#nextAt && isMine()) {
        this.#round = this.#takeRound().finally(() => {
          this.#round = undefined;
        });
      }
    }, checkIntervalMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#round;
  }

  async #takeRound(): Promise<void> {
    const { intervalMs, logger } = this.#options;
    try {
      const waitMs = intervalMs === 0 ? await this.#end() : await this.#refreshWhenDue();
      this.#nextAt = performance.now() + waitMs;
    } catch (error) {
      // Until it succeeds pages are made of what was refreshed last and of what came since.
      logger.warn({ err: (error as Error).message }, 'the materialised home feeds could not be refreshed');
      this.#nextAt = performance.now() + Math.max(intervalMs, checkIntervalMs);
    }
  }

  /** Returns how long it is until the next time: another process, or this one before it was started again, may have done it. */
  async #refreshWhenDue(): Promise<number> {
    const { database, intervalMs } = this.#options;
    const { due_in_ms: dueInMs } = await database.one<{ due_in_ms: number }>(
      `select coalesce($1 - extract(epoch from now() - refreshed_at) * 1000, 0)::float8 as due_in_ms
       from materialized_home_state`,
      [intervalMs],
    );
    if (dueInMs > 0) {
      return dueInMs;
    }
    await this.#refresh();
    return intervalMs;
  }

  async #refresh(): Promise<void> {
    const { database, metrics, logger } = this.#options;
    const startedAt = performance.now();
    await database.one('select begin_noting_for_home()');
    await inRepeatableRead(database, (transaction) => transaction.one('select refresh_materialized_home()'));
    const ms = Math.round(performance.now() - startedAt);
    metrics.homeRefreshed(ms / 1_000);
    logger.info({ ms }, 'materialised home feeds refreshed');
  }

  async #end(): Promise<number> {
    const { database } = this.#options;
    const { is_noting: isNoting } = await database.one<{ is_noting: boolean }>(
      'select is_noting from materialized_home_state',
    );
    if (isNoting) {
      await database.one('select end_materialized_home()');
    }
    return Number.POSITIVE_INFINITY;
  }
}
