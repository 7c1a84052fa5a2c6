import { type Database, whileDatabaseIsUp } from '@tideline/shared/database';

/**
 * The database as one read sees it: counts its statements, and a database that is away is `unavailable`.
 *
 * Values are put into the text here, not prepared: TimescaleDB then plans with the real time bounds and looks only at
 * the chunks between them.
 */
export class SqlScope {
  statements = 0;
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async any<Row>(sql: string, values: object): Promise<Row[]> {
    this.statements += 1;
    return whileDatabaseIsUp(() => this.#database.any<Row>(sql, values));
  }

  /** Changes something on behalf of a request, which the audit then names. */
  async write(sql: string, values: object, requestId: string): Promise<void> {
    // Sent together, the two are one transaction.
    await this.any(`select set_config('tideline.request_id', $<requestId>, true); ${sql}`, { ...values, requestId });
  }
}
