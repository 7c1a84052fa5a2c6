import type { Database } from '@tideline/shared/database';
import type { Logger } from '@tideline/shared/logger';
import { horizonKnownMs } from '@tideline/shared/retention-horizon';
import { dropExpiredChunks, pruneExpired, raiseHorizon } from './expired-content.js';

export interface RetentionKeeperOptions {
  database: Database;
  /** How long content is kept; 0: for ever. */
  days: number;
  /** Whether this process is the one to do it. */
  isMine: () => boolean;
  logger: Logger;
}

const checkIntervalMs = 5_000;
const roundIntervalMs = 3_600_000;

/**
 * Takes away the content of weeks that are over for longer than it is kept: first the horizon rises, so that nobody shows,
 * takes in or brings back what is before it; once everybody knows, its chunks are dropped and what is about it is taken
 * out. Each step can be repeated, and two that do it at once do nothing wrong.
 *
 * Of several processes the one that was assigned the first partition does it: the group has elected it already.
 */
export class RetentionKeeper {
  readonly #options: RetentionKeeperOptions;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;
  #nextAt = 0;
  #stopped = false;

  constructor(options: RetentionKeeperOptions) {
    this.#options = options;
  }

  start(): void {
    const { days, isMine } = this.#options;
    if (days === 0) {
      return;
    }
    this.#timer = setInterval(() => {
      if (this.#round === undefined && performance.now() >= this.#nextAt && isMine()) {
        this.#nextAt = performance.now() + roundIntervalMs;
        this.#round = this.#takeAway().finally(() => {
          this.#round = undefined;
        });
      }
    }, checkIntervalMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopped = true;
    await this.#round;
  }

  async #takeAway(): Promise<void> {
    const { database, days, logger } = this.#options;
    try {
      const { horizon, rose } = await raiseHorizon(database, days);
      if (rose) {
        this.#nextAt = performance.now() + horizonKnownMs;
        return;
      }
      const isStopped = () => this.#stopped;
      const chunks = await dropExpiredChunks(database, isStopped);
      const rows = await pruneExpired(database, horizon, isStopped);
      if (chunks > 0) {
        logger.info({ horizon, chunks, rows }, 'content before the horizon is gone');
      }
    } catch (error) {
      // Soon again: a server is away, or somebody reads for long what was to be dropped.
      this.#nextAt = 0;
      logger.warn({ err: (error as Error).message }, 'content could not be taken away');
    }
  }
}
