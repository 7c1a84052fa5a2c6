import type { Database } from './database.js';

const intervalMs = 2_000;

/** Asks the database now and then whether it answers, for readiness. */
export class DatabaseProbe {
  isUp = true;
  readonly #database: Database;
  #timer: NodeJS.Timeout | undefined;

  constructor(database: Database) {
    this.#database = database;
  }

  start(): void {
    this.#timer = setInterval(() => void this.#ask(), intervalMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #ask(): Promise<void> {
    try {
      await this.#database.one('select 1 as up');
      this.isUp = true;
    } catch {
      this.isUp = false;
    }
  }
}
