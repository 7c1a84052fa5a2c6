import { lowestIdFrom } from './activity-id.js';
import type { Database } from './database.js';

/** After so long every process has heard of it. */
export const horizonKnownMs = 10_000;
const pollIntervalMs = 5_000;

const horizonSql = `select (extract(epoch from horizon) * 1000)::float8 as ms from retention`;

/**
 * Before which time content is gone, as this process knows it. It only rises, and nothing is dropped before every process
 * has heard of it, so that each shows the same, whether it has it from Redis or from the database.
 */
export class RetentionHorizon {
  /** Unix milliseconds; 0: everything is kept. */
  ms = 0;
  readonly #database: Database;
  #timer: NodeJS.Timeout | undefined;
  #asking: Promise<void> | undefined;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Not above the id of any content that is kept, and above all that are gone. */
  get id(): string {
    return lowestIdFrom(this.ms);
  }

  async refresh(): Promise<void> {
    const { ms } = await this.#database.one<{ ms: number }>(horizonSql);
    this.ms = Math.max(this.ms, ms);
  }

  /** Keeps it fresh, from now on; with the database away it is what it was. */
  start(): void {
    const ask = () => {
      this.#asking ??= this.#ask();
    };
    ask();
    this.#timer = setInterval(ask, pollIntervalMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#asking;
  }

  async #ask(): Promise<void> {
    try {
      await this.refresh();
    } catch {
      // Whoever needs the database for more than this says that it is away.
    } finally {
      this.#asking = undefined;
    }
  }
}
