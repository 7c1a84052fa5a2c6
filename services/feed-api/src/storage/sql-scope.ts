import { type Database, whileDatabaseIsUp } from '@tideline/shared/database';
import type { RetentionHorizon } from '@tideline/shared/retention-horizon';

export interface SqlSource {
  database: Database;
  horizon: Pick<RetentionHorizon, 'id' | 'ms'>;
}

/**
 * The database as one read sees it: counts its statements, and a database that is away is `unavailable`.
 *
 * Values are put into the text here, not prepared: TimescaleDB then plans with the real time bounds and looks only at
 * the chunks between them. A statement with named values has `$<horizon>` too, the id before which content is gone.
 */
export class SqlScope {
  statements = 0;
  /** The same for all of a read. */
  readonly horizonId: string;
  /** Unix milliseconds; 0: everything is kept. */
  readonly horizonMs: number;
  readonly #database: Database;

  constructor({ database, horizon }: SqlSource) {
    this.#database = database;
    this.horizonId = horizon.id;
    this.horizonMs = horizon.ms;
  }

  async any<Row>(sql: string, values: object): Promise<Row[]> {
    this.statements += 1;
    const all = Array.isArray(values) ? values : { ...values, horizon: this.horizonId };
    return whileDatabaseIsUp(() => this.#database.any<Row>(sql, all));
  }

  /** Changes something on behalf of a request, which the audit then names. */
  async write(sql: string, values: object, requestId: string): Promise<void> {
    // Sent together, the two are one transaction.
    await this.any(`select set_config('tideline.request_id', $<requestId>, true); ${sql}`, { ...values, requestId });
  }
}
