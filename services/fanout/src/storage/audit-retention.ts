import type { Database } from '@tideline/shared/database';
import type { Logger } from '@tideline/shared/logger';

const intervalMs = 3_600_000;

export interface AuditRetentionOptions {
  database: Database;
  /** 0: everything is kept. */
  days: number;
  logger: Logger;
}

/** Drops what the audit says of longer ago, when it starts and every hour. Of several processes one at a time does. */
export class AuditRetention {
  readonly #options: AuditRetentionOptions;
  #timer: NodeJS.Timeout | undefined;
  #dropping: Promise<void> | undefined;

  constructor(options: AuditRetentionOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#options.days === 0) {
      return;
    }
    this.#dropping = this.#drop();
    this.#timer = setInterval(() => {
      this.#dropping = this.#drop();
    }, intervalMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#dropping;
  }

  async #drop(): Promise<void> {
    const { database, days, logger } = this.#options;
    try {
      const { chunks } = await database.one<{ chunks: number }>('select drop_old_audit($1)::int as chunks', [days]);
      if (chunks > 0) {
        logger.info({ chunks, days }, 'dropped what the audit said of longer ago');
      }
    } catch (error) {
      // The database is away, which others say louder; the next hour comes.
      logger.debug({ err: (error as Error).message }, 'the audit could not be shortened');
    }
  }
}
