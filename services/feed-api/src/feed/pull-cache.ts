import type { Activity } from '@tideline/shared/activity';
import type { Cache } from '@tideline/shared/cache';
import { unlessUnavailable } from '@tideline/shared/errors';
import { pullTokenCall } from '@tideline/shared/registers';
import { LRUCache } from 'lru-cache';
import type { Register, RegisterStore } from '../inbox/register-store.js';
import type { TombstoneStore } from '../inbox/tombstone-store.js';
import type { FeedApiMetrics } from '../metrics.js';
import type { SqlScope } from '../storage/sql-scope.js';

/** All that is kept in a process; a page that is empty counts as one row. */
const keptRowsMax = 100_000;

type RowKey = Pick<Activity, 'id' | 'actorId'>;

/** A query whose answer may be kept for a while. */
export interface KeepableQuery<Row extends RowKey, Kept> {
  reader: string;
  /** Names the query, among all of this reader. */
  name: string;
  run(): Promise<Row[]>;
  /** The little that is kept of a row. */
  keep(row: Row): Kept;
  /** Rows of what was kept, in order; those that cannot be had any more are left out. */
  restore(kept: readonly Kept[]): Promise<Row[]>;
  /** Whether the reader may still be shown a row, as far as its register tells. */
  shows(row: Row, register: Register): boolean;
}

interface KeptAnswer {
  /** It holds while this is the reader's token: then the reader neither did, followed nor unfollowed anything since. */
  token: string;
  rows: readonly unknown[];
}

interface Recalled<Row> {
  outcome: 'hit' | 'miss' | 'ended' | 'off';
  token?: string;
  rows?: Row[];
}

export interface PullCacheTools {
  cache: Cache;
  registers: RegisterStore;
  tombstones: TombstoneStore;
  metrics: FeedApiMetrics;
}

/**
 * Answers of plain queries, kept in this process for a moment (B8). What others add meanwhile is missed for as long;
 * never missed is a write of the reader itself, which ends its token, and a correction, because each answer that was
 * kept is checked against the reader's register and the tombstones of this moment. One that lost a row to them, or
 * its token, is thrown away, and the query is run.
 *
 *   nothing kept ──token, then the query──► kept(token) ──time, another token, or a row that may not be shown──► nothing
 */
export class PullCache {
  readonly #tools: PullCacheTools;
  readonly #kept: LRUCache<string, KeptAnswer> | undefined;

  /** `keepMs` 0: nothing is kept. */
  constructor(tools: PullCacheTools, keepMs: number) {
    this.#tools = tools;
    this.#kept =
      keepMs === 0
        ? undefined
        : new LRUCache({ maxSize: keptRowsMax, sizeCalculation: ({ rows }) => rows.length + 1, ttl: keepMs });
  }

  /** `goAround`: the client wants what the database says now. */
  async read<Row extends RowKey, Kept>(
    sql: SqlScope,
    query: KeepableQuery<Row, Kept>,
    goAround: boolean,
  ): Promise<Row[]> {
    const { metrics } = this.#tools;
    if (this.#kept === undefined) {
      return query.run();
    }
    if (goAround) {
      metrics.pullCacheRead('around');
      return query.run();
    }
    const key = `${query.reader} ${query.name}`;
    const found = await this.#recall(sql, query, this.#kept.get(key));
    metrics.pullCacheRead(found.outcome);
    if (found.rows !== undefined) {
      return found.rows;
    }
    const rows = await query.run();
    if (found.token !== undefined) {
      this.#kept.set(key, { token: found.token, rows: rows.map((row) => query.keep(row)) });
    }
    return rows;
  }

  /** The rows of what was kept, if they may be shown; and the token that held before any query that now follows. */
  async #recall<Row extends RowKey, Kept>(
    sql: SqlScope,
    query: KeepableQuery<Row, Kept>,
    kept: KeptAnswer | undefined,
  ): Promise<Recalled<Row>> {
    const { cache, registers, tombstones } = this.#tools;
    const recalled = await unlessUnavailable(async (): Promise<Recalled<Row>> => {
      const refresh = tombstones.refresh();
      const [answer, head, buried] = await cache.run([
        pullTokenCall(cache, query.reader),
        registers.headCall(query.reader),
        refresh.call,
      ]);
      const token = String(answer);
      if (kept?.token !== token) {
        return { outcome: kept === undefined ? 'miss' : 'ended', token };
      }
      const [register, recent, rows] = await Promise.all([
        registers.confirm(sql, query.reader, head as Buffer),
        refresh.confirm(sql, buried),
        query.restore(kept.rows as Kept[]),
      ]);
      const shown = rows.filter((row) => query.shows(row, register) && !recent.cover(row));
      return shown.length === kept.rows.length ? { outcome: 'hit', token, rows: shown } : { outcome: 'ended', token };
    });
    return recalled ?? { outcome: 'off' };
  }
}
